"""Active checks: every node is asked for a path at an interval, on a connection of its own. The balance judges the results.

It begins at another moment for each node, so that a hundred are not asked at once.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from nodes.balancer.balance import Balance, Member
from nodes.http.dial import dial
from nodes.http.message import Fields, request_bytes
from nodes.http.metrics import Metrics
from nodes.http.timeouts import Timeouts
from nodes.http.tls import ClientTls
from nodes.http.upstream_error import UpstreamError


@dataclass(frozen=True)
class Check:
    """`path` is asked with GET; any status from 200 to 399 within `timeout_s` is a success."""

    path: str
    interval_s: float
    timeout_s: float


class Checking:
    """Tasks, one for each node, until `close`. `gone` is told of a node that is found down."""

    def __init__(
        self, balance: Balance, check: Check, tls: ClientTls, metrics: Metrics, random: Random, gone: Callable[[Member], None]
    ) -> None:
        self._gone = gone
        self._balance, self._check, self._tls, self._metrics, self._random = balance, check, tls, metrics, random
        self._timeouts = Timeouts(check.timeout_s, check.timeout_s, check.timeout_s)
        self._tasks: dict[Member, asyncio.Task[None]] = {}
        self.last: dict[str, str] = {}
        """What the last check of each node said."""

    def follow(self) -> None:
        """Members have changed: check those that are there, and no others."""
        members = set(self._balance.by_name.values())
        for gone in self._tasks.keys() - members:
            self._tasks.pop(gone).cancel()
            if gone.node.name not in self._balance.by_name:
                self.last.pop(gone.node.name, None)
        for new in members - self._tasks.keys():
            self._tasks[new] = asyncio.get_running_loop().create_task(self._watch(new))

    async def close(self) -> None:
        """No more checks."""
        for task in self._tasks.values():
            task.cancel()
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)

    async def _watch(self, member: Member) -> None:
        loop, interval_s = asyncio.get_running_loop(), self._check.interval_s
        next_s = loop.time() + self._random.random() * interval_s
        while True:
            await asyncio.sleep(next_s - loop.time())
            next_s = max(next_s + interval_s, loop.time())
            wrong = await self._ask(member)
            name = member.node.name
            self.last[name] = wrong or "ok"
            if wrong:
                self._metrics.count("longhaul_check_failures_total", member=name)
            if self._balance.checked(name, loop.time(), ok=not wrong):
                print(f"longhaul: node {name} is {self._balance.health(member)}" + (f": {wrong}" if wrong else ""),
                      file=sys.stderr, flush=True)  # fmt: skip
                if wrong:
                    self._gone(member)

    async def _ask(self, member: Member) -> str:
        """Empty, or what was wrong. Each check dials: one that a kept connection answered would not see a full backlog."""
        node = member.node
        fields = Fields([("Host", node.address.where), ("User-Agent", "longhaul-check"), ("Connection", "close")])
        try:
            async with asyncio.timeout(self._check.timeout_s):
                context = self._tls.context() if node.address.scheme == "https" else None
                connection = await dial(node.address, self._timeouts, None, context)
                try:
                    connection.send("GET", request_bytes("GET", self._check.path, fields))
                    status = (await connection.head()).status
                finally:
                    connection.close()
        except UpstreamError as error:
            return str(error)
        except TimeoutError:
            return f"no answer within {self._check.timeout_s:g} s"
        return "" if 200 <= status < 400 else f"{self._check.path} answers {status}"
