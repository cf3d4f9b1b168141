"""What RFC 9112 demands of a request's head beyond what a parser asks: syntax line by line, limits, and one framing.

Pure: bytes and fields in, a verdict or an HttpError out. Every refusal depends on a place in the stream, never on how
the bytes were cut: the first fault in the stream decides. What is let through here has one meaning for every parser.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from nodes.http.limits import Limits
from nodes.http.message import HttpError

_TOKEN = rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_LINE = re.compile(rb"(" + _TOKEN + rb") ([!-~]+) HTTP/([0-9])\.([0-9])\r\n")
_FIELD = _TOKEN + rb":[\t\x20-\x7e\x80-\xff]*\r\n"
_HEAD = re.compile(rb"(?:\r\n)?" + _LINE.pattern + rb"((?:" + _FIELD + rb")*\r\n)")
_FIELD_LINE = re.compile(_FIELD)
_ILLEGAL = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")
LONGEST_METHOD_BYTES = 40
MOST_DIGITS = 18
"""Of a Content-Length: every such number fits into 63 bits."""

_FRAMING_FIELDS = re.compile(rb"^(content-length|transfer-encoding):([^\r]*)\r$", re.IGNORECASE | re.MULTILINE)
_CODINGS = frozenset((b"chunked", b"gzip", b"x-gzip", b"deflate", b"compress", b"x-compress"))


class Head(NamedTuple):
    """A request line's parts, and the field lines with the empty line at their end."""

    method: str
    target: str
    major: int
    minor: int
    fields: bytes


class Framing(NamedTuple):
    """How the content of a request ends: after `length` bytes, with the last chunk, or (None, False) there is none."""

    length: int | None
    chunked: bool


NO_CONTENT = Framing(None, False)


def check(head: bytes, limits: Limits) -> Head:
    """The parts of a whole head. Raises HttpError with the first fault in it."""
    found = _HEAD.fullmatch(head)
    if found is not None:
        method, target, major, minor, fields = found.groups()
        if (
            found.start(5) - found.start(1) <= limits.request_line_bytes
            and len(method) <= LONGEST_METHOD_BYTES
            and len(fields) <= limits.fields_bytes
            and fields.count(b"\n") - 1 <= limits.fields_count
        ):
            return Head(method.decode("ascii"), target.decode("ascii"), int(major), int(minor), fields)
    HeadScanner(limits).scan(head)
    raise AssertionError("a head was neither right nor wrong")


class HeadScanner:
    """Looks at a head while it comes, so that one that cannot become right is refused at once.

    With `in_fields` there is no request line: it looks at a block of fields, such as trailers.
    """

    __slots__ = ("_count", "_fields_start", "_limits", "_line", "_seen")

    def __init__(self, limits: Limits, *, in_fields: bool = False) -> None:
        self._limits = limits
        self._line = self._seen = self._fields_start = 0
        self._count = 0 if in_fields else -1
        """Field lines so far; -1 before the request line."""

    def scan(self, buffer: bytes) -> int:
        """Look at what has come of one head, from its first byte; gives its length, 0 while unknown. Raises HttpError."""
        while True:
            newline = buffer.find(b"\n", self._seen)
            if newline < 0:
                stop = len(buffer) - buffer.endswith(b"\r")
                self._octets(buffer, stop)
                self._seen = max(self._seen, stop)
                return 0
            stop = newline - 1 if newline and buffer[newline - 1] == 13 and newline > self._line else newline
            self._octets(buffer, stop)
            if stop == newline:
                raise _bad("a line ends without CR LF")  # RFC 9112, section 2.2, lets us refuse a bare LF
            line = buffer[self._line : newline + 1]
            if self._count >= 0 and line == b"\r\n":
                return newline + 1
            self._whole(line)
            self._line = self._seen = newline + 1

    def _octets(self, buffer: bytes, stop: int) -> None:
        """Up to `stop`: no control characters, and no limit passed; whichever comes first."""
        found = _ILLEGAL.search(buffer, self._seen, stop)
        if self._count < 0:
            room = self._line + self._limits.request_line_bytes - 2
        else:
            room = self._fields_start + self._limits.fields_bytes - 2
        if stop > room and (found is None or found.start() >= room):
            if self._count < 0:
                raise HttpError(414, f"the request line is longer than {self._limits.request_line_bytes} bytes", close=True)
            raise HttpError(431, f"the header fields are longer than {self._limits.fields_bytes} bytes", close=True)
        if found is not None:
            raise _bad("a line holds a control character")

    def _whole(self, line: bytes) -> None:
        if self._count < 0:
            if line == b"\r\n" and self._line == 0:
                return  # RFC 9112, section 2.2: one empty line before a request is ignored
            _request_line(line)
            self._count, self._fields_start = 0, self._line + len(line)
            return
        if line[0] in b" \t":
            raise _bad("a header field is folded over two lines")  # RFC 9112, section 5.2
        if _FIELD_LINE.fullmatch(line) is None:
            name, colon, _ = line.partition(b":")
            if colon and name.rstrip(b" \t") != name:
                raise _bad("a space stands before the colon of a header field")  # RFC 9112, section 5.1
            raise _bad("a header field is malformed")
        self._count += 1
        if self._count > self._limits.fields_count:
            raise HttpError(431, f"more than {self._limits.fields_count} header fields", close=True)


def _request_line(line: bytes) -> None:
    found = _LINE.fullmatch(line)
    if found is None:
        raise _bad("the request line is malformed")
    if len(found[1]) > LONGEST_METHOD_BYTES:
        raise HttpError(501, "the method is longer than any known one", close=True)  # RFC 9112, section 3


def framing_of(head: Head) -> Framing:
    """Where the content ends: RFC 9112, sections 6.1 to 6.3. Raises HttpError."""
    found = _FRAMING_FIELDS.findall(head.fields)
    if not found:
        return NO_CONTENT
    lengths = [value.strip(b" \t") for name, value in found if name[0] in b"cC"]
    codings = [value.strip(b" \t") for name, value in found if name[0] in b"tT"]
    if codings:
        return _coded(head.minor, lengths, codings)
    if len(lengths) > 1:
        raise _bad("Content-Length stands more than once")
    text = lengths[0]
    if not text.isdigit():  # of bytes, so ASCII digits only
        raise _bad("Content-Length is not a number of bytes")
    digits = text.lstrip(b"0") or b"0"  # Python's int() refuses thousands of them, zeros too
    if len(digits) > MOST_DIGITS:
        raise HttpError(413, "Content-Length is larger than any content served here", close=True)
    return Framing(int(digits), False)


def _coded(minor: int, lengths: list[bytes], codings: list[bytes]) -> Framing:
    if lengths:
        raise _bad("both Content-Length and Transfer-Encoding")
    if minor == 0:
        raise _bad("Transfer-Encoding in an HTTP/1.0 request")
    names = [name.strip(b" \t").lower() for name in b",".join(codings).split(b",")]
    if names == [b"chunked"]:
        return Framing(None, True)
    if b"" in names or b"chunked" in names[:-1]:
        raise _bad("chunked is not the last transfer coding, or stands twice")
    if any(name.partition(b";")[0].rstrip() not in _CODINGS for name in names):
        raise HttpError(501, "the transfer coding is not known here", close=True)
    if names[-1] != b"chunked":
        raise _bad("the last transfer coding is not chunked")
    raise HttpError(501, "no transfer coding besides chunked is served here", close=True)


def _bad(text: str) -> HttpError:
    return HttpError(400, text, close=True)
