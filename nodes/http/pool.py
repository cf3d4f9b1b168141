"""Persistent connections to origins: reused newest first, bounded, closed when idle.

It does not read responses. A connection belongs to one request at a time; nothing is pipelined.
"""

from __future__ import annotations

import asyncio
from collections import deque

from nodes.http.dial import dial
from nodes.http.failure import Failure
from nodes.http.origin_address import Origin
from nodes.http.timeouts import Timeouts
from nodes.http.tls import ClientContext, ClientTls
from nodes.http.upstream import Upstream
from nodes.http.upstream_error import UpstreamError


class Pool:
    """At most `limit` connections to each origin; more requests than that wait their turn, for `connect_s`."""

    def __init__(
        self, limit: int, idle_s: float, timeouts: Timeouts, congestion_control: str | None, tls: ClientTls | None = None
    ) -> None:
        self._limit, self._idle_s, self.timeouts, self._congestion = limit, idle_s, timeouts, congestion_control
        self._tls = tls or ClientTls()
        self._contexts: dict[Origin, ClientContext] = {}
        self._idle: dict[Origin, list[Upstream]] = {}
        self._taken: set[Upstream] = set()
        self._open: dict[Origin, int] = {}
        self._waiting: dict[Origin, deque[asyncio.Future[None]]] = {}
        self._sweep: asyncio.TimerHandle | None = None
        self.opened_total = 0
        self.reused_total = 0
        self.resumed_total = 0
        """Connections whose TLS session was an earlier one's."""

    async def take(self, origin: Origin, *, fresh: bool = False) -> Upstream:
        """A connection for one request; `fresh` makes a new one. Raises UpstreamError."""
        while True:
            idle = self._idle.setdefault(origin, [])
            while idle and not fresh:
                newest = idle.pop()
                newest.take_back()
                if newest.quiet():
                    self.reused_total += 1
                    self._taken.add(newest)
                    return newest
                self._discard(origin, newest)
            if self._open.get(origin, 0) < self._limit:
                break
            if idle:  # full, but a fresh one is wanted
                self._discard(origin, idle.pop(0))
                continue
            await self._turn(origin)
        self._open[origin] = self._open.get(origin, 0) + 1
        try:
            made = await dial(origin, self.timeouts, self._congestion, self._context(origin))
        except BaseException:
            self._open[origin] -= 1
            self._next(origin)
            raise
        self._taken.add(made)
        self.opened_total += 1
        self.resumed_total += made.resumed
        return made

    def borrow(self, origin: Origin) -> Upstream | None:
        """An idle connection for one who cannot wait: None when there is none, or when others wait for one."""
        idle = self._idle.get(origin)
        while idle and not self._waiting.get(origin):
            newest = idle.pop()
            if newest.reusable:
                self.reused_total += 1
                self._taken.add(newest)
                return newest
            self._discard(origin, newest)
        return None

    def give(self, origin: Origin, connection: Upstream) -> None:
        """Back after a response; it is kept when it can be used again. To give it twice does nothing."""
        if connection not in self._taken:
            return
        self._taken.discard(connection)
        self._remember(origin, connection)
        if connection.reusable:
            connection.release()
            self._idle.setdefault(origin, []).append(connection)
            if self._sweep is None:
                self._sweep = asyncio.get_running_loop().call_later(self._idle_s, self._expire)
        else:
            self._discard(origin, connection)
        self._next(origin)

    def close(self) -> None:
        """Close what is idle."""
        if self._sweep is not None:
            self._sweep.cancel()
            self._sweep = None
        for origin, idle in self._idle.items():
            while idle:
                self._discard(origin, idle.pop())

    def idle_count(self) -> int:
        """How many connections wait for a request."""
        return sum(len(idle) for idle in self._idle.values())

    def _context(self, origin: Origin) -> ClientContext | None:
        """One for each origin, because it holds that origin's TLS session."""
        if origin.scheme != "https":
            return None
        if origin not in self._contexts:
            try:
                self._contexts[origin] = self._tls.context()
            except Failure as error:  # the file was there when the daemon started
                raise UpstreamError(str(error), "tls") from error
        return self._contexts[origin]

    def _remember(self, origin: Origin, connection: Upstream) -> None:
        """Under TLS 1.3 the tickets of a session come after the handshake (RFC 8446, section 4.6.1), so look after the
        first response; not after each, because Python copies the session by writing and parsing it."""
        session = connection.session if connection.used == 1 else None
        if session is not None:
            self._contexts[origin].offered = session

    async def _turn(self, origin: Origin) -> None:
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        waiting = self._waiting.setdefault(origin, deque())
        waiting.append(turn)
        try:
            await asyncio.wait_for(turn, self.timeouts.connect_s)
        except TimeoutError as error:
            text = f"no connection to the origin came free within {self.timeouts.connect_s:g} s"
            raise UpstreamError(text, "queue", timeout=True) from error
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self._next(origin)  # the turn was ours already: it is another's now
            raise
        finally:
            waiting.remove(turn)  # only now, so that nobody borrows what it was promised

    def _next(self, origin: Origin) -> None:
        for turn in self._waiting.get(origin, ()):
            if not turn.done():
                turn.set_result(None)
                return

    def _discard(self, origin: Origin, connection: Upstream) -> None:
        connection.close()
        self._open[origin] -= 1

    def _expire(self) -> None:
        """Close what has been idle too long, and look again when the next one could be."""
        self._sweep = None
        loop = asyncio.get_running_loop()
        oldest, next_s = loop.time() - self._idle_s, None
        for origin, idle in self._idle.items():
            keep = []
            for one in idle:
                if one.lost or one.idle_since <= oldest:
                    self._discard(origin, one)
                else:
                    keep.append(one)
                    next_s = min(one.idle_since if next_s is None else next_s, one.idle_since)
            self._idle[origin] = keep
        if next_s is not None:
            self._sweep = loop.call_at(next_s + self._idle_s, self._expire)
