"""A block of field lines, as in a response's head or in trailers, checked and split.

It does not look for the end of the block and knows no field by name.
"""

from __future__ import annotations

import re

from nodes.http.message import Fields

_NAME = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"
_VALUE = rb"[\t\x20-\x7e\x80-\xff]*"
_BLOCK = re.compile(rb"(?:" + _NAME + rb"[ \t]*:" + _VALUE + rb"\r\n)*")
_TOKEN = re.compile(_NAME)
_CLEAN = re.compile(_VALUE)


class Malformed(Exception):
    """Bytes that are not what HTTP/1.1 allows here; the message says what is wrong, and may be shown to anyone."""


def split_fields(block: bytes, most: int) -> Fields:
    """The fields of a block in which every line ends with CRLF; values lose the white space around them.

    White space between name and colon is removed, as RFC 9112, section 5.1, asks of a proxy that reads a response.
    Raises Malformed.
    """
    if not _BLOCK.fullmatch(block):
        raise Malformed(_fault(block))
    lines = block.decode("latin-1").split("\r\n")
    lines.pop()
    if len(lines) > most:
        raise Malformed(f"more than {most} field lines")
    fields = Fields()
    for line in lines:
        name, _, value = line.partition(":")
        fields.items.append((name.rstrip(" \t"), value.strip(" \t")))
    return fields


def _fault(block: bytes) -> str:
    """What is wrong with a block that is no block of fields."""
    for line in block.removesuffix(b"\r\n").split(b"\r\n"):
        if line[:1] in (b" ", b"\t"):
            return "a folded field line (obs-fold)"  # RFC 9112, section 5.2: 502, or unfold; folding is not guessed at
        if b"\r" in line or b"\n" in line:
            return "a bare CR or LF"  # RFC 9112, section 2.2
        name, colon, value = line.partition(b":")
        if not colon:
            return "a field line without a colon"
        if not _TOKEN.fullmatch(name.rstrip(b" \t")):
            return "a field name that is not a token"
        if not _CLEAN.fullmatch(value):
            return "a control character in a field value"  # RFC 9110, section 5.5
    return "a field block that does not end with CRLF"
