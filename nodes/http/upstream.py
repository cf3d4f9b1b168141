"""One connection to an origin: a request out, a response in.

It does not choose connections or retry; `pool.py` does. It stops reading while what it has read is not taken.
"""

from __future__ import annotations

import asyncio
from collections import deque

import httptools

from nodes.http.message import Fields, bodyless

WINDOW_BYTES = 512 * 1024
LARGEST_HEAD_BYTES = 128 * 1024


class UpstreamError(Exception):
    """The origin did not give a whole response. `fresh` says that no byte of one had come."""

    def __init__(self, text: str, *, fresh: bool = False, timeout: bool = False) -> None:
        super().__init__(text)
        self.fresh = fresh
        self.timeout = timeout


class Response:
    """A response's head; `length_bytes` is None when only the end of the transfer tells."""

    def __init__(self, status: int, fields: Fields, length_bytes: int | None, framed: bool) -> None:
        self.status, self.fields, self.length_bytes, self.framed = status, fields, length_bytes, framed


class Upstream(asyncio.Protocol):
    """A persistent connection; use `send`, then `head`, then `read` until it gives b""."""

    transport: asyncio.Transport

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._wake: asyncio.Future[None] | None = None
        self._writable: asyncio.Future[None] | None = None
        self._chunks: deque[bytes] = deque()
        self._waiting_bytes = 0
        self._paused = False
        self._error: str | None = None
        self.lost = False
        self.busy = False
        self.used = 0
        self.idle_since = 0.0
        self._begin("GET")

    def _begin(self, method: str) -> None:
        self._method = method
        self._parser = httptools.HttpResponseParser(self)
        self._fields, self._head_size = Fields(), 0
        self._response: Response | None = None
        self._complete = False
        self._keep = False
        self._any = False

    # -- asyncio's side ------------------------------------------------------------------------------------------
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        if not self.busy:
            self.transport.abort()  # bytes that nobody asked for: the connection cannot be trusted
            return
        self._any = True
        if self._response is None:
            self._head_size += len(data)
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            if not self._complete:
                self._fail(f"the origin's response is malformed: {error}")
            self._keep = False
        if self._response is None and self._head_size > LARGEST_HEAD_BYTES:
            self._fail("the origin's response has too large a head")
        if self._waiting_bytes > WINDOW_BYTES and not self._paused:
            self._paused = True
            self.transport.pause_reading()
        self._notify()

    def connection_lost(self, exc: Exception | None) -> None:
        self.lost = True
        if self.busy and not self._complete:
            if self._response is not None and not self._response.framed and exc is None:
                self._complete = True  # the end of the connection is the end of the content
            elif self._error is None:
                self._error = "the origin closed the connection before the response was whole"
        if self._writable is not None and not self._writable.done():
            self._writable.set_result(None)
        self._notify()

    def pause_writing(self) -> None:
        self._writable = self._loop.create_future()

    def resume_writing(self) -> None:
        if self._writable is not None and not self._writable.done():
            self._writable.set_result(None)
        self._writable = None

    # -- httptools' side -----------------------------------------------------------------------------------------
    def on_message_begin(self) -> None:
        if self._complete:
            self._keep = False  # a second response to one request
        else:
            self._fields = Fields()

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._response is None:
            self._fields.items.append((name.decode("latin-1"), value.decode("latin-1")))

    def on_headers_complete(self) -> None:
        status = self._parser.get_status_code()
        if self._response is not None or 100 <= status < 200:
            return  # an interim response (RFC 9110, section 15.2) is not passed on
        length = self._fields.get("content-length")
        chunked = "chunked" in self._fields.tokens("transfer-encoding")
        size = int(length) if length is not None and not chunked else None
        none = bodyless(self._method, status)
        self._response = Response(status, self._fields, size, chunked or size is not None or none)
        self._keep = self._parser.should_keep_alive() and self._response.framed
        if none:
            self._complete = True

    def on_body(self, data: bytes) -> None:
        if self._complete:
            self._keep = False  # content where none may be
            return
        self._chunks.append(data)
        self._waiting_bytes += len(data)

    def on_message_complete(self) -> None:
        if self._response is not None:
            self._complete = True

    # -- the user's side -----------------------------------------------------------------------------------------
    def start(self, method: str, head: bytes) -> None:
        """Send a request's head; its content follows by `send_body`."""
        self._begin(method)
        self.busy, self.used = True, self.used + 1
        self.transport.write(head)

    async def send_body(self, data: bytes) -> None:
        """Send content of the request; returns when the origin has taken enough. Raises UpstreamError."""
        if self.lost:
            raise UpstreamError("the origin closed the connection while the request was sent")
        self.transport.write(data)
        if self._writable is not None:
            await asyncio.shield(self._writable)

    async def head(self, timeout_s: float) -> Response:
        """The response's head. Raises UpstreamError."""
        await self._until(lambda: self._response is not None, timeout_s, "the first byte of its response")
        assert self._response is not None
        return self._response

    async def read(self, timeout_s: float) -> bytes:
        """What has arrived of the content, or b"" when it was all. Raises UpstreamError."""
        await self._until(lambda: bool(self._chunks) or self._complete, timeout_s, "more of its response")
        if not self._chunks:
            return b""
        data = b"".join(self._chunks) if len(self._chunks) > 1 else self._chunks[0]
        self._chunks.clear()
        self._waiting_bytes = 0
        if self._paused:
            self._paused = False
            if not self.lost:
                self.transport.resume_reading()
        return data

    @property
    def reusable(self) -> bool:
        """Whether the next request may go out on this connection."""
        return self._complete and self._keep and not self.lost and not self._chunks and not self.transport.is_closing()

    def close(self) -> None:
        """Give it up."""
        self.transport.abort() if self.busy else self.transport.close()

    async def _until(self, ready: object, timeout_s: float, what: str) -> None:
        assert callable(ready)
        deadline = self._loop.time() + timeout_s
        while not ready():
            if self._error is not None or self.lost:
                text = self._error or "the origin closed the connection"
                raise UpstreamError(text, fresh=not self._any)
            self._wake = self._loop.create_future()
            handle = self._loop.call_at(deadline, self._notify)
            try:
                await self._wake
            finally:
                handle.cancel()
                self._wake = None
            if self._loop.time() >= deadline and not ready():
                raise UpstreamError(f"the origin did not send {what} within {timeout_s:g} s", timeout=True)

    def _fail(self, text: str) -> None:
        self._error = text
        self._keep = False
        self.transport.abort()

    def _notify(self) -> None:
        if self._wake is not None and not self._wake.done():
            self._wake.set_result(None)
