"""Answers to plain hits made ready, so that the same request is answered again by its bytes alone, in every worker.

The memo is honest: what it holds is a function of the request's bytes, the stored object and the second, and it ends when
one of the three changes. It decides nothing that `plan.py` would not.
"""

from __future__ import annotations

import asyncio
import os
from collections import OrderedDict

from nodes.edge.caching.reuse import Judgement
from nodes.edge.hit import Hit, Ready
from nodes.edge.routing.rules import Route
from nodes.edge.serving import Held, Served, read_all
from nodes.edge.store.entry import stamp_of
from nodes.edge.store.store import Store
from nodes.http.application import Message, Team
from nodes.http.message import Request
from nodes.http.prepared import PreparedAnswers

SMALL_BYTES = 32 * 1024
"""Content up to this size is kept in memory with its head and leaves in one call; larger content goes by sendfile."""


def family(name: int) -> int:
    """What the names of all variants of one resource have in common: a new variant may be the better answer."""
    return name >> 64


class Preparing:
    """Offers answers to the memo, takes them back when an object changes, and tells the other workers of both."""

    def __init__(self, name: str, prepared: PreparedAnswers, store: Store, most_files: int) -> None:
        self._name, self._prepared, self._most_files = name, prepared, most_files
        self._files: OrderedDict[int, None] = OrderedDict()
        self._team: Team | None = None
        self._changed: list[int | None] = []
        self.epoch = 0
        """How often everything had to be judged anew."""
        self._telling: set[asyncio.Task[None]] = set()
        store.on_change = self.changed

    def join(self, team: Team) -> None:
        """There are other workers."""
        self._team = team

    def changed(self, name: int | None) -> None:
        """An object was removed, replaced or given new metadata; None: all were."""
        if name is None:
            self._prepared.clear()
            self._files.clear()
        else:
            self._prepared.drop(family(name))
            self._files.pop(name, None)
        if self._team is not None:
            if not self._changed:
                asyncio.get_running_loop().call_soon(self._tell_changed)
            self._changed.append(name)

    def clear(self) -> None:
        """The rules changed: judge everything anew, what is being answered now included."""
        self.epoch += 1
        self.changed(None)

    async def settled(self) -> None:
        """Until no worker uses what has changed up to now."""
        self._tell_changed()
        if self._telling:
            await asyncio.gather(*self._telling)

    def offer(
        self, request: Request, route: Route, held: Held, served: Served, judged: Judgement, epoch: int
    ) -> None:  # fmt: skip
        """An answer that was judged in that epoch; it is taken when it depends on nothing but bytes, object and second."""
        if epoch != self.epoch or not held.opened.alive:
            return  # the rules or the object changed while it was sent
        pieces, length = served.answer.pieces, served.answer.length_bytes
        if route.by_client or not request.raw or request.has_body or len(pieces) > 1 or judged.use != "fresh":
            return
        sent = 0 if request.method == "HEAD" else length
        start, small = held.stretch(pieces[0]) if sent else 0, sent <= SMALL_BYTES
        if start is None or (not small and not held.all_right(pieces[0])):
            return
        hit = Hit(
            request.raw.decode("latin-1"), request.scheme, request.method, request.target, request.version,
            request.persistent, held.name, served.status.key or "", served.answer.status, served.reason,
            served.plain_fields(), length, sent, start, served.now_s, judged.until_s, judged.ttl_s, served.age_s,
            stamp_of(os.fstat(held.fd)),
        )  # fmt: skip
        body = read_all(held.opened, served) if small and sent else b"" if small else None
        if (body is None and small) or not held.unchanged():
            return  # damaged, and gone
        if self._prepared.put(request, Ready(self._name, hit, body, None if small else held), family(hit.name)):
            if not small:
                self._hold(hit.name)
            self.hand_out(hit)

    def hand_out(self, hit: Hit) -> None:
        """Give a hit to the other workers."""
        if self._team is not None:
            self._tell({"hit": hit.message()})

    def _hold(self, name: int) -> None:
        self._files[name] = None
        self._files.move_to_end(name)
        if len(self._files) > self._most_files:
            self._prepared.drop(family(self._files.popitem(last=False)[0]))

    def _tell_changed(self) -> None:
        if self._changed:
            names, self._changed = self._changed, []
            self._tell({"changed": names})

    def _tell(self, message: Message) -> None:
        assert self._team is not None
        task = asyncio.get_running_loop().create_task(self._team.tell_all(message))
        self._telling.add(task)
        task.add_done_callback(self._telling.discard)
