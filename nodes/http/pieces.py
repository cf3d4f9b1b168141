"""Content between the connection that brings it and the reader that takes it: a queue which knows its size.

It does not wait. Large pieces pass through as they are; small ones are joined, so that thousands of tiny chunks do not
become thousands of turns of the event loop.
"""

from __future__ import annotations

from collections import deque

JOINED_BYTES = 256 * 1024
ALONE_BYTES = 64 * 1024
MANY = 8
"""More pieces than this at once are tiny chunks, whose objects would weigh more than their content."""


class Pieces:
    """First in, first out."""

    __slots__ = ("_queue", "size_bytes")

    def __init__(self) -> None:
        self._queue: deque[bytes] = deque()
        self.size_bytes = 0

    def __bool__(self) -> bool:
        return bool(self._queue)

    def put(self, pieces: list[bytes]) -> None:
        """More content, which came together."""
        if len(pieces) > MANY:
            pieces = [b"".join(pieces)]
        for piece in pieces:
            self._queue.append(piece)
            self.size_bytes += len(piece)

    def take(self) -> bytes:
        """The next large piece, or as many small ones as make at most 256 KiB. There must be one."""
        queue = self._queue
        first = queue.popleft()
        size = len(first)
        if queue and size < ALONE_BYTES:
            parts = [first]
            while queue and size + len(queue[0]) <= JOINED_BYTES:
                parts.append(queue.popleft())
                size += len(parts[-1])
            first = b"".join(parts)
        self.size_bytes -= size
        return first
