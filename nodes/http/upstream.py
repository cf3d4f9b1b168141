"""One connection to an origin: a request out, a response in.

It does not choose connections or ask again; `pool.py` and `upstream_error.may_repeat` do. It stops reading while what
it has read is not taken. What the bytes mean is decided in `response_reader.py`.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import AsyncIterable, Awaitable, Callable
from typing import Protocol

from nodes.http.field_block import Malformed
from nodes.http.message import Fields
from nodes.http.pieces import Pieces
from nodes.http.response import Response
from nodes.http.response_reader import ResponseReader
from nodes.http.timeouts import Timeouts
from nodes.http.upstream_error import Phase, UpstreamError

__all__ = ["OnInterim", "Response", "Upstream", "UpstreamError"]

WINDOW_BYTES = 512 * 1024
RECEIVED_BYTES = 256 * 1024

OnInterim = Callable[[int, Fields], Awaitable[None]]


class Borrower(Protocol):
    """Who reads and writes a connection's socket itself, without asyncio, until it is taken back."""

    def leave(self) -> None:
        """Touch the socket no more."""
        ...


class Upstream(asyncio.Protocol):
    """A persistent connection; use `send`, then `head`, then `read` until it gives b"", then give it back to the pool."""

    transport: asyncio.Transport

    def __init__(self, timeouts: Timeouts, sock: socket.socket | None = None) -> None:
        self.timeouts = timeouts
        self._plain = sock
        """The socket below, where no TLS is between: what it still holds after a failed write can be read."""
        self._loop = asyncio.get_running_loop()
        self._wake: asyncio.Future[None] | None = None
        self._writable: asyncio.Future[None] | None = None
        self._pieces = Pieces()
        self._paused = False
        self._ended = False
        self._error: Exception | None = None
        self._reader = ResponseReader("GET")
        self._sender: asyncio.Task[None] | None = None
        self._borrower: Borrower | None = None
        self._allowed_s = self._deadline_s = float("inf")
        self.lost = False
        self.busy = False
        self.used = 0
        self.idle_since = 0.0

    # -- asyncio's side ------------------------------------------------------------------------------------------
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        if not self.busy:
            self.transport.abort()  # bytes that nobody asked for: the connection cannot be trusted
            return
        began = self._reader.started
        try:
            pieces = self._reader.feed(data)
        except Malformed as error:
            self._fail(UpstreamError(f"the origin's response is malformed: {error}", self.phase, malformed=True))
            return
        if not began:
            self._allow(self.timeouts.between_s)
        self._pieces.put(pieces)
        if self._pieces.size_bytes > WINDOW_BYTES and not self._paused:
            self._paused = True
            self.transport.pause_reading()
        self._notify()

    def eof_received(self) -> None:
        """FIN, and under TLS close_notify too: nothing is missing that the origin wanted to send (RFC 9112, 9.8)."""
        self._ended, orderly = True, True
        secured = self.transport.get_extra_info("ssl_object")
        if secured is not None:
            try:
                orderly = not secured.read(1)
            except ssl.SSLZeroReturnError:
                pass
            except ssl.SSLError:
                orderly = False  # a bare FIN, which anyone on the way can forge
        self._over("closed", orderly=orderly)

    def connection_lost(self, exc: Exception | None) -> None:
        if exc is not None:
            self._last_words()
        self.lost = True
        self._over("closed" if exc is None else "reset", orderly=False)
        self._let_write()

    def pause_writing(self) -> None:
        self._writable = self._loop.create_future()

    def resume_writing(self) -> None:
        self._let_write()

    # -- the user's side -----------------------------------------------------------------------------------------
    def send(self, method: str, head: bytes, body: AsyncIterable[bytes] | None = None, *, chunked: bool = False) -> None:
        """Send a request. Its content goes out beside the waiting for the response, which may come first."""
        self._reader = ResponseReader(method)
        self.busy, self.used = True, self.used + 1
        self.transport.write(head)
        if body is not None:
            self._sender = self._loop.create_task(self._send(body, chunked))
            self._sender.add_done_callback(self._sent)
        self._await_head()

    async def head(self, on_interim: OnInterim | None = None) -> Response:
        """The final response's head; interim ones (1xx) go to `on_interim` in order, or are dropped.

        Raises UpstreamError, and what the request's content raised.
        """
        while True:
            while self._reader.interim:
                status, fields = self._reader.interim.popleft()
                self._await_head()
                if on_interim is not None:
                    await on_interim(status, fields)
            if self._reader.response is not None:
                return self._reader.response
            await self._changed(self._deadline_s, self._allowed_s, "the head of its response")

    async def read(self) -> bytes:
        """What has arrived of the content, or b"" when it was all. Raises UpstreamError when it can not become whole."""
        between_s = self.timeouts.between_s
        deadline_s = self._loop.time() + between_s
        while not self._pieces:
            if self._reader.complete:
                return b""
            await self._changed(deadline_s, between_s, "more of its response")
        data = self._pieces.take()
        if self._paused and self._pieces.size_bytes <= WINDOW_BYTES // 2:
            self._paused = False
            if not self.lost:
                self.transport.resume_reading()
        return data

    @property
    def reusable(self) -> bool:
        """Whether the next request may go out on this connection."""
        ready = self._reader.keep and not self._pieces and self._sender is None
        return ready and self._error is None and not self.lost and not self._ended and not self.transport.is_closing()

    @property
    def session(self) -> ssl.SSLSession | None:
        """The TLS session that a later connection may resume, if there is one."""
        secured = self.transport.get_extra_info("ssl_object")
        return None if secured is None else secured.session

    @property
    def resumed(self) -> bool:
        """Whether its TLS session is an earlier connection's."""
        secured = self.transport.get_extra_info("ssl_object")
        return bool(secured is not None and secured.session_reused)

    @property
    def phase(self) -> Phase:
        """How far it is."""
        if self._reader.response is not None:
            return "content"
        if self._reader.started:
            return "head"
        return "first-byte" if self._sender is None else "request"

    def quiet(self) -> bool:
        """Whether an idle connection is still as it was left: no byte and no end has come unasked."""
        if self.lost or self.transport.is_closing():
            return False
        if self._plain is None:
            return True
        try:
            self._plain.recv(1, socket.MSG_PEEK)
        except BlockingIOError:
            return True
        except OSError:
            return False
        return False

    # -- for one who drives the socket himself --------------------------------------------------------------------
    @property
    def borrower(self) -> Borrower | None:
        """Who has it."""
        return self._borrower

    def lend(self, borrower: Borrower) -> socket.socket | None:
        """Leave the socket of an idle connection to somebody until `take_back`; None under TLS, or when it is not quiet."""
        if self._plain is None or self.transport.is_closing() or self.transport.get_write_buffer_size():
            return None
        self.transport.pause_reading()
        self._borrower = borrower
        return self._plain

    def take_back(self) -> None:
        """Listen to it here again; what has come unasked, and its end, is then found."""
        borrower, self._borrower = self._borrower, None
        if borrower is not None:
            borrower.leave()
            self.transport.resume_reading()

    def take_over(self, method: str, unsent: bytes, came: bytes, began_s: float, *, reset: bool) -> None:
        """Go on with what a borrower began: so much of the request's head is `unsent`, this of the response `came`, and
        perhaps the origin has `reset` the connection. Then `head` follows, as after `send`."""
        self._reader, self.busy = ResponseReader(method), True
        self._await_head()
        self._deadline_s += began_s - self._loop.time()
        if unsent:
            self.transport.write(unsent)
        if came:
            self.data_received(came)
        if reset:
            self._over("reset", orderly=False)
        self.take_back()

    def release(self) -> None:
        """The response was taken: ready for the next request. Only for `reusable` connections."""
        self.busy, self.idle_since = False, self._loop.time()

    def give_up(self, error: UpstreamError) -> None:
        """Who waits for the head of the response gets this error instead."""
        if self._reader.response is None and self._error is None:
            self._fail(error)

    def close(self) -> None:
        """Give it up, and what is still being sent. After a whole exchange TLS ends with close_notify, without which
        OpenSSL's servers forget a session of TLS 1.2."""
        unfinished = self.busy and not self._reader.complete
        if self._borrower is not None:
            borrower, self._borrower = self._borrower, None
            borrower.leave()
        if self._sender is not None:
            self._sender.cancel()
            unfinished = True
        self.transport.abort() if unfinished else self.transport.close()

    # -- within --------------------------------------------------------------------------------------------------
    async def _send(self, body: AsyncIterable[bytes], chunked: bool) -> None:
        async for data in body:
            if data:
                await self._write(b"%x\r\n%b\r\n" % (len(data), data) if chunked else data)
        if chunked:
            await self._write(b"0\r\n\r\n")

    async def _write(self, data: bytes) -> None:
        """Returns when the origin has taken enough."""
        if self.lost:
            raise self._error or UpstreamError("the origin closed the connection while the request was sent", "request")
        self.transport.write(data)
        if self._writable is not None:
            try:
                await asyncio.wait_for(asyncio.shield(self._writable), self.timeouts.between_s)
            except TimeoutError:
                text = f"the origin took nothing of the request's content for {self.timeouts.between_s:g} s"
                raise UpstreamError(text, "request", timeout=True) from None

    def _sent(self, task: asyncio.Task[None]) -> None:
        """The request is out, or will never be whole. An origin that has answered is listened to all the same."""
        if task.cancelled() or self._sender is not task:
            return
        error = task.exception()
        if error is None:
            self._sender = None
            if not self._reader.started:
                self._await_head()
            self._notify()
        elif self._error is None and not (isinstance(error, UpstreamError) and self._reader.started):
            assert isinstance(error, Exception)
            self._fail(error)

    def _await_head(self) -> None:
        """The origin's time for a head begins, unless it still waits for the request."""
        self._allow(self.timeouts.first_byte_s if self._sender is None else float("inf"))

    def _allow(self, time_s: float) -> None:
        self._allowed_s, self._deadline_s = time_s, self._loop.time() + time_s

    async def _changed(self, deadline_s: float, allowed_s: float, what: str) -> None:
        """Until something happens. Raises UpstreamError when nothing can, or nothing did."""
        if self._error is not None:
            raise self._error
        if self.lost:
            raise UpstreamError("the origin closed the connection", self.phase)
        if self._loop.time() >= deadline_s:
            raise UpstreamError(f"the origin did not send {what} within {allowed_s:g} s", self.phase, timeout=True)
        self._wake = self._loop.create_future()
        handle = None if deadline_s == float("inf") else self._loop.call_at(deadline_s, self._notify)
        try:
            await self._wake
        finally:
            self._wake = None
            if handle is not None:
                handle.cancel()

    def _over(self, how: str, *, orderly: bool) -> None:
        """Nothing more will come."""
        if self.busy and not self._reader.complete and self._error is None:
            self._reader.end(orderly=orderly)
            if not self._reader.complete:
                what = "before the response was whole" if self._reader.started else "before it answered"
                self._error = UpstreamError(f"the origin {how} the connection {what}", self.phase)
        self._notify()

    def _last_words(self) -> None:
        """After a failed write the socket may still hold the origin's answer, such as a 413 (RFC 9112, section 9.5)."""
        while self._plain is not None and self.busy and not self._reader.complete and self._error is None:
            try:
                data = self._plain.recv(RECEIVED_BYTES)
            except OSError:
                return
            if not data:
                return  # the kernel tells an error once and an end afterwards: this end proves nothing
            self.data_received(data)

    def _fail(self, error: Exception) -> None:
        self._error = error
        self.transport.abort()
        self._notify()

    def _let_write(self) -> None:
        if self._writable is not None and not self._writable.done():
            self._writable.set_result(None)
        self._writable = None

    def _notify(self) -> None:
        if self._wake is not None and not self._wake.done():
            self._wake.set_result(None)
