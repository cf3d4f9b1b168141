"""The head of a response as a value, read from its bytes; and how its content is delimited.

It reads no content and no socket. It refuses what two readers could understand differently (RFC 9112, sections 2.2,
5 and 6); where a standard lets a proxy repair or refuse, it refuses, with one exception that `field_block.py` names.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from enum import Enum
from functools import lru_cache

from nodes.http.field_block import Malformed, split_fields
from nodes.http.message import Fields, bodyless

LARGEST_HEAD_BYTES = 128 * 1024
MOST_FIELDS = 500
REMEMBERED, REMEMBERED_BYTES = 256, 2048
"""How many heads, of at most how many bytes."""
LARGEST_LENGTH_BYTES = 2**63 - 1

_STATUS_LINE = re.compile(rb"HTTP/(\d)\.(\d) ([1-9]\d\d)(?: ([\t\x20-\x7e\x80-\xff]*))?")
_LENGTH = re.compile(r"\d{1,19}", re.ASCII)


class Framing(Enum):
    """How the end of the content is known: RFC 9112, section 6.3."""

    NONE = "none"
    LENGTH = "length"
    CHUNKED = "chunked"
    CLOSE = "close"


@dataclass
class Response:
    """A response's head. `length_bytes` is what Content-Length says (of a HEAD or 304 too), None when it says nothing.

    `trailers` are there once the content is whole; they are never merged into `fields` (RFC 9110, section 6.5.1).
    """

    status: int
    reason: str
    fields: Fields
    version: str
    framing: Framing
    length_bytes: int | None
    keep: bool
    """Whether the connection may be used again afterwards: RFC 9112, section 9.3."""
    trailers: Fields = field(default_factory=Fields)

    @property
    def framed(self) -> bool:
        """Whether the end of the content is told by the message rather than by the end of the connection."""
        return self.framing is not Framing.CLOSE


def parse_head(head: bytes, method: str) -> Response:
    """A head from the status line to the last field line's CRLF, without the empty line. Raises Malformed.

    What is asked for often comes with the same head each time; the latest small ones are remembered.
    """
    found = _remembered(head, method) if len(head) <= REMEMBERED_BYTES else _parse(head, method)
    return Response(found.status, found.reason, found.fields.copy(), found.version, found.framing, found.length_bytes,
                    found.keep)  # fmt: skip


def _parse(head: bytes, method: str) -> Response:
    line, _, block = head.partition(b"\r\n")
    match = _STATUS_LINE.fullmatch(line)
    if match is None:
        raise Malformed(_status_line_fault(line))
    major, minor, code, phrase = match.groups()
    if major != b"1":
        raise Malformed(f"HTTP/{major.decode()}.{minor.decode()}, which is not spoken here")
    version = "1.0" if minor == b"0" else "1.1"  # a higher minor version is read as ours: RFC 9110, section 2.5
    fields = split_fields(block, MOST_FIELDS)
    status = int(code)
    framing, length_bytes = _framing(method, status, version, fields)
    options = fields.tokens("connection")
    keep = "close" not in options and (version == "1.1" or "keep-alive" in options) and framing is not Framing.CLOSE
    return Response(status, (phrase or b"").decode("latin-1"), fields, version, framing, length_bytes, keep)


_remembered = lru_cache(maxsize=REMEMBERED)(_parse)


def _framing(method: str, status: int, version: str, fields: Fields) -> tuple[Framing, int | None]:
    """RFC 9112, section 6.3, whose repairs are refusals here."""
    length_bytes = _length(fields.all("content-length"))
    codings = fields.get("transfer-encoding")
    if codings is not None:
        if length_bytes is not None:
            raise Malformed("both Content-Length and Transfer-Encoding")
        if version == "1.0":
            raise Malformed("Transfer-Encoding in an HTTP/1.0 response")  # section 6.1: faulty framing
        if codings.lower() != "chunked":  # we never offer another coding (TE), so an origin may not use one
            raise Malformed(f"the transfer coding {codings[:60]!r}, which was not offered")
    if bodyless(method, status):
        return Framing.NONE, length_bytes
    if codings is not None:
        return Framing.CHUNKED, None
    return (Framing.CLOSE if length_bytes is None else Framing.LENGTH), length_bytes


def _length(values: list[str]) -> int | None:
    if not values:
        return None
    if len(values) > 1 or "," in values[0]:
        raise Malformed("more than one Content-Length")  # RFC 9110, section 8.6, lets a recipient reject these
    if not _LENGTH.fullmatch(values[0]) or int(values[0]) > LARGEST_LENGTH_BYTES:
        raise Malformed(f"the Content-Length {values[0][:60]!r}")
    return int(values[0])


def _status_line_fault(line: bytes) -> str:
    if not line.startswith(b"HTTP/"):
        return "no HTTP status line"
    if b"\r" in line or b"\n" in line:
        return "a bare CR or LF"
    return f"the status line {line[:60].decode('latin-1')!r}"
