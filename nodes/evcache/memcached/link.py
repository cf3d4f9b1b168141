"""One pipelined connection to a memcached, made when it is first needed and made again when it broke.

It does not retry and does not choose nodes. What waits is bounded in number and bytes; more is refused at once. All
commands of a link have one time limit, so those that wait longest are the first to be given up.
"""

from __future__ import annotations

import asyncio
import os
import socket
from collections import deque
from dataclasses import dataclass
from struct import pack

from nodes.evcache.memcached.errors import Away, Busy, Nonsense, Refused, TimedOut, Unanswered
from nodes.evcache.memcached.meta import REFUSED, Answer, Garbage, Reader
from nodes.http.origin_address import host_port

Waiting = asyncio.Future[Answer]
ROOM_BYTES = 256 * 1024
"""asyncio would allocate as much for each receive, which glibc gets from the kernel and gives back each time: half of a get."""


@dataclass(frozen=True)
class LinkLimits:
    """Time in seconds. `silent_s`: a connection on which a given-up command is still unanswered is closed after it."""

    answer_s: float
    connect_s: float = 1.0
    silent_s: float = 1.0
    waiting: int = 1024
    waiting_bytes: int = 64 * 2**20
    retry_s: float = 0.1


class Link(asyncio.BufferedProtocol):
    """`ask` gives a future; it ends with an Answer or raises Unanswered."""

    def __init__(self, host: str, port: int, limits: LinkLimits) -> None:
        self.where = host_port(host, port)
        self._host, self._port, self._limits = host, port, limits
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._connecting: asyncio.Task[None] | None = None
        self._broke = ""
        self._retry_at_s = 0.0
        self._reader = Reader()
        self._waiting: deque[tuple[Waiting, float, int]] = deque()
        self._given_up = 0
        """How many at the left end of `_waiting` were told that there was no answer in time."""
        self._bytes = 0
        self._out: list[bytes] = []
        self._timer: asyncio.TimerHandle | None = None
        self._closed = False
        self._room = bytearray(ROOM_BYTES)
        self._view = memoryview(self._room)

    @property
    def waiting(self) -> int:
        """Commands without an answer."""
        return len(self._waiting)

    @property
    def connected(self) -> bool:
        """Whether there is a connection."""
        return self._transport is not None

    def ask(self, request: bytes) -> Waiting:
        """Send a command. Raises Busy, or Away while a broken connection rests."""
        now_s, limits = self._loop.time(), self._limits
        if len(self._waiting) >= limits.waiting or self._bytes + len(request) > limits.waiting_bytes:
            raise Busy(self.where, f"has {len(self._waiting)} commands of {self._bytes} bytes waiting, and takes no more")
        if self._transport is None and self._connecting is None:
            if self._closed:
                raise Away(self.where, "is not used any more")
            if self._broke and now_s < self._retry_at_s:
                raise Away(self.where, self._broke)
            self._connecting = self._loop.create_task(self._connect())
        answer: Waiting = self._loop.create_future()
        idle = not self._waiting
        self._waiting.append((answer, now_s + limits.answer_s, len(request)))
        self._bytes += len(request)
        if self._timer is None:
            self._timer = self._loop.call_at(now_s + limits.answer_s, self._look)
        if idle and self._transport is not None:
            self._transport.write(request)  # at once: nobody else could share the segment
            return answer
        self._out.append(request)
        if len(self._out) == 1 and self._transport is not None:
            self._loop.call_soon(self._flush)
        return answer

    def close(self) -> None:
        """Give up what waits."""
        self._closed = True
        if self._connecting is not None:
            self._connecting.cancel()
        self._break(Away, "is not used any more")

    # -- asyncio's side ------------------------------------------------------------------------------------------
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport, self._reader, self._broke = transport, Reader(), ""
        self._flush()

    def get_buffer(self, sizehint: int) -> bytearray:
        return self._room

    def buffer_updated(self, nbytes: int) -> None:
        try:
            answers = self._reader.feed(bytes(self._view[:nbytes]))
            waiting = self._waiting
            for answer in answers:
                if not waiting:
                    raise Garbage(f"{answer.code!r} came unasked")
                future, _, size = waiting.popleft()
                self._bytes -= size
                if self._given_up:
                    self._given_up -= 1
                elif answer.code == REFUSED and not future.done():
                    future.set_exception(Refused(self.where, f"says: {answer.flags[0].decode('latin-1')}"))
                elif not future.done():
                    future.set_result(answer)
        except Garbage as error:
            self._break(Nonsense, f"sent what is no answer: {error}")

    def eof_received(self) -> None:
        came = self._reader.waiting_bytes
        self._break(Away, "closed the connection" + (f" inside an answer, of which {came} bytes came" if came else ""))

    def connection_lost(self, exc: Exception | None) -> None:
        if self._transport is not None:
            self._break(Away, f"broke the connection: {_reason(exc)}")

    # -- within --------------------------------------------------------------------------------------------------
    async def _connect(self) -> None:
        try:
            async with asyncio.timeout(self._limits.connect_s):
                await self._loop.create_connection(lambda: self, self._host, self._port)
        except TimeoutError:
            self._break(Away, f"did not accept a connection within {self._limits.connect_s:g} s")
        except OSError as error:
            self._break(Away, f"cannot be reached: {_reason(error)}")
        finally:
            self._connecting = None

    def _flush(self) -> None:
        if self._out and self._transport is not None:
            self._transport.write(b"".join(self._out))
            self._out.clear()

    def _look(self) -> None:
        """Give up what has waited long enough, and the connection when it stays silent."""
        self._timer = None
        now_s = self._loop.time()
        if not self._waiting:
            return
        if self._given_up and now_s - self._waiting[0][1] > self._limits.silent_s:
            self._break(Away, f"has been silent for {self._limits.silent_s + self._limits.answer_s:g} s")
            return
        next_s = now_s + self._limits.answer_s
        for future, deadline_s, _ in _from(self._waiting, self._given_up):
            if deadline_s > now_s:
                next_s = deadline_s
                break
            self._given_up += 1
            if not future.done():
                future.set_exception(TimedOut(self.where, f"did not answer within {self._limits.answer_s * 1e3:g} ms"))
        if self._given_up:
            next_s = min(next_s, self._waiting[0][1] + self._limits.silent_s + 0.001)
        self._timer = self._loop.call_at(next_s, self._look)

    def _break(self, kind: type[Unanswered], cause: str) -> None:
        """Close, and tell everybody who waits."""
        transport, self._transport = self._transport, None
        if transport is not None:
            if self._waiting:  # a reset: what has not reached memcached shall not reach it later
                transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, pack("ii", 1, 0))
            transport.abort()
        if kind is Away:
            self._broke, self._retry_at_s = cause, self._loop.time() + self._limits.retry_s
        waiting, self._waiting, self._given_up, self._bytes = self._waiting, deque(), 0, 0
        self._out.clear()
        for future, _, _ in waiting:
            if not future.done():
                future.set_exception(kind(self.where, cause))


def _from(waiting: deque[tuple[Waiting, float, int]], first: int) -> list[tuple[Waiting, float, int]]:
    return list(waiting)[first:] if first else list(waiting)


def _reason(error: Exception | None) -> str:
    if isinstance(error, OSError) and error.errno and error.errno > 0:
        return os.strerror(error.errno).lower()
    return str(error or "it ended").lower()


