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
from nodes.http.prepared import OpenFile, Prepared, key_of
from nodes.http.reply import Reply
from nodes.http.wire import READ, WRITE, Wire

if TYPE_CHECKING:
    from nodes.http.server import Server

PIPELINED_BYTES = 64 * 1024
"""So much is read ahead behind a request that is being answered."""

LINGER_S = 2.0
LINGER_BYTES = 16 * 1024 * 1024


class Connection:
    """See the module. Public attributes are for `Reply`, `Rounds` and `Server` only."""

    __slots__ = ("_answer", "_began_s", "_body", "_closing", "_ended", "_first_s", "_head_since_s", "_inbound", "_linger_s",
                 "_lingered_bytes", "_task", "_writable", "log", "loop", "lost", "moved_s", "peer", "quick", "receive",
                 "send", "server", "wire")  # fmt: skip

    def __init__(self, server: Server, wire: Wire, peer: str) -> None:
        self.server, self.wire, self.peer, self.loop = server, wire, peer, server.loop
        self.log = f'"client":"{peer}",'
        self.receive, self.send = wire.sock.recv, wire.sock.send
        self.quick = wire.plain
        """Whether the next bytes may be looked up as they are: nothing is unfinished in either direction."""
        self.lost = False
        self.moved_s = self.loop.time()
        """When a byte last moved, by the loop's clock."""
        self._inbound = Inbound(server.limits)
        self._head_since_s: float | None = None
        self._body: RequestBody | None = None
        self._task: asyncio.Task[None] | None = None
        self._writable: asyncio.Future[None] | None = None
        self._answer: Prepared | None = None
        self._closing = self._ended = False
        self._linger_s: float | None = None
        self._lingered_bytes = 0

    # -- for Reply ------------------------------------------------------------------------------------------------
    @property
    def draining(self) -> bool:
        """Whether this is to be the last response."""
        return self.server.draining

    @property
    def content_left(self) -> int:
        """How much content of the request has been announced and has not come."""
        return self._inbound.announced_bytes

    @property
    def unsent_bytes(self) -> int:
        """What a client that left was not sent."""
        return self.wire.unsent_bytes if self.lost else 0

    def put(self, data: bytes, *, then_more: bool = False) -> None:
        """Send bytes; with `then_more` not before what follows is there too. Raises ConnectionResetError."""
        self._must_be_open()
        self.wire.put(data)
        if not then_more:
            self._pump()

    def put_file(self, file: OpenFile | int, start: int, count: int) -> None:
        """Send a part of a file. Raises ConnectionResetError, EOFError."""
        self._must_be_open()
        self.wire.put_file(file, start, count)
        self._pump()

    def interim(self, head: bytes) -> None:
        """Send an interim response. Raises ConnectionResetError."""
        self.put(head)

    async def drained(self) -> None:
        """Wait until everything is with the kernel. Raises ConnectionResetError, or EOFError for a file too short."""
        if not self.wire.waiting and not self.lost:
            return
        self._must_be_open()
        self._writable = self.loop.create_future()
        try:
            await self._writable
        finally:
            self._writable = None

    def abort(self, *, reset: bool) -> None:
        """Cut the connection; with a reset where its mere end could be taken for the end of the content."""
        self._lose(ConnectionResetError("the response was cut"), reset=reset)

    def resume_reading(self) -> None:
        """The handler has taken content that waited."""
        if not self.lost:
            self._go_on()

    # -- for try_now ----------------------------------------------------------------------------------------------
    def give(self, answer: Prepared, request: Request | None = None) -> None:
        """Send a prepared answer and keep its record; the next request follows when it is gone. Never raises."""
        self._began_s = request.received_at if request is not None else self.loop.time()
        self._first_s = 0.0
        self._answer = answer
        self._closing = not answer.persistent
        self.wire.put(answer.block)
        if answer.file is not None:
            self.wire.put_file(answer.file, answer.start, answer.body_bytes)
        try:
            self._pump()
        except (ConnectionResetError, EOFError):
            return  # recorded when it was lost

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

    def arrived(self, data: bytes, now_s: float) -> None:
        """What a round has read, and has no answer to; b"" at the end of the stream."""
        self.moved_s = now_s
        if data:
            self._inbound.feed(data)
            self._go_on()
        else:
            self._end_of_stream()

    def leftover(self, answer: Prepared, sent: int, began_s: float) -> None:
        """What the kernel did not take of a prepared answer in a round."""
        self._answer, self._began_s, self._first_s = answer, began_s, began_s if sent else 0.0
        self.quick = False
        self.wire.put(memoryview(answer.block)[sent:])
        self.wire.watch()

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
        elif self._task is not None:
            return
        elif self._head_since_s is not None:
            if now_s - self._head_since_s > limits.header_timeout_s:
                self._refuse(HttpError(408, "the request did not come in time", close=True), None)
        elif not self.wire.inner and quiet_s > (limits.idle_timeout_s if self.wire.ready else limits.header_timeout_s):
            self._lose(None)

    # -- inside ---------------------------------------------------------------------------------------------------
    @property
    def _idle(self) -> bool:
        return self._task is None and not self.wire.waiting and not self._closing and not self._inbound.waiting_bytes

    def _must_be_open(self) -> None:
        if self.lost:
            raise ConnectionResetError("the client left")

    def _pump(self) -> None:
        """Send what can be sent; tell whoever waits for the end of it. Raises ConnectionResetError, EOFError."""
        try:
            moved = self.wire.pump()
        except OSError as error:
            self._lose(error)
            raise ConnectionResetError("the client left") from error
        except EOFError as error:
            self._lose(error)
            raise
        if moved:
            self.moved_s = self.loop.time()
            if self._answer is not None and not self._first_s:
                self._first_s = self.moved_s
        if self.wire.waiting:
            return
        if self._answer is not None:
            answer, self._answer = self._answer, None
            if self.wire.inner:
                self.wire.answered(keep=answer.persistent)
                self.wire.pump()
            self.server.records.prepared(self, answer, self._began_s, self._first_s)
        if self._writable is not None and not self._writable.done():
            self._writable.set_result(None)

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
            self._body.fail()
        self._go_on()

    def _go_on(self) -> None:
        """Take from what has come as far as it may be taken now."""
        while not self.lost and self._linger_s is None:
            busy = self._task is not None or self.wire.waiting
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
        self._task = self.loop.create_task(self._handle(request))
        self._task.add_done_callback(self._handled)

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

    def _answered(self, *, keep: bool) -> None:
        """Tell the wire that a response is whole; only another worker wants to know."""
        if self.wire.inner and not self.lost:
            self.wire.answered(keep=keep)
            self._pump()

    def _know_peer(self) -> None:
        if self.wire.peer is not None and self.wire.peer != self.peer:
            self.peer, self.log = self.wire.peer, f'"client":"{self.wire.peer}",'

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
        """The connection is over; with an error, in the middle of something."""
        if self.lost:
            return
        self.lost = True
        self.quick = False
        unsent_bytes = self.wire.unsent_bytes
        self.wire.close(abort=reset)
        self.server.closed(self)
        if self._answer is not None:
            answer, self._answer = self._answer, None
            self.server.records.cut(self, answer, self._began_s, self._first_s, unsent_bytes)
        if self._body is not None:
            self._body.fail()
        if self._writable is not None and not self._writable.done():
            self._writable.set_exception(error if isinstance(error, EOFError) else ConnectionResetError("the client left"))
        if self._task is not None and self._task is not asyncio.current_task(self.loop):
            self._task.cancel()
