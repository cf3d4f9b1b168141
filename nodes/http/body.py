"""The content of a request on its way from the client to a handler.

It does not parse: the connection feeds it. It stops the client when the handler does not keep up.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nodes.http.connection import ServerConnection

BODY_WINDOW_BYTES = 256 * 1024
DISCARD_BYTES = 1024 * 1024
"""Content that a handler did not read is skipped up to here; beyond it the connection is closed."""


class RequestBody:
    """The content of one request, with backpressure: reading from the client stops while 256 KiB wait here."""

    def __init__(self, connection: ServerConnection, expects_continue: bool) -> None:
        self._connection = connection
        self._chunks: deque[bytes] = deque()
        self._waiting_bytes = 0
        self._expects_continue = expects_continue
        self._wake: asyncio.Future[None] | None = None
        self._skipped: int | None = None
        self.complete = False
        self.broken = False

    def feed(self, data: bytes) -> None:
        """More content from the parser."""
        if self._skipped is not None:
            self._skipped += len(data)
            if self._skipped > DISCARD_BYTES:
                self._connection.transport.close()
            return
        self._chunks.append(data)
        self._waiting_bytes += len(data)
        if self._waiting_bytes > BODY_WINDOW_BYTES:
            self._connection.hold("body")
        self._notify()

    def end(self, *, broken: bool = False) -> None:
        """No more will come; `broken` when the client left before it was whole."""
        self.complete, self.broken = not broken, broken
        self._notify()

    def discard(self) -> None:
        """Skip what is left; called when the response is done."""
        self._chunks.clear()
        self._skipped = 0
        self._connection.release("body")

    def _notify(self) -> None:
        if self._wake is not None and not self._wake.done():
            self._wake.set_result(None)

    async def __aiter__(self) -> AsyncIterator[bytes]:
        if self._expects_continue and not self._chunks and not self.complete:
            self._connection.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        while True:
            while self._chunks:
                chunk = self._chunks.popleft()
                self._waiting_bytes -= len(chunk)
                if self._waiting_bytes <= BODY_WINDOW_BYTES:
                    self._connection.release("body")
                yield chunk
            if self.broken:
                raise ConnectionResetError("the client left before its request was whole")
            if self.complete:
                return
            self._wake = asyncio.get_running_loop().create_future()
            await self._wake
