"""GET and HEAD through the cache: carry out the plan, and plan again when what was planned turned out otherwise.

What to do is decided in `plan.py`, what a response is worth in `arrival.py`; this file joins them to store and fetches.
"""

from __future__ import annotations

import time
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace
from functools import partial

from nodes.edge import following, serving
from nodes.edge.arrival import Kind
from nodes.edge.asking import Ask, collapse_key, for_variants
from nodes.edge.cache_status import CacheStatus
from nodes.edge.caching import answering, reuse, validation, variants
from nodes.edge.fetch import Fetch
from nodes.edge.fetching import Fetching
from nodes.edge.gateway import cut, gateway_error, not_asked
from nodes.edge.plan import Do, Plan, plan
from nodes.edge.preparing import Preparing
from nodes.edge.routed import fields_for, origin_form
from nodes.edge.routing.rules import Route
from nodes.edge.serving import Held
from nodes.edge.store.store import Store
from nodes.edge.stored import Stored
from nodes.edge.transfer import Reader
from nodes.http.conditionals import Selected
from nodes.http.continuing import pass_interim
from nodes.http.message import Fields, HttpError, Request
from nodes.http.metrics import Metrics
from nodes.http.reply import Reply
from nodes.http.upstream_error import UpstreamError

MOST_TURNS = 5
"""So often a request is planned anew: after damage, after a fetch that could not be shared, after a 304 to nobody."""

RESULTS = {"stale": "TCP_REFRESH_MISS", "request": "TCP_CLIENT_REFRESH_MISS"}


@dataclass(slots=True)
class Turn:
    """One request on its way through the cache. `alone`: it joins nobody; `plain`: it asks without validators.

    `seen` are the fields that choose a variant, None until they are needed.
    """

    request: Request
    reply: Reply
    route: Route
    primary: str
    known: Sequence[Stored]
    plan: Plan
    status: CacheStatus
    epoch: int
    seen: Fields | None = None
    alone: bool = False
    plain: bool = False


