"""One accepted connection: bytes to requests, one response after another, in order.

It is not the daemon: what a request means is decided by the application. It parses by `inbound.py` and `requests.py`,
sends by `wire.py`, and is driven by `rounds.py`; a request behind another waits as bytes.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from nodes.http.body import RequestBody
from nodes.http.inbound import Inbound
from nodes.http.message import HttpError, Request
from nodes.http.outlet import Outlet
from nodes.http.prepared import key_of
from nodes.http.reply import Reply
from nodes.http.wire import READ, WRITE, Wire

if TYPE_CHECKING:
    from nodes.http.server import Server

PIPELINED_BYTES = 64 * 1024
"""So much is read ahead behind a request that is being answered."""

LINGER_S = 2.0
LINGER_BYTES = 16 * 1024 * 1024


class Connection(Outlet):
    """See the module. Public attributes are for `Reply`, `Rounds`, `Server` and a holder only."""
    __slots__ = ("_body", "_ended", "_head_since_s", "_inbound", "_linger_s", "_lingered_bytes", "_task")

    def __init__(self, server: Server, wire: Wire, peer: str) -> None:
        super().__init__(server, wire, peer)
        self._inbound = Inbound(server.limits)
        self._head_since_s: float | None = None
        self._body: RequestBody | None = None
        self._task: asyncio.Task[None] | None = None
        self._ended = False
        self._linger_s: float | None = None
        self._lingered_bytes = 0

    # -- for Reply and a holder -----------------------------------------------------------------------------------
    @property
    def content_left(self) -> int:
        """How much content of the request has been announced and has not come."""
        return self._inbound.announced_bytes

    def abort(self, *, reset: bool) -> None:
        """Cut the connection; with a reset where its mere end could be taken for the end of the content."""
        self._lose(ConnectionResetError("the response was cut"), reset=reset)

    def resume_reading(self) -> None:
        """The handler has taken content that waited."""
        if not self.lost:
            self._go_on()

    def let_go(self, *, keep: bool) -> None:
        """The holder's answer is whole."""
        self.holder = None
        self._closing = self._closing or not keep
        self._go_on()

    def hand_over(self, request: Request) -> None:
        """A task answers after all; the holder stays until `handle` has taken over from it."""
        self._task = self.loop.create_task(self._handle(request))
        self._task.add_done_callback(self._handled)

    # -- for Rounds -----------------------------------------------------------------------------------------------
    def event(self, mask: int) -> None:
        """The kernel has something to tell."""
        if self.lost:
            return
        try:
            if not self.wire.open():
                return
            if mask & WRITE:
                self._pump()
                self._go_on()
            if mask & ~WRITE and not self.lost:  # an error or a hang-up is told by reading
                self._read(hung_up=not mask & READ)
        except (OSError, EOFError) as error:
            self._lose(error)
        except Exception:
            self.broken()
            raise

    def arrived(self, data: bytes, now_s: float) -> None:
        """What a round has read, and has no answer to; b"" at the end of the stream."""
        self.moved_s = now_s
        try:
            if data:
                self._inbound.feed(data)
                self._go_on()
            else:
                self._end_of_stream()
        except Exception:
            self.broken()
            raise

    # -- for Server -----------------------------------------------------------------------------------------------
    def drain(self) -> None:
        """Close if no request is there; otherwise after it. Another worker closes its own end."""
        self.quick = False
        if self._idle and not self.wire.inner:
            self._lose(None)

    def sweep(self, now_s: float) -> None:
        """Close what took too long (see Limits)."""
        limits, quiet_s = self.server.limits, now_s - self.moved_s
        if self._linger_s is not None:
            if now_s > self._linger_s:
                self._lose(None)
        elif self.wire.waiting:
            if quiet_s > limits.write_timeout_s:
                self._lose(ConnectionResetError("the client took nothing for too long"), reset=True)
        elif self._body is not None and self._body.awaited:
            if quiet_s > limits.body_timeout_s:
                self._break(HttpError(408, "the content of the request did not come in time", close=True))
        elif self._task is not None or self.holder is not None:
            return
        elif self._head_since_s is not None:
            if now_s - self._head_since_s > limits.header_timeout_s:
                self._refuse(HttpError(408, "the request did not come in time", close=True), None)
        elif not self.wire.inner and quiet_s > (limits.idle_timeout_s if self.wire.ready else limits.header_timeout_s):
            self._lose(None)

    # -- inside ---------------------------------------------------------------------------------------------------
    @property
    def _idle(self) -> bool:
        busy = self._task is not None or self.holder is not None or self.wire.waiting
        return not busy and not self._closing and not self._inbound.waiting_bytes

    def _read(self, *, hung_up: bool) -> None:
        try:
            data = self.wire.receive()
        except BlockingIOError:
            return
        self.moved_s = self.loop.time()
        if self._linger_s is not None:
            self._lingered_bytes += len(data)
            if not data or self._lingered_bytes > LINGER_BYTES:
                self._lose(None)
        elif data:
            self._inbound.feed(data)
            self._go_on()
        elif hung_up:
            self._lose(ConnectionResetError("the client left"))
        else:
            self._end_of_stream()

    def _end_of_stream(self) -> None:
        """A half-closed client still gets its answers (RFC 9112, section 9.6)."""
        self._ended = True
        self.quick = False
        if self._body is not None:
            self._body.fail(HttpError(400, "the content of the request ended before it was whole", close=True))
        self._go_on()

    def _go_on(self) -> None:
        """Take from what has come as far as it may be taken now."""
        while not self.lost and self._linger_s is None:
            busy = self._task is not None or self.holder is not None or self.wire.waiting
            if self._closing and not busy:
                self._close_politely()
                break
            if self._inbound.in_content and not self._take_content():
                break
            if busy or self._inbound.in_content:
                break
            try:
                head = self._inbound.head()
            except HttpError as error:
                self._refuse(error, None)
                continue
            if head is None:
                self._between()
                break
            self._one(head)
        self._watch()

    def _between(self) -> None:
        """No whole head is there."""
        begun = self._inbound.in_head
        if self._ended or (self.server.draining and not begun and not self.wire.inner):
            self._lose(None)
        elif not begun:
            self.quick = self.wire.plain and not self._inbound.waiting_bytes
        elif self._head_since_s is None:
            self._head_since_s = self.moved_s
            self.quick = False

    def _one(self, head: bytes) -> None:
        """Answer the request of a whole head, or begin to."""
        self.quick, self._head_since_s = False, None
        answer = self.server.ready_answer(key_of(self.wire.scheme, head))
        if answer is not None:
            self._know_peer()
            self.give(answer)
            return
        try:
            request, framing = self.server.parser.parse(head, self.wire.scheme)
            self._inbound.frame(framing)
        except HttpError as error:
            self._refuse(error, None)
            return
        self._know_peer()
        request.client, request.received_at = self.peer, self.loop.time()
        self._body = None
        if request.has_body:
            expects = request.version == "1.1" and "100-continue" in request.fields.tokens("expect")
            self._body = request.body = RequestBody(self, expects)
        elif self.server.try_now(request, self):
            return
        self.hand_over(request)

    def _take_content(self) -> bool:
        """Hand content to the handler; False when the connection is over."""
        body = self._body
        assert body is not None
        if body.full:
            return False
        try:
            pieces = self._inbound.content()
        except HttpError as error:
            self._break(error)
            return False
        for piece in pieces:
            body.feed(piece)
        if not self._inbound.in_content:
            body.end()
        elif body.unwanted or (self._ended and self._task is None):
            self._close_politely()
            return False
        return True

    def _break(self, error: HttpError) -> None:
        """The content is not what it should be; nothing behind it can be understood."""
        self._inbound.stop()
        self._closing = True
        assert self._body is not None
        self._body.fail(error)
        if self._task is None and not self.wire.waiting:
            self._close_politely()

    def _refuse(self, error: HttpError, request: Request | None) -> None:
        """Answer a request that cannot be understood; nothing behind it is read."""
        self._inbound.stop()
        self._closing = True
        self.quick = False
        self._know_peer()
        self.server.refuse(error, Reply(self, request), self.loop.time())
        self._answered(keep=False)

    async def _handle(self, request: Request) -> None:
        reply = Reply(self, request)
        await self.server.answer(request, reply)
        body = self._body
        if body is not None and not body.complete:
            body.discard()
            self._closing = self._closing or body.broken
        self._closing = self._closing or not reply.keep_alive
        self._answered(keep=not self._closing)

    def _handled(self, task: asyncio.Task[None]) -> None:
        """A fault of this program ends the connection, and is told to whoever reads stderr."""
        self._task = None
        error = None if task.cancelled() else task.exception()
        if error is not None:
            self._lose(ConnectionResetError("internal error"))
            self.loop.call_exception_handler({"message": "a request could not be answered", "exception": error})
        self.moved_s = self.loop.time()
        if not self.lost:
            self._go_on()

    def broken(self) -> None:
        """This program has a fault; the connection ends, and the others go on."""
        self.server.metrics.count("longhaul_internal_errors_total")
        self._lose(ConnectionResetError("internal error"))

    def _close_politely(self) -> None:
        """Close; read on for a moment, so that no reset destroys the answer (RFC 9112, section 9.6)."""
        self.quick = False
        if self._ended:
            self._lose(None)
            return
        try:
            self.wire.finish_sending()
        except OSError as error:
            self._lose(error)
            return
        self._linger_s = self.loop.time() + LINGER_S
        self._inbound.stop()

    def _watch(self) -> None:
        if self.lost:
            return
        held = self._inbound.waiting_bytes > PIPELINED_BYTES or (self._body is not None and self._body.full)
        self.wire.reads = self._linger_s is not None or not (held or self._ended)
        self.wire.watch()

    def _lose(self, error: Exception | None, *, reset: bool = False) -> None:
        if self.lost:
            return
        self._finish(error, reset=reset)
        self.server.closed(self)
        if self._body is not None:
            self._body.fail()
        if self._task is not None and self._task is not asyncio.current_task(self.loop):
            self._task.cancel()
