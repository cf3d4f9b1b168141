"""The balancer's answers: each request is placed, then proxied or redirected.

It decides nothing itself: `balance.py` places, `proxying.py` passes on, `control.py` changes the members.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from random import Random
from typing import TYPE_CHECKING

from nodes.balancer import control
from nodes.balancer.balance import Balance, Member, Settings
from nodes.balancer.checking import Check, Checking
from nodes.balancer.express import Express
from nodes.balancer.families import COUNTERS, OTHERS
from nodes.balancer.forwarding import ROUTE, route
from nodes.balancer.heads import origin_form
from nodes.balancer.members import Members, parse
from nodes.balancer.proxying import Begun, Proxying, note
from nodes.http import own_paths
from nodes.http.application import Message, Team
from nodes.http.hops import answer_as_last, forwards_left, loops
from nodes.http.message import Fields, HttpError, Request
from nodes.http.metrics import Metrics
from nodes.http.pool import Pool
from nodes.http.reply import Reply
from nodes.http.tls import ClientTls

if TYPE_CHECKING:
    from nodes.http.connection import Connection


class Balancer:
    """`redirect` is 302 or 307, None proxies. `reread` gives the members as their file has them, or None when it is wrong."""

    reserved = own_paths.RESERVED

    def __init__(
        self, name: str, members: Members, settings: Settings, pool: Pool, check: Check | None, tls: ClientTls,
        metrics: Metrics, reread: Callable[[], Members | None], redirect: int | None, random: Random,
    ) -> None:  # fmt: skip
        loop = asyncio.get_running_loop()
        self.name, self.metrics, self._clock = name, metrics, loop.time
        self._pool, self._redirect, self._reread = pool, redirect, reread
        self.balance = Balance(members, settings, random, loop.time())
        self._checking = Checking(self.balance, check, tls, metrics, random, self._gone) if check is not None else None
        self._proxying = Proxying(name, self.balance, pool, metrics)
        self._express = Express(name, self.balance, pool, metrics)
        self._team: Team | None = None
        self._reloading: asyncio.Task[None] | None = None
        metrics.declare(COUNTERS, OTHERS)
        metrics.before_text(self._gauges)
        if self._checking is not None:
            self._checking.follow()

    @property
    def members(self) -> Members:
        """Those that hold now."""
        return self.balance.members

    async def close(self) -> None:
        """End checks, and close idle connections."""
        if self._checking is not None:
            await self._checking.close()
        self._pool.close()

    def join(self, team: Team) -> None:
        """There are other workers; each places by itself, and all have the same members."""
        self._team = team

    def told(self, message: Message, _: int) -> None:
        """By the home: new members."""
        self._take(parse(message["members"]))

    def reload(self) -> None:
        """SIGHUP: the members' file is read again. The home tells the others."""
        if self._team is None or self._team.index == 0:
            members = self._reread()
            if members is not None:
                self._reloading = asyncio.get_running_loop().create_task(self.use(members))

    async def use(self, members: Members) -> None:
        """From now on these; requests under way go on."""
        self._take(members)
        if self._team is not None:
            await self._team.tell_all({"members": members.data()})

    def try_now(self, request: Request, connection: Connection) -> bool:
        """A plain request leaves for its node without a task."""
        ours = self._redirect is not None or request.path.startswith(own_paths.PREFIX) or connection.wire.inner
        return not ours and request.method in ("GET", "HEAD") and self._express.begin(request, connection)

    async def handle(self, request: Request, reply: Reply) -> None:
        """Answer one request. Raises HttpError."""
        if request.path.startswith(own_paths.PREFIX):
            if self._team is not None and self._team.index:
                await self._team.relay(request, reply)
            else:
                await control.handle(self, request, reply)
            return
        if loops(request, self.name):
            raise HttpError(508, f"this request has passed {self.name} before")  # RFC 8586, section 3
        if forwards_left(request) == 0:
            await answer_as_last(request, reply)
            return
        key = origin_form(request)  # the same for a client that sends the whole URL
        begun: Begun | None = request.begun
        placed = self.balance.place(key, self._clock()) if begun is None else begun.placed
        if placed is None:
            reply.outcome.result = "ERR_CANNOT_FORWARD"
            raise HttpError(503, "every node drains", [("Cache-Control", "no-store"), ("Retry-After", "1")])
        if self._redirect is None:
            await self._proxying.answer(request, reply, begun or Begun(placed), key)
            return
        note(reply, placed, 1)
        reply.outcome.result = "REDIRECT"
        fields = Fields([("Location", placed.node.url + key), (ROUTE, route(self.name, placed, 1)),
                         ("Server-Timing", f'{self.name};desc="{placed.node.name}"'),
                         ("Cache-Control", "no-store")])  # fmt: skip
        await reply.full(self._redirect, fields, b"")

    def status(self) -> dict[str, object]:
        """Of the zones and nodes, as this worker sees them."""
        self.balance.wake(self._clock())
        last = self._checking.last if self._checking is not None else {}
        zones = {zone.name: {"nodes": zone.nodes, "healthy": zone.healthy, "active": zone.active, "capacity": zone.capacity}
                 for zone in self.balance.zones()}  # fmt: skip
        nodes = {}
        for name, member in self.balance.by_name.items():
            state = member.state
            nodes[name] = {"zone": member.node.zone, "health": self.balance.health(member), "active": state.active,
                           "answers": state.answers, "utilisation": state.utilisation, "check": last.get(name)}  # fmt: skip
        return {"node": self.name, "zone_rule": self.balance.settings.zone_rule,
                "node_rule": self.balance.settings.node_rule, "zones": zones, "nodes": nodes,
                "connections_opened": self._pool.opened_total, "connections_reused": self._pool.reused_total}  # fmt: skip

    def _take(self, members: Members) -> None:
        self.balance.replace(members, self._clock())
        if self._checking is not None:
            self._checking.follow()

    def _gone(self, member: Member) -> None:
        """A node is down: safe requests that wait for its answer go elsewhere now, if there is somebody."""
        if self.balance.anyone:
            self._express.gone(member)
            self._proxying.gone(member)

    def _gauges(self) -> None:
        self.balance.wake(self._clock())
        for zone in self.balance.zones():
            self.metrics.gauge("longhaul_zone_healthy_nodes", zone.healthy, zone=zone.name)
            self.metrics.gauge("longhaul_zone_active_requests", zone.active, zone=zone.name)