class Cached:
    """See the module."""

    def __init__(self, name: str, store: Store, fetching: Fetching, preparing: Preparing, metrics: Metrics) -> None:
        self._name, self._store, self._fetching, self._preparing, self._metrics = name, store, fetching, preparing, metrics

    async def answer(self, request: Request, reply: Reply, route: Route) -> None:
        """Answer one request. Raises HttpError, ConnectionError."""
        primary = route.primary_key(request)
        alone, plain, epoch = False, False, self._preparing.epoch
        for _ in range(MOST_TURNS):
            known = self._store.find(primary)
            now_s = time.time()
            # What the origin would see costs time, so it is made only where it decides something.
            seen = self._seen(request, route) if variants.varies(known) else None
            made = plan(request, known, now_s, route.freshness.override, seen)
            status = CacheStatus(fwd=made.fwd or None, key=primary)
            turn = Turn(request, reply, route, primary, known, made, status, epoch, seen, alone, plain)
            if made.do is Do.REFUSE:
                raise not_asked(self._name, reply, primary)
            if made.do in (Do.SERVE, Do.BEHIND):
                if made.do is Do.BEHIND:
                    self._validate_behind(turn)
                if await self._serve_hit(turn, now_s):
                    return
            elif await self._fetched(turn):
                return
            alone, plain = turn.alone, turn.plain
        raise HttpError(502, "the origin's answers were of no use; ask again")

    # -- from the store --------------------------------------------------------------------------------------------
    async def _serve_hit(self, turn: Turn, now_s: float) -> bool:
        made = turn.plan
        assert made.stored is not None
        assert made.judgement is not None
        result = "TCP_HIT" if made.judgement.use == "fresh" else "TCP_STALE_HIT"
        turn.status.hit, turn.status.fwd, turn.status.ttl_s = True, None, made.judgement.ttl_s
        return await self._serve(turn, made.stored, made.selected, result, now_s, drop=made.judgement.drop_fields)

    async def _serve(
        self, turn: Turn, stored: Stored, selected: Selected | None, result: str, now_s: float, *,
        drop: tuple[str, ...] = (), held: Held | None = None,
    ) -> bool:  # fmt: skip
        """Answer from the store; False when the object turned out to be damaged, is gone, and nothing was sent.

        `drop` are the fields that were not validated for this client. `held`: its bytes, where they are open already.
        """
        if selected is None:
            return False
        if held is None:
            opened = self._store.open(stored)
            if opened is None:
                return False
            opened.touch()
            held = Held(opened)
        request, reply, judged = turn.request, turn.reply, turn.plan.judgement
        served = serving.shape(self._name, request, turn.route, stored, selected, turn.status, now_s, drop)
        if not await serving.first_right(held.opened, served, request):
            return False
        self._say(turn, result)
        await serving.send(held, served, request, reply)
        if result == "TCP_HIT" and judged is not None:
            self._preparing.offer(request, turn.route, held, served, judged, turn.epoch)
        return True

    # -- by the origin ---------------------------------------------------------------------------------------------
    async def _fetched(self, turn: Turn) -> bool:
        """Through the one fetch that runs for this, or by starting it; False: plan again."""
        ask, key = self._ask(turn), None
        if not turn.alone and turn.request.method == "GET":
            key = self._key(turn, ask)
            turn.alone = self._fetching.uncacheable.holds(key, time.time())
        fetch = None if key is None or turn.alone else self._running(turn, ask, key)
        joined = fetch is not None
        if fetch is None:
            fetch = self._fetching.start(ask, None if turn.alone else key)
        else:
            turn.status.collapsed = True
            self._metrics.count("longhaul_collapsed_requests_total")
        reader = fetch.join()
        try:
            try:
                await fetch.head(partial(pass_interim, turn.reply))
            except UpstreamError as error:
                if await self._instead(turn, None):
                    return True
                raise gateway_error(self._name, error, turn.reply, turn.status, self._metrics) from error
            return await self._by_head(turn, fetch, reader, key, joined)
        finally:
            fetch.leave(reader)

    def _running(self, turn: Turn, ask: Ask, key: Hashable) -> Fetch | None:
        """The fetch that also answers this request: for the same, or of the whole where only a part is wanted."""
        found = self._fetching.find(key)
        if found is None and turn.plan.do is Do.FORWARD:
            found = self._fetching.find(self._key(turn, ask, plain=True))
            if found is not None and not following.soon(turn.request, found):
                return None
        return found

    async def _by_head(self, turn: Turn, fetch: Fetch, reader: Reader, key: Hashable | None, joined: bool) -> bool:
        """Go on with a fetch whose head is known; False: plan again."""
        made = fetch.exchange
        assert made is not None
        turn.status.fwd_status, turn.reply.outcome.upstream_ms = made.response.status, made.upstream_ms
        if key is not None and not joined:
            if fetch.shared and not fetch.narrow:
                self._fetching.uncacheable.forget(key)
            elif made.response.status < 500 and (fetch.narrow or fetch.arrival.kind is Kind.PASS):
                self._fetching.uncacheable.note(key, time.time())
        if fetch.arrival.kind is Kind.ORPHAN:
            turn.plain = True
            return False
        if joined and (fetch.narrow or not fetch.answers(self._seen_by(turn))):
            turn.alone = True  # what came is for the client that began; the others ask for themselves (RFC 9111, section 4)
            return False
        if fetch.arrival.kind in (Kind.SAME, Kind.OWN):
            return await self._refreshed(turn, fetch, joined)
        if turn.plan.do is Do.COMPLETE and made.response.status in (206, 416) and not following.fills(turn.request, fetch):
            turn.plain = True  # it is about our range, and does not help a client who asked for something else
            return False
        if 500 <= made.response.status < 600 and await self._instead(turn, made.response.status):
            return True
        return await self._follow(turn, fetch, reader, joined)

    async def _refreshed(self, turn: Turn, fetch: Fetch, joined: bool) -> bool:
        """A 304 said that what is stored is right; it may choose a response that Vary would not (RFC 9111, 4.3.4)."""
        held, now_s = None, time.time()
        if fetch.own is not None:
            held, stored = fetch.own
        elif fetch.refreshed:
            stored = variants.select(self._seen_by(turn), fetch.refreshed) or fetch.refreshed[0]
        else:
            turn.plain = True  # what it was about is gone
            return False
        judged = reuse.judge(turn.request, stored, now_s, turn.route.freshness.override(stored.status))
        turn.status.ttl_s = judged.ttl_s
        drop = judged.drop_fields if joined else ()  # who joined did not ask, so what no-cache="..." names is not for them
        selected = answering.answer(turn.request, stored)
        return await self._serve(turn, stored, selected, "TCP_REFRESH_HIT", now_s, drop=drop, held=held)

    async def _instead(self, turn: Turn, status: int | None) -> bool:
        """What is stored, in place of an error of the origin, where that is allowed."""
        made = turn.plan
        if not made.on_error or made.stored is None or made.judgement is None:
            return False
        turn.status.fwd_status, turn.status.ttl_s, turn.status.detail = status, made.judgement.ttl_s, "stale-if-error"
        self._metrics.count("longhaul_origin_errors_total")
        return await self._serve(turn, made.stored, made.selected, "TCP_REF_FAIL_HIT", time.time(),
                                 drop=made.judgement.drop_fields)  # fmt: skip

    async def _follow(self, turn: Turn, fetch: Fetch, reader: Reader, joined: bool) -> bool:
        """With what the fetch brings, while it brings it."""
        turn.status.stored = fetch.kept
        result = RESULTS.get(turn.status.fwd or "", "TCP_MISS")
        held = None
        if turn.plan.do is Do.COMPLETE and not turn.plain and fetch.arrival.joins is not None:
            opened = self._store.open(fetch.arrival.joins)
            if opened is None:
                return False
            held = Held(opened)
        try:
            fields = following.fields_of(self._name, turn.request, turn.route, fetch, turn.status, joined=joined)
            self._say(turn, result)
            if held is None:
                await following.follow(turn.request, turn.reply, fetch, reader, fields)
            else:
                await following.complete(turn.request, turn.reply, fetch, reader, fields, held)
        except UpstreamError as error:
            if turn.reply.first_byte_at is None:
                raise gateway_error(self._name, error, turn.reply, turn.status, self._metrics) from error
            raise cut(error, turn.reply, self._metrics) from error
        return True

    def _validate_behind(self, turn: Turn) -> None:
        """Ask the origin while the client already has its answer: RFC 5861, section 3."""
        behind = replace(turn, status=CacheStatus())
        ask = self._ask(behind)
        key = self._key(behind, ask)
        if self._fetching.find(key) is None:
            self._metrics.count("longhaul_background_requests_total")
            fetch = self._fetching.start(ask, key)
            fetch.keep = True
            fetch.task.add_done_callback(lambda _: self._behind_ended(fetch))

    def _behind_ended(self, fetch: Fetch) -> None:
        """Nobody waited, so nobody else would tell that it failed."""
        if fetch.failed:
            self._metrics.count("longhaul_origin_errors_total")

    # -- what is asked ---------------------------------------------------------------------------------------------
    def _ask(self, turn: Turn) -> Ask:
        request, route, made = turn.request, turn.route, turn.plan
        assert route.origin is not None
        asked: tuple[Stored, ...] = ()
        if made.do is not Do.COMPLETE and not turn.plain:
            asked = validation.asked_about(made.stored, turn.known)
        own: list[tuple[str, str]] | None = validation.conditions(asked) or None
        if made.do is Do.COMPLETE and not turn.plain:
            own = list(made.completion)
        elif own is None and (turn.plain or made.do is Do.BEHIND):
            own = []  # the answer is for the cache, whatever this client has asked of it
        return Ask(
            route.origin.address, request.method, origin_form(request), fields_for(self._name, request, route, own), None,
            request, turn.primary, request.uri, route.freshness.override, tuple(turn.known), asked, made.on_error,
        )  # fmt: skip

    def _key(self, turn: Turn, ask: Ask, *, plain: bool = False) -> Hashable:
        vary = variants.vary_values(self._seen_by(turn), turn.known[0].headers) if turn.known else ()
        return collapse_key(ask, vary or (), plain=plain)

    def _seen(self, request: Request, route: Route) -> Fields:
        return for_variants(fields_for(self._name, request, route, []))

    def _seen_by(self, turn: Turn) -> Fields:
        if turn.seen is None:
            turn.seen = self._seen(turn.request, turn.route)
        return turn.seen

    def _say(self, turn: Turn, result: str) -> None:
        outcome = turn.reply.outcome
        outcome.result, outcome.cache_status = result, turn.status.text(self._name)
