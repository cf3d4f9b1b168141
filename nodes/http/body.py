"""The content of a request on its way from the client to a handler.

It does not parse: the connection feeds it. It stops the client when the handler does not keep up.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

from nodes.http.message import HttpError

if TYPE_CHECKING:
    from nodes.http.connection import Connection
    from nodes.http.message import Request

BODY_WINDOW_BYTES = 256 * 1024
DISCARD_BYTES = 1024 * 1024
"""Content that a handler did not read is skipped up to here; beyond it the connection is closed."""


class RequestBody:
    """The content of one request, with backpressure: reading from the client stops while 256 KiB wait here."""

    def __init__(self, connection: Connection, expects_continue: bool) -> None:
        self._connection = connection
        self._chunks: deque[bytes] = deque()
        self._waiting_bytes = 0
        self._wake: asyncio.Future[None] | None = None
        self._skipped_bytes: int | None = None
        self.unasked = expects_continue
        """The client waits for 100 before it sends (RFC 9110, section 10.1.1), and has not been told."""
        self.complete = False
        self.broken = False
        self.refusal: HttpError | None = None
        """Why it broke, when the client is to be told."""

    @property
    def full(self) -> bool:
        """Whether the client has to wait."""
        return self._waiting_bytes > BODY_WINDOW_BYTES

    @property
    def awaited(self) -> bool:
        """Whether it is the client who keeps us waiting."""
        return not self.complete and not self.broken and not self.full

    @property
    def unwanted(self) -> bool:
        """Whether more came than is skipped after the answer."""
        return self._skipped_bytes is not None and self._skipped_bytes > DISCARD_BYTES

    def feed(self, data: bytes) -> None:
        """More content."""
        self.unasked = False
        if self._skipped_bytes is not None:
            self._skipped_bytes += len(data)
            return
        self._chunks.append(data)
        self._waiting_bytes += len(data)
        self._notify()

    def end(self) -> None:
        """It is whole."""
        self.complete = True
        self._notify()

    def fail(self, refusal: HttpError | None = None) -> None:
        """No more will come: the client left, or broke the rules and gets `refusal`."""
        if not self.complete and not self.broken:  # the first reason is the one
            self.broken, self.refusal = True, refusal
            self._notify()

    def discard(self) -> None:
        """Skip what is left; called when the response is done."""
        self._skipped_bytes = self._waiting_bytes
        self._waiting_bytes = 0
        self._chunks.clear()

    def _notify(self) -> None:
        if self._wake is not None and not self._wake.done():
            self._wake.set_result(None)

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """The content as it comes. Raises ConnectionResetError when it breaks off."""
        if self.unasked and not self.complete:
            self.unasked = False
            self._connection.interim(b"HTTP/1.1 100 Continue\r\n\r\n")
        while True:
            while self._chunks:
                chunk = self._chunks.popleft()
                full = self.full
                self._waiting_bytes -= len(chunk)
                if full and not self.full:
                    self._connection.resume_reading()
                yield chunk
            if self.broken:
                raise ConnectionResetError("the client left before its request was whole")
            if self.complete:
                return
            self._wake = asyncio.get_running_loop().create_future()
            await self._wake


async def content(request: Request, most_bytes: int) -> bytes:
    """The whole content of a request. Raises HttpError 413 above `most_bytes`, ConnectionResetError when it breaks off."""
    parts, size_bytes = [], request.content_length or 0
    if size_bytes <= most_bytes and request.body is not None:
        size_bytes = 0
        async for part in request.body:
            size_bytes += len(part)
            if size_bytes > most_bytes:
                break
            parts.append(part)
    if size_bytes > most_bytes:
        raise HttpError(413, f"the content is above {most_bytes} bytes", close=True)
    return b"".join(parts)
