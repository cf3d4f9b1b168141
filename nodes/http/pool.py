"""Persistent connections to origins: reused newest first, bounded, closed when idle.

It does not read responses. A connection belongs to one request at a time; nothing is pipelined.
"""

from __future__ import annotations

import asyncio
import os
import socket
from collections import deque

from nodes.http.failure import Failure
from nodes.http.options import set_congestion_control
from nodes.http.upstream import Upstream, UpstreamError

Origin = tuple[str, int]


class Pool:
    """At most `limit` connections to each origin; more requests than that wait their turn."""

    def __init__(self, limit: int, idle_s: float, timeout_s: float, congestion_control: str | None) -> None:
        self._limit, self._idle_s, self.timeout_s, self._congestion = limit, idle_s, timeout_s, congestion_control
        self._idle: dict[Origin, list[Upstream]] = {}
        self._open: dict[Origin, int] = {}
        self._waiting: dict[Origin, deque[asyncio.Future[None]]] = {}
        self.opened_total = 0
        self.reused_total = 0

    async def take(self, origin: Origin, *, fresh: bool = False) -> Upstream:
        """A connection for one request; `fresh` makes a new one. Raises UpstreamError."""
        while True:
            self._expire(origin)
            idle = self._idle.setdefault(origin, [])
            if idle and not fresh:
                self.reused_total += 1
                return idle.pop()
            if self._open.get(origin, 0) < self._limit:
                break
            if idle:  # full, but a fresh one is wanted
                self._discard(origin, idle.pop(0))
                continue
            turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiting.setdefault(origin, deque()).append(turn)
            try:
                await asyncio.wait_for(turn, self.timeout_s)
            except TimeoutError as error:
                text = f"no connection to the origin came free within {self.timeout_s:g} s"
                raise UpstreamError(text, timeout=True) from error
            except asyncio.CancelledError:
                if turn.done() and not turn.cancelled():
                    self._next(origin)  # the turn was ours already: it is another's now
                raise
        self._open[origin] = self._open.get(origin, 0) + 1
        try:
            made = await self._connect(origin)
        except BaseException:
            self._open[origin] -= 1
            self._next(origin)
            raise
        self.opened_total += 1
        return made

    def give(self, origin: Origin, connection: Upstream) -> None:
        """Back after a response; it is kept when it can be used again."""
        if connection.reusable:
            connection.busy = False
            connection.idle_since = asyncio.get_running_loop().time()
            self._idle.setdefault(origin, []).append(connection)
        else:
            self._discard(origin, connection)
        self._next(origin)

    def close(self) -> None:
        """Close what is idle."""
        for origin, idle in self._idle.items():
            while idle:
                self._discard(origin, idle.pop())

    def idle_count(self) -> int:
        """How many connections wait for a request."""
        return sum(len(idle) for idle in self._idle.values())

    def _next(self, origin: Origin) -> None:
        waiting = self._waiting.get(origin)
        while waiting:
            turn = waiting.popleft()
            if not turn.done():
                turn.set_result(None)
                return

    def _discard(self, origin: Origin, connection: Upstream) -> None:
        connection.close()
        self._open[origin] -= 1

    def _expire(self, origin: Origin) -> None:
        oldest = asyncio.get_running_loop().time() - self._idle_s
        keep = []
        for one in self._idle.get(origin, []):
            if one.lost or one.transport.is_closing() or one.idle_since < oldest:
                self._discard(origin, one)
            else:
                keep.append(one)
        self._idle[origin] = keep

    async def _connect(self, origin: Origin) -> Upstream:
        loop = asyncio.get_running_loop()
        host, port = origin
        try:
            async with asyncio.timeout(self.timeout_s):
                try:  # an address needs no resolver, and no thread to ask one
                    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)
                except socket.gaierror:
                    found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
                error: OSError | None = None
                for family, kind, protocol, _, address in found:
                    sock = socket.socket(family, kind, protocol)
                    try:
                        sock.setblocking(False)
                        set_congestion_control(sock, self._congestion)
                        await loop.sock_connect(sock, address)
                        return (await loop.create_connection(Upstream, sock=sock))[1]
                    except OSError as refused:
                        sock.close()
                        error = refused
                    except BaseException:
                        sock.close()
                        raise
                raise error or OSError("no address")
        except TimeoutError as error:
            text = f"the origin {host}:{port} did not accept a connection within {self.timeout_s:g} s"
            raise UpstreamError(text, timeout=True) from error
        except Failure as error:
            raise UpstreamError(str(error)) from error
        except OSError as error:
            known = error.errno is not None and error.errno > 0  # a resolver's own errors are below zero
            reason = os.strerror(error.errno or 0) if known else (error.strerror or str(error))
            raise UpstreamError(f"the origin {host}:{port} cannot be reached: {reason.lower()}") from error
