"""Plain requests on their way without a task: no content, a kept connection free, an answer that says its length.

It does what `proxying.py` does, and no more: whatever else comes, and whatever goes wrong before an answer has begun, is
handed to that. `lane.py` has one exchange; this has what they share.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from nodes.balancer.balance import Balance, Member, Placed
from nodes.balancer.heads import Answered, Asked, answered, asked
from nodes.balancer.lane import Lane
from nodes.balancer.proxying import Begun
from nodes.http.message import Request
from nodes.http.metrics import Metrics, Tally
from nodes.http.origin_address import Origin
from nodes.http.pool import Pool
from nodes.http.requests import REMEMBERED_BYTES

if TYPE_CHECKING:
    from nodes.http.connection import Connection

RECEIVE_BYTES = 256 * 1024

REMEMBERED = 1024
"""How many heads of each kind; when it is full it begins anew."""


class Express:
    """See the module."""

    def __init__(self, name: str, balance: Balance, pool: Pool, metrics: Metrics) -> None:
        self.name, self.balance, self.pool, self.metrics = name, balance, pool, metrics
        self._loop = asyncio.get_running_loop()
        self.clock = self._loop.time
        self.buffer = bytearray(RECEIVE_BYTES)
        self.received = memoryview(self.buffer)
        """What a lane receives, for as long as it passes it on: memory that is used again stays in the processor's cache."""
        self.under_way: set[Lane] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._soonest_s = min(pool.timeouts.first_byte_s, pool.timeouts.between_s)
        self._asked: dict[bytes, Asked] = {}
        self._answered: dict[tuple[object, ...], tuple[Answered, Tally]] = {}

    def begin(self, request: Request, connection: Connection) -> bool:
        """Whether a GET or HEAD without content is on its way now; if not, `request.begun` has the choice that was made."""
        head = self._asked.get(request.raw) or self._ask(request)
        if head is None:
            return False
        now_s = self.clock()
        placed = self.balance.place(head.key, now_s)
        if placed is None:
            return False
        lane = self._lane(placed.node.address, connection)
        if lane is None:
            request.begun = Begun(placed)
            return False
        self.under_way.add(lane)
        if self._timer is None:
            self._timer = self._loop.call_later(self._soonest_s, self._look)
        lane.send(request, connection, placed, head, now_s)
        return True

    def answer(self, head: bytes, request: Request, placed: Placed, *, keep: bool) -> tuple[Answered, Tally] | None:
        """The head of an answer for this client, and the counters for it."""
        node = placed.node
        key = (head, node.name, node.zone, placed.reason, request.method, request.version, request.persistent, keep)
        found = self._answered.get(key)
        if found is not None:
            return found
        made = answered(head, request, self.name, placed, keep=keep)
        if made is None:
            return None
        found = made, self.metrics.tally(made.status, "PROXY")
        if made.dated and len(head) <= REMEMBERED_BYTES:
            if len(self._answered) >= REMEMBERED:
                self._answered.clear()
            self._answered[key] = found
        return found

    def gone(self, member: Member) -> None:
        """See `Proxying.gone`."""
        for lane in list(self.under_way):
            lane.gone(member)

    def _ask(self, request: Request) -> Asked | None:
        made = asked(request, self.name)
        if made is not None and len(request.raw) <= REMEMBERED_BYTES:
            if len(self._asked) >= REMEMBERED:
                self._asked.clear()
            self._asked[request.raw] = made
        return made

    def _lane(self, node: Origin, connection: Connection) -> Lane | None:
        kept = self.pool.borrow(node)
        if kept is None:
            return None
        if isinstance(kept.borrower, Lane):
            return kept.borrower
        lane = Lane(self, kept, node, connection.server.rounds)
        if lane.open():
            return lane
        self.pool.give(node, kept)  # TLS, which asyncio speaks
        return None

    def _look(self) -> None:
        """End what waits too long for a node."""
        now_s, self._timer, next_s = self.clock(), None, float("inf")
        for lane in list(self.under_way):
            due_s = lane.due_s(now_s)
            if due_s <= now_s:
                lane.late()
            else:
                next_s = min(next_s, due_s)
        if self.under_way:
            self._timer = self._loop.call_at(min(next_s, now_s + self._soonest_s), self._look)
