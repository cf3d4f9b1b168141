"""The way out of one connection: bytes, files and prepared answers, in order, as fast as the client takes them.

It does not know what a request is (`connection.py` does). Whoever sends waits by `drained`.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Protocol

from nodes.http.prepared import OpenFile, Prepared
from nodes.http.wire import Wire

if TYPE_CHECKING:
    from nodes.http.message import Request
    from nodes.http.server import Server


class Holder(Protocol):
    """Who answers a request without a task, by `pass_on`."""

    def drained(self) -> None:
        """The kernel has all of what was passed on."""
        ...

    def abandoned(self) -> None:
        """The client left."""
        ...


class Outlet:
    """The sending half of a `Connection`."""

    __slots__ = ("_answer", "_began_s", "_closing", "_first_s", "_writable", "holder", "log", "loop", "lost", "moved_s", "peer",
                 "quick", "receive", "send", "server", "wire")  # fmt: skip

    def __init__(self, server: Server, wire: Wire, peer: str) -> None:
        self.server, self.wire, self.peer, self.loop = server, wire, peer, server.loop
        self.log = f'"client":"{peer}",'
        self.receive, self.send = wire.sock.recv, wire.sock.send
        self.quick = wire.plain
        """Whether the next bytes may be looked up as they are: nothing is unfinished in either direction."""
        self.lost = False
        self.moved_s = self.loop.time()
        """When a byte last moved, by the loop's clock."""
        self._writable: asyncio.Future[None] | None = None
        self._answer: Prepared | None = None
        self.holder: Holder | None = None
        self._began_s = self._first_s = 0.0
        self._closing = False

    @property
    def draining(self) -> bool:
        """Whether this is to be the last response."""
        return self.server.draining

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

    def pass_on(self, head: bytes, data: memoryview) -> None:
        """Send what the holder has; `drained` or `abandoned` tells it what became of that, perhaps before this returns. What
        the kernel does not take now is copied."""
        wire = self.wire
        if not wire.plain or wire.waiting:
            for part in (head, data):
                if part:
                    wire.put(bytes(part))
            with contextlib.suppress(ConnectionResetError):  # the holder has been told
                self._pump()
            return
        try:
            sent = wire.sock.sendmsg((head, data)) if head else self.send(data)
        except BlockingIOError:
            sent = 0
        except OSError as error:
            self._lose(error)
            return
        self.moved_s = self.loop.time()
        if sent == len(head) + len(data):
            if self.holder is not None:
                self.holder.drained()
            return
        if sent < len(head):
            wire.put(head[sent:])
        if data:
            wire.put(bytes(data[max(0, sent - len(head)) :]))
        wire.watch()

    def leftover(self, answer: Prepared, sent: int, began_s: float) -> None:
        """What the kernel did not take of a prepared answer in a round."""
        self._answer, self._began_s, self._first_s = answer, began_s, self.loop.time() if sent else 0.0
        self.quick = False
        head = len(answer.block)
        if sent < head:
            self.wire.put(memoryview(answer.block)[sent:])
        if answer.file is not None:
            done = max(0, sent - head)
            self.wire.put_file(answer.file, answer.start + done, answer.body_bytes - done)
        self.wire.watch()

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
            self.server.records.prepared(self, answer, self._began_s, self._first_s)
            self._answered(keep=answer.persistent)
        if self._writable is not None and not self._writable.done():
            self._writable.set_result(None)
        if self.holder is not None:
            self.holder.drained()

    def _answered(self, *, keep: bool) -> None:
        """Tell the wire that a response is whole; only another worker wants to know."""
        if self.wire.inner and not self.lost:
            self.wire.answered(keep=keep)
            with contextlib.suppress(ConnectionResetError):  # that worker is gone, and the client with it
                self._pump()

    def _know_peer(self) -> None:
        if self.wire.peer is not None and self.wire.peer != self.peer:
            self.peer, self.log = self.wire.peer, f'"client":"{self.wire.peer}",'

    def _finish(self, error: Exception | None, *, reset: bool) -> None:
        """Close the socket, and tell whoever waits for it that nothing more leaves."""
        self.lost = True
        self.quick = False
        unsent_bytes = self.wire.unsent_bytes
        self.wire.close(abort=reset)
        if self._answer is not None:
            answer, self._answer = self._answer, None
            self.server.records.cut(self, answer, self._began_s, self._first_s, unsent_bytes)
        if self.holder is not None:
            holder, self.holder = self.holder, None
            holder.abandoned()
        if self._writable is not None and not self._writable.done():
            self._writable.set_exception(error if isinstance(error, EOFError) else ConnectionResetError("the client left"))

    def _lose(self, error: Exception | None, *, reset: bool = False) -> None:
        """The connection is over; with an error, in the middle of something."""
        raise NotImplementedError
