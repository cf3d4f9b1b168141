"""One connection to an origin: a request goes out on it, and its bytes come in; it may be lent, lost, or used again.

It does not choose connections or ask again; `pool.py` and `upstream_error.may_repeat` do. Who waits for the answer, and how
long, is in `awaited.py`; what the bytes mean is decided in `response_reader.py`.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import AsyncIterable, Coroutine
from typing import Any, Protocol

from nodes.http.awaited import Awaited, OnInterim
from nodes.http.field_block import Malformed
from nodes.http.response import Response
from nodes.http.timeouts import Timeouts
from nodes.http.upstream_error import UpstreamError

RECEIVED_BYTES = 256 * 1024


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
        self._answer = Awaited(timeouts, self._hold)
        self._writable: asyncio.Future[None] | None = None
        self._ended = False
        self._sender: asyncio.Task[None] | None = None
        self._borrower: Borrower | None = None
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
        try:
            self._answer.feed(data)
        except Malformed as error:
            self._fail(UpstreamError(f"the origin's response is malformed: {error}", self._answer.phase, malformed=True))

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
        self._answer.lost = True
        self._over("closed" if exc is None else "reset", orderly=False)
        self._let_write()

    def pause_writing(self) -> None:
        self._writable = self._loop.create_future()

    def resume_writing(self) -> None:
        self._let_write()

    # -- the user's side -----------------------------------------------------------------------------------------
    def send(self, method: str, head: bytes, body: AsyncIterable[bytes] | None = None, *, chunked: bool = False) -> None:
        """Send a request. Its content goes out beside the waiting for the response, which may come first."""
        self._answer.begin(method, self._loop.time(), sending=body is not None)
        self.busy, self.used = True, self.used + 1
        self.transport.write(head)
        if body is not None:
            self._sender = self._loop.create_task(self._send(body, chunked))
            self._sender.add_done_callback(self._sent)

    def head(self, on_interim: OnInterim | None = None) -> Coroutine[Any, Any, Response]:
        """As `Awaited.head`."""
        return self._answer.head(on_interim)

    def read(self) -> Coroutine[Any, Any, bytes]:
        """As `Awaited.read`."""
        return self._answer.read()

    @property
    def lost(self) -> bool:
        """Whether it is no more."""
        return self._answer.lost

    @property
    def reusable(self) -> bool:
        """Whether the next request may go out on this connection."""
        ready = self._answer.taken and self._sender is None
        return ready and not self.lost and not self._ended and not self.transport.is_closing()

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
        self._answer.begin(method, began_s)
        self.busy = True
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
        if self._answer.waits_for_head:
            self._fail(error)

    def close(self) -> None:
        """Give it up, and what is still being sent. After a whole exchange TLS ends with close_notify, without which
        OpenSSL's servers forget a session of TLS 1.2."""
        unfinished = self.busy and not self._answer.complete
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
            raise self._answer.error or UpstreamError("the origin closed the connection while the request was sent", "request")
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
            self._answer.sent()
        elif self._answer.error is None and not (isinstance(error, UpstreamError) and self._answer.started):
            assert isinstance(error, Exception)
            self._fail(error)

    def _hold(self, full: bool) -> None:
        """The answer is taken more slowly than it comes, or no longer so."""
        if full:
            self.transport.pause_reading()
        elif not self.lost:
            self.transport.resume_reading()

    def _over(self, how: str, *, orderly: bool) -> None:
        """Nothing more will come."""
        if self.busy:
            self._answer.over(how, orderly=orderly)

    def _last_words(self) -> None:
        """After a failed write the socket may still hold the origin's answer, such as a 413 (RFC 9112, section 9.5)."""
        while self._plain is not None and self.busy and not self._answer.complete and self._answer.error is None:
            try:
                data = self._plain.recv(RECEIVED_BYTES)
            except OSError:
                return
            if not data:
                return  # the kernel tells an error once and an end afterwards: this end proves nothing
            self.data_received(data)

    def _fail(self, error: Exception) -> None:
        self._answer.fail(error)
        self.transport.abort()

    def _let_write(self) -> None:
        if self._writable is not None and not self._writable.done():
            self._writable.set_result(None)
        self._writable = None
