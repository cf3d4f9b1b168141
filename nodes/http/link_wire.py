"""The home's end of a link from another worker of the same daemon: one client's request at a time comes over it.

It carries what `wire.py` carries, in frames. To the home: a preamble (its length in 4 bytes, then JSON: who the client
is) and the request as the client sent it. Back: the response's very bytes in pieces, each behind its length in 4 bytes;
length 0 ends the response, with one byte more that says whether the client's connection may be kept.
"""

from __future__ import annotations

import json

from nodes.http.prepared import OpenFile
from nodes.http.wire import Wire

LENGTH_BYTES = 4
KEEP, CLOSE = b"\0\0\0\0\1", b"\0\0\0\0\0"


class LinkWire(Wire):
    """See Wire."""

    plain = False
    inner = True
    _before: bytes | None = b""
    """What has come of a preamble; None between a preamble and the end of its response."""

    def receive(self) -> bytes:
        """See Wire."""
        data = super().receive()
        if self._before is None or not data:
            return data
        self._before += data
        size = int.from_bytes(self._before[:LENGTH_BYTES], "big")
        end = LENGTH_BYTES + size
        if len(self._before) < LENGTH_BYTES or len(self._before) < end:
            raise BlockingIOError
        said = json.loads(self._before[LENGTH_BYTES:end])
        self.peer, self.scheme = said["client"], said["scheme"]
        data, self._before = self._before[end:], None
        if not data:
            raise BlockingIOError
        return data

    def put(self, data: bytes | memoryview) -> None:
        """See Wire."""
        if len(data):
            super().put(len(data).to_bytes(LENGTH_BYTES, "big"))
            super().put(data)

    def put_file(self, file: OpenFile | int, offset: int, count: int) -> None:
        """See Wire."""
        most = (1 << 32) - 1
        while count > 0:
            piece = min(count, most)
            super().put(piece.to_bytes(LENGTH_BYTES, "big"))
            super().put_file(file, offset, piece)
            offset, count = offset + piece, count - piece

    def answered(self, *, keep: bool) -> None:
        """See Wire."""
        super().put(KEEP if keep else CLOSE)
        self._before = b""


def preamble(client: str, scheme: str) -> bytes:
    """What stands before a request on a link."""
    said = json.dumps({"client": client, "scheme": scheme}, separators=(",", ":")).encode()
    return len(said).to_bytes(LENGTH_BYTES, "big") + said
