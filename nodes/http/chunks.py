"""The chunked transfer coding, decoded strictly (RFC 9112, section 7.1): sizes, extensions, ends of lines, trailers.

Pure: bytes in, content out. Extensions and trailers are checked and then dropped, as sections 7.1.1 and 7.1.2 allow.
"""

from __future__ import annotations

import re

from nodes.http.framing import HeadScanner
from nodes.http.limits import Limits
from nodes.http.message import HttpError

_TOKEN = rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_QUOTED = rb'"(?:[\t \x21\x23-\x5b\x5d-\x7e\x80-\xff]|\\[\t\x20-\x7e\x80-\xff])*"'
_SIZE = re.compile(
    rb"([0-9A-Fa-f]+)(?:[ \t]*;[ \t]*" + _TOKEN + rb"(?:[ \t]*=[ \t]*(?:" + _TOKEN + rb"|" + _QUOTED + rb"))?)*\r\n"
)
MOST_DIGITS = 15
"""Of a chunk's size: every such number fits into 63 bits."""

LONGEST_LINE_BYTES = 1024
EXTENSIONS_BYTES = 16 * 1024
"""Of all extensions of one message: RFC 9112, section 7.1.1, asks for a limit."""


class Chunks:
    """The content of one message. `feed` it; `whole` says when it has ended, `rest` holds what came after it."""

    __slots__ = ("_announced_bytes", "_at", "_data", "_extensions_bytes", "_left", "_limits", "_state", "_trailers", "rest",
                 "whole")  # fmt: skip

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._state = "size"
        self._left = 0
        self._extensions_bytes = self._announced_bytes = 0
        self._trailers: HeadScanner | None = None
        self._data = b""
        self._at = 0
        """How much of `_data` is read; it is cut once for each `feed`, because every cut copies what is behind it."""
        self.rest = b""
        self.whole = False

    def feed(self, data: bytes) -> list[bytes]:
        """More of the stream; gives the content in it. Raises HttpError, with what came before lost."""
        self._data, self._at = self.rest + data if self.rest else data, 0
        pieces: list[bytes] = []
        while not self.whole and self._at < len(self._data) and self._step(pieces):
            pass
        self.rest, self._data = self._data[self._at :], b""
        return pieces

    def _step(self, pieces: list[bytes]) -> bool:
        """One part of the grammar; False when more bytes are needed for it."""
        if self._state == "data":
            piece = self._data[self._at : self._at + self._left]
            pieces.append(piece)
            self._at += len(piece)
            self._left -= len(piece)
            if not self._left:
                self._state = "end"
            return True
        if self._state == "end":
            end = self._data[self._at : self._at + 2]
            if not b"\r\n".startswith(end):
                raise HttpError(400, "a chunk is not as long as its size says", close=True)
            if len(end) < 2:
                return False
            self._at += 2
            self._state = "size"
            return True
        return self._size() if self._state == "size" else self._trailer()

    def _size(self) -> bool:
        end = self._data.find(b"\n", self._at, self._at + LONGEST_LINE_BYTES) + 1
        if not end:
            if len(self._data) - self._at > LONGEST_LINE_BYTES:
                raise HttpError(400, "the line of a chunk's size is too long", close=True)
            return False
        found = _SIZE.fullmatch(self._data, self._at, end)
        if found is None:
            raise HttpError(400, "the size of a chunk is malformed", close=True)
        digits = found[1].lstrip(b"0")
        if len(digits) > MOST_DIGITS:
            raise HttpError(400, "the size of a chunk is out of range", close=True)
        self._extensions_bytes += end - self._at - len(found[1]) - 2
        if self._extensions_bytes > EXTENSIONS_BYTES:
            raise HttpError(400, "too many chunk extensions", close=True)
        self._at = end
        self._left = int(digits or b"0", 16)
        self._announced_bytes += self._left
        if self._announced_bytes > self._limits.body_bytes:  # here, so that it does not depend on how the bytes were cut
            raise too_large(self._limits)
        self._state = "data" if self._left else "trailers"
        return True

    def _trailer(self) -> bool:
        """Trailer fields have the syntax and the limits of header fields: RFC 9112, section 7.1.2."""
        if self._trailers is None:
            self._trailers = HeadScanner(self._limits, in_fields=True)
        rest = self._data[self._at :]
        end = self._trailers.scan(rest)
        if not end:
            return False
        self._at, self.whole = self._at + end, True
        return False


def too_large(limits: Limits) -> HttpError:
    """The refusal of content that is larger than allowed."""
    return HttpError(413, f"the content is larger than {limits.body_bytes} bytes", close=True)
