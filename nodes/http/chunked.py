"""The chunked transfer coding (RFC 9112, section 7.1), read strictly from pieces of any size.

It does not write chunks. Extensions are checked and dropped (section 7.1.1); trailers are kept apart.
"""

from __future__ import annotations

import re

from nodes.http.field_block import Malformed, split_fields
from nodes.http.message import Fields

LARGEST_TRAILERS_BYTES = 16 * 1024
MOST_TRAILERS = 100
LONGEST_LINE_BYTES = 4 * 1024
MOST_EXTENSION_BYTES = 16 * 1024
"""Of one response: extensions are the one part of it that costs work and gives nothing."""

_PLAIN = re.compile(rb"([0-9A-Fa-f]{1,8})\r\n")
_BEGUN = re.compile(rb"[0-9A-Fa-f]{1,16}[ \t]*(?:;[\t\x20-\x7e\x80-\xff]*)?")
_SIZE = re.compile(rb"([0-9A-Fa-f]{1,16})((?:[ \t]*;[\t\x20-\x7e\x80-\xff]*)?)")


class ChunkedReader:
    """Call `feed` until `complete`; `rest` is then what followed."""

    def __init__(self) -> None:
        self._line = b""
        self._left = 0
        self._place = "size"
        self._extension_bytes = 0
        self.trailers = Fields()
        self.rest = b""
        self.complete = False

    def feed(self, data: bytes) -> list[bytes]:
        """The content in `data`, without copies where a piece is content alone. Raises Malformed."""
        found: list[bytes] = []
        at, end = 0, len(data)
        while at < end and not self.complete:
            if self._place == "size" and not self._line:
                at = _whole_chunks(data, at, found)
                if at == end:
                    break
            if self._place == "data":
                piece = data[at : at + self._left]  # the whole of `data` is no copy
                found.append(piece)
                at += len(piece)
                self._left -= len(piece)
                if not self._left:
                    self._place = "end"
                continue
            stop = data.find(b"\n", at)
            line = data[at : stop + 1] if stop >= 0 else data[at:]
            at += len(line)
            if self._line:
                line, self._line = self._line + line, b""
            if stop >= 0:
                self._one_line(line)
            else:
                self._keep(line)
        if self.complete:
            self.rest = data[at:]
        return found

    def _keep(self, line: bytes) -> None:
        """An unfinished line waits for more, unless it can only be wrong."""
        if len(line) > (LARGEST_TRAILERS_BYTES if self._place == "trailers" else LONGEST_LINE_BYTES):
            raise Malformed("a chunk's line that is too long")
        if self._place == "end" and line != b"\r":
            raise Malformed("a chunk that does not end where its size says")
        if self._place == "size" and not _BEGUN.fullmatch(line.removesuffix(b"\r")):
            raise Malformed("a chunk size that is not a hexadecimal number")
        self._line = line

    def _one_line(self, line: bytes) -> None:
        if self._place == "trailers":
            self._trailer(line)
            return
        if not line.endswith(b"\r\n"):
            raise Malformed("a chunk whose line ends with a bare LF")
        if self._place == "end":
            if line != b"\r\n":
                raise Malformed("a chunk that does not end where its size says")
            self._place = "size"
            return
        match = _SIZE.fullmatch(line[:-2])
        if match is None or len(line) > LONGEST_LINE_BYTES:
            raise Malformed("a chunk size that is not a hexadecimal number")
        self._extension_bytes += len(match[2])
        self._left = int(match[1], 16)
        if self._left >= 2**63 or self._extension_bytes > MOST_EXTENSION_BYTES:
            raise Malformed("a chunk size or extensions out of range")
        self._place = "data" if self._left else "trailers"
        self._block = b""

    def _trailer(self, line: bytes) -> None:
        if line != b"\r\n":
            self._block += line
            if len(self._block) > LARGEST_TRAILERS_BYTES:
                raise Malformed("trailers that are too large")
            if not line.endswith(b"\r\n"):
                raise Malformed("a bare CR or LF in trailers")
            return
        self.trailers = split_fields(self._block, MOST_TRAILERS)
        self.complete = True


def _whole_chunks(data: bytes, at: int, found: list[bytes]) -> int:
    """Take chunks without extensions that are wholly in `data`: most are. Gives the place of what is not one."""
    while match := _PLAIN.match(data, at):
        start = match.end()
        stop = start + int(match[1], 16)
        if stop == start or data[stop : stop + 2] != b"\r\n":
            break
        found.append(data[start:stop])
        at = stop + 2
    return at
