"""What a client says on one connection, split into heads and content.

Pure: bytes in; heads, content and refusals out. It reads no further than the request at hand: what is pipelined behind
it stays bytes until its turn, and a fault there is a fault of that later request.
"""

from __future__ import annotations

from nodes.http.chunks import Chunks, too_large
from nodes.http.framing import Framing, HeadScanner
from nodes.http.limits import Limits


class Inbound:
    """Call `feed` with what came, then `head` until None; after a head with content `frame`, then `content`."""

    __slots__ = ("_buffer", "_chunks", "_left", "_limits", "_scanner")

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._buffer = b""
        self._left = 0
        self._chunks: Chunks | None = None
        self._scanner: HeadScanner | None = None

    @property
    def waiting_bytes(self) -> int:
        """How much has come that nobody has taken."""
        return len(self._buffer)

    @property
    def announced_bytes(self) -> int:
        """How much content is known to come still."""
        return self._left

    @property
    def in_content(self) -> bool:
        """Whether the content of the last head has not come whole."""
        return self._left > 0 or self._chunks is not None

    @property
    def in_head(self) -> bool:
        """Whether a head has begun; an empty line alone begins none (RFC 9112, section 2.2)."""
        return bool(self._buffer) and self._buffer != b"\r\n" and not self.in_content

    def feed(self, data: bytes) -> None:
        """More from the client."""
        self._buffer = self._buffer + data if self._buffer else data

    def head(self) -> bytes | None:
        """The next head, not yet checked, or None while it is not whole. Raises HttpError for one that cannot be."""
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0:
            if self._buffer:
                if self._scanner is None:
                    self._scanner = HeadScanner(self._limits)
                self._scanner.scan(self._buffer)
            return None
        self._scanner = None
        head = self._buffer[: end + 4]
        self._buffer = self._buffer[end + 4 :]
        return head

    def frame(self, framing: Framing) -> None:
        """Say how the content behind the head ends. Raises HttpError 413."""
        self._left = framing.length or 0
        if self._left > self._limits.body_bytes:
            raise too_large(self._limits)
        if framing.chunked:
            self._chunks = Chunks(self._limits)

    def content(self) -> list[bytes]:
        """What has come of the content. Raises HttpError 400 or 413."""
        if self._chunks is not None:
            pieces = self._chunks.feed(self._buffer)
            self._buffer = b""
            if self._chunks.whole:
                self._buffer, self._chunks = self._chunks.rest, None
            return pieces
        if not self._left or not self._buffer:
            return []
        piece = self._buffer[: self._left]
        self._buffer = self._buffer[self._left :]
        self._left -= len(piece)
        return [piece]

    def stop(self) -> None:
        """Nothing of what is here, and of what comes, is of interest any more."""
        self._buffer, self._left, self._chunks = b"", 0, None
