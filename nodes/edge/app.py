"""The edge's answers: which way each request goes. The ways themselves are `cached.py` and `passing.py`.

It stores nothing and parses nothing; it knows the parts and hands requests to them.
"""

from __future__ import annotations

from collections.abc import Callable

from nodes.edge import control
from nodes.edge.cached import Cached
from nodes.edge.caching.directives import of
from nodes.edge.families import COUNTERS, OTHERS
from nodes.edge.fetching import Fetching
from nodes.edge.hit import Ready
from nodes.edge.passing import Passing
from nodes.edge.preparing import Preparing
from nodes.edge.purging import Purging
from nodes.edge.routing.rules import Route, Rules, values
from nodes.edge.store.store import Store
from nodes.http import own_paths
from nodes.http.application import Message, Team
from nodes.http.hops import answer_as_last, forwards_left, loops
from nodes.http.message import HttpError, Request
from nodes.http.metrics import Metrics
from nodes.http.pool import Pool
from nodes.http.prepared import Prepared, PreparedAnswers
from nodes.http.reply import Reply


class Edge:
    """A reverse proxy with a cache."""

    reserved = own_paths.RESERVED

    def __init__(
        self, name: str, rules: Rules, store: Store, pool: Pool, metrics: Metrics, reread: Callable[[Rules], Rules],
        most_files: int, ready_bytes: int,
    ) -> None:  # fmt: skip
        """`reread` gives the rules as they stand in their file now, or the old ones; `most_files` are held open, and answers of
        at most `ready_bytes` kept ready."""
        self.name, self.rules, self.store, self.pool, self.metrics = name, rules, store, pool, metrics
        self._reread = reread
        self.prepared = PreparedAnswers(most_bytes=ready_bytes)
        self.fetching = Fetching(pool, store, metrics)
        self.purging = Purging(store, self.fetching, lambda: self.rules, metrics)
        self.preparing = Preparing(name, self.prepared, store, most_files)
        self.cached = Cached(name, store, self.fetching, self.preparing, metrics)
        self.passing = Passing(name, self.fetching, self.purging, self.preparing.settled, metrics)
        metrics.declare(COUNTERS, OTHERS)
        metrics.before_text(store.publish)

    async def close(self) -> None:
        """End what still runs for nobody, and close idle connections."""
        await self.fetching.close()
        self.pool.close()
        self.store.close()

    def join(self, team: Team) -> None:
        """Called once, before the first client, when there are other workers (`worker.py`); this one is the home."""
        self.preparing.join(team)

    def reload(self) -> None:
        """Read the rules again; requests that run go on by the old ones."""
        self.rules = self._reread(self.rules)
        self.preparing.clear()

    def used(self, answers: dict[Prepared, int]) -> None:
        """Prepared answers were given: uses, for the eviction policy."""
        touch = self.store.index.touch
        for answer in answers:
            assert isinstance(answer, Ready)
            touch(answer.hit.name)

    def told(self, message: Message, _: int) -> None:
        """By another worker: what it used, or what it would like to have ready."""
        if "used" in message:
            for name in message["used"]:
                self.store.index.touch(name)
            return
        answer = self.prepared.by_head.get(message["want"].encode("latin-1"))
        if isinstance(answer, Ready):
            self.preparing.hand_out(answer.hit)

    async def handle(self, request: Request, reply: Reply) -> None:
        """Answer one request. Raises HttpError."""
        if request.path.startswith(own_paths.PREFIX):
            await control.handle(self, request, reply)
            return
        if loops(request, self.name):
            raise HttpError(508, f"this request has passed {self.name} before")  # RFC 8586, section 3
        route = self.rules.route(request)
        if route is None:
            raise HttpError(404, "no route of this edge matches the request")
        if route.deny is not None:
            raise HttpError(route.deny, "the rules of this edge deny the request")
        if route.redirect is not None:
            where = [("Location", route.redirect.location(values(request)))]
            raise HttpError(route.redirect.status, "elsewhere", where)
        if forwards_left(request) == 0:
            await answer_as_last(request, reply)
            return
        why = bypass(request, route)
        if why is None:
            await self.cached.answer(request, reply, route)
        else:
            await self.passing.answer(request, reply, route, why)


def bypass(request: Request, route: Route) -> str | None:
    """Why a request is passed without looking into the cache (a `fwd` of RFC 9211), or None."""
    if route.passes:
        return "bypass"
    if request.method not in ("GET", "HEAD"):
        return "method"
    return "request" if request.has_body or of(request.fields).has("no-store") else None
