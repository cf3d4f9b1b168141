"""The edge's answers: from the cache, from a fetch shared with others, or passed through.

What may be stored and for how long is decided in `freshness.py`, where it goes in `rules.py`, what is evicted in
`lru.py`; this file connects them.
"""

from __future__ import annotations

import asyncio
import time
from functools import partial
from typing import TYPE_CHECKING

from nodes.edge import control, freshness
from nodes.edge.exchange import Ask
from nodes.edge.fetch import Fetch, ttl_s
from nodes.edge.forwarding import CacheStatus, loops, to_client, to_origin
from nodes.edge.record import Record
from nodes.edge.rules import Route, Rules
from nodes.edge.transfer import Reader
from nodes.http.conditionals import select
from nodes.http.message import Fields, HttpError, Request
from nodes.http.metrics import Metrics
from nodes.http.pool import Pool
from nodes.http.ranges import content_range
from nodes.http.reply import Reply
from nodes.http.upstream import UpstreamError

if TYPE_CHECKING:
    from nodes.edge.store import Store

HEAD_ALONE_S = 0.02
"""How long a head waits for the first content, so that both leave together."""


class Edge:
    """A reverse proxy with a cache."""

    def __init__(self, name: str, rules: Rules, store: Store, pool: Pool, metrics: Metrics) -> None:
        self.name, self.rules, self.store, self.pool, self.metrics = name, rules, store, pool, metrics
        self.fetches: dict[str, Fetch] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def close(self) -> None:
        """End what still runs for nobody, and close idle connections."""
        tasks = [task for task in self._tasks if not task.done()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self.pool.close()

    async def handle(self, request: Request, reply: Reply) -> None:
        """Answer one request."""
        if request.path in control.PATHS:
            await control.handle(self, request, reply)
            return
        if loops(request, self.name):
            raise HttpError(508, f"this request has passed {self.name} before")  # RFC 8586, section 3
        route = self.rules.route(request)
        if route is None or not request.target.startswith(("/", "http://", "https://", "*")):
            raise HttpError(404, "no route of this edge matches the request")
        asked = freshness.directives(request.fields.get("cache-control"))
        why = _bypass(request, route, asked)
        if why is not None:
            await self._pass(request, reply, route, CacheStatus(fwd=why))
            return
        host = (request.fields.get("host") or "") if route.preserve_host else route.origin.authority
        primary = f"{host} {request.path}" + (f"?{request.query}" if "?" in request.target else "")
        key = self.store.key(primary, request.fields)
        record = self.store.find(key)
        status = CacheStatus(fwd="uri-miss")
        if record is not None:
            left_s = ttl_s(record)
            if left_s > 0 and "no-cache" not in asked and asked.get("max-age") != "0":
                if await self._stored(request, reply, record, CacheStatus(hit=True, ttl_s=left_s), "TCP_HIT"):
                    return
                record = None  # it was damaged, and is gone
            else:
                status.fwd = "stale" if left_s <= 0 else "request"
        elif self.store.varies(primary):
            status.fwd = "vary-miss"
        if "only-if-cached" in asked:
            raise HttpError(504, "only a cached response was asked for, and there is none")  # RFC 9111, 5.2.1.7
        if record is None and (request.method == "HEAD" or "range" in request.fields):
            await self._pass(request, reply, route, status)
            return
        fields = to_origin(request, self.name, _host(request, route), for_store=True)
        if record is not None:
            fields.items += freshness.conditions(record.headers)
        target = _origin_form(request)
        ask = Ask(route.origin.address, "GET", target, fields, None, request.fields, primary, key, record)
        await self._shared(request, reply, route, ask, status)

    async def _shared(self, request: Request, reply: Reply, route: Route, ask: Ask, status: CacheStatus) -> None:
        """By the one fetch that runs for this key, or by starting it."""
        assert ask.key is not None
        fetch = self.fetches.get(ask.key)
        if fetch is None or not fetch.joinable:
            fetch = self.fetches[ask.key] = self._start(ask)
            fetch.task.add_done_callback(partial(self._ended, ask.key, fetch))
        else:
            status.collapsed = True
            self.metrics.count("longhaul_collapsed_requests_total")
        reader, alone = fetch.join(), False
        try:
            await self._head(fetch, reply, status)
            if status.collapsed and not fetch.shareable_with(request.fields):
                alone = True
            elif fetch.refreshed is not None:
                left_s = ttl_s(fetch.refreshed)
                fresh = CacheStatus(hit=False, fwd=status.fwd, fwd_status=304, ttl_s=left_s, collapsed=status.collapsed)
                if not await self._stored(request, reply, fetch.refreshed, fresh, "TCP_REFRESH_HIT"):
                    raise HttpError(502, "the stored object was damaged; ask again")
            else:
                await self._follow(fetch, reader, request, reply, status)
        finally:
            fetch.leave(reader)
        if alone:  # what came is for the client that began; the others ask for themselves (RFC 9111, section 4)
            status.collapsed = False
            await self._pass(request, reply, route, status)

    async def _pass(self, request: Request, reply: Reply, route: Route, status: CacheStatus) -> None:
        """To the origin and back, storing nothing."""
        fields = to_origin(request, self.name, _host(request, route), for_store=False)
        body = request.body if request.has_body else None
        ask = Ask(route.origin.address, request.method, _origin_form(request), fields, body, request.fields, "", None)
        fetch = self._start(ask)
        reader = fetch.join()
        try:
            await self._head(fetch, reply, status)
            await self._follow(fetch, reader, request, reply, status)
        finally:
            fetch.leave(reader)

    def _start(self, ask: Ask) -> Fetch:
        fetch = Fetch(ask, self.pool, self.store, self.metrics)
        self.metrics.count("longhaul_origin_requests_total")
        self._tasks.add(fetch.task)
        fetch.task.add_done_callback(self._tasks.discard)
        return fetch

    def _ended(self, key: str, fetch: Fetch, _task: asyncio.Task[None]) -> None:
        if self.fetches.get(key) is fetch:
            del self.fetches[key]

    async def _head(self, fetch: Fetch, reply: Reply, status: CacheStatus) -> None:
        """Wait for the origin's head; an origin that fails before is a 502 or 504. Raises HttpError."""
        try:
            await fetch.head()
        except UpstreamError as error:
            raise self._gateway_error(error, reply, status) from error
        assert fetch.exchange is not None
        status.fwd_status = fetch.exchange.response.status
        reply.outcome.upstream_ms = fetch.exchange.upstream_ms

    def _gateway_error(self, error: UpstreamError, reply: Reply, status: CacheStatus) -> HttpError:
        self.metrics.count("longhaul_origin_errors_total")
        status.detail = str(error)
        reply.outcome.result = "ERR_READ_TIMEOUT" if error.timeout else "ERR_CONNECT_FAIL"
        reply.outcome.cache_status = status.text(self.name)
        fields = [("Cache-Status", reply.outcome.cache_status), ("Cache-Control", "no-store")]
        return HttpError(504 if error.timeout else 502, str(error), fields)

    async def _stored(
        self, request: Request, reply: Reply, record: Record, status: CacheStatus, result: str
    ) -> bool:  # fmt: skip
        """Answer from the disk; False when the object turned out to be damaged and nothing was sent."""
        file = self.store.open(record)
        if file is None:
            return False
        with file:
            age_s = freshness.current_age_s(record.initial_age_s, record.received_s, time.time())
            fields = to_client(record.headers, self.name, status, age_s)
            self._say(reply, status, result)
            span = await _begin(request, reply, fields, record.size_bytes)
            if span is not None and request.method == "GET" and span[1]:
                await reply.file(file, *span)
            await reply.end()
        return True

    async def _follow(
        self, fetch: Fetch, reader: Reader, request: Request, reply: Reply, status: CacheStatus
    ) -> None:  # fmt: skip
        """Answer with what the fetch brings, while it brings it."""
        assert fetch.exchange is not None
        response, transfer = fetch.exchange.response, fetch.transfer
        status.stored = fetch.stores
        result = {"stale": "TCP_REFRESH_MISS", "request": "TCP_CLIENT_REFRESH_MISS"}.get(status.fwd or "", "TCP_MISS")
        age_s = fetch.initial_age_s if fetch.stores or "age" in response.fields else None
        fields = to_client(response.fields, self.name, status, age_s)
        fields.add("Server-Timing", f"origin;dur={fetch.exchange.upstream_ms:g}")
        self._say(reply, status, result)
        try:
            await reader.ready(HEAD_ALONE_S)
            if fetch.ask.key is not None and response.status == 200 and response.length_bytes is not None:
                if await _begin(request, reply, fields, response.length_bytes, ranges=False) is None:
                    fetch.keep = fetch.stores  # this client has it already; the cache has not
                    await reply.end()
                    return
            else:
                reply.start(response.status, fields, response.length_bytes)
            if request.method == "HEAD":
                fetch.keep = fetch.stores
                await reply.end()
                return
            if transfer.available_bytes == 0:
                await reply.flush()
            while data := await reader.next():
                await reply.write(data)
            await reply.end()
        except UpstreamError as error:
            if reply.first_byte_at is None:
                raise self._gateway_error(error, reply, status) from error
            self.metrics.count("longhaul_origin_cut_total")
            reply.outcome.notes["upstream_error"] = str(error)
            raise ConnectionResetError(f"cut, because {error}") from error

    def _say(self, reply: Reply, status: CacheStatus, result: str) -> None:
        reply.outcome.result, reply.outcome.cache_status = result, status.text(self.name)
        self.metrics.count("longhaul_cache_requests_total", result=result)


async def _begin(
    request: Request, reply: Reply, fields: Fields, size_bytes: int, *, ranges: bool = True
) -> tuple[int, int] | None:  # fmt: skip
    """Start a 200 or 206 and give the part to send, or None for a 304. Raises HttpError 412 and 416."""
    asked = request.fields
    if not ranges:
        asked = asked.copy()
        asked.drop("range")
    chosen = select(request.method, asked, fields.get("etag"), fields.get("last-modified"), size_bytes)
    if chosen.status == 412:
        raise HttpError(412, "a precondition of the request is false")
    if chosen.status == 416:
        raise HttpError(416, "no byte of that range exists", [("Content-Range", f"bytes */{size_bytes}")])
    if chosen.status == 304:
        fields.drop("content-type", "content-length")
        reply.start(304, fields, 0)
        return None
    if chosen.status == 206:
        fields.put("Content-Range", content_range(chosen.start, chosen.length, size_bytes))
    reply.start(chosen.status, fields, chosen.length)
    return chosen.start, chosen.length


def _bypass(request: Request, route: Route, asked: dict[str, str]) -> str | None:
    """Why a request is passed without looking into the cache (a `fwd` of RFC 9211), or None."""
    if not route.cache or "authorization" in request.fields:
        return "bypass"
    if request.method not in ("GET", "HEAD"):
        return "method"
    return "request" if "no-store" in asked or request.has_body else None


def _host(request: Request, route: Route) -> str:
    return (request.fields.get("host") or "") if route.preserve_host else route.origin.authority


def _origin_form(request: Request) -> str:
    """The target as an origin server wants it: RFC 9112, section 3.2.1."""
    if request.target.startswith(("/", "*")):
        return request.target
    return request.path + (f"?{request.query}" if request.query else "")
