"""Requests that go to the origin each time: other methods than GET and HEAD, and what rules or the client keep from the cache.

It looks nothing up. What such requests make invalid is removed before the client has its answer.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial

from nodes.edge import following
from nodes.edge.asking import Ask
from nodes.edge.cache_status import CacheStatus
from nodes.edge.caching.reuse import only_if_cached
from nodes.edge.fetch import Fetch
from nodes.edge.fetching import Fetching
from nodes.edge.gateway import cut, gateway_error, not_asked
from nodes.edge.purging import Purging
from nodes.edge.routed import fields_for, origin_form
from nodes.edge.routing.rules import Route
from nodes.http.continuing import pass_interim
from nodes.http.message import SAFE_METHODS, Request
from nodes.http.metrics import Metrics
from nodes.http.reply import Reply
from nodes.http.response import Response
from nodes.http.upstream_error import UpstreamError


class Passing:
    """See the module."""

    def __init__(
        self, name: str, fetching: Fetching, purging: Purging, settled: Callable[[], Awaitable[None]], metrics: Metrics
    ) -> None:  # fmt: skip
        """`settled` returns when every worker knows what was made invalid."""
        self._name, self._fetching, self._purging, self._settled, self._metrics = name, fetching, purging, settled, metrics

    async def answer(self, request: Request, reply: Reply, route: Route, why: str) -> None:
        """Answer one request; `why` is a `fwd` of RFC 9211. Raises HttpError, ConnectionError."""
        assert route.origin is not None
        if request.method in ("GET", "HEAD") and only_if_cached(request):
            raise not_asked(self._name, reply, None)
        # The answer to a POST may be one to a later GET: RFC 9110, section 9.3.3.
        primary = route.primary_key(request) if request.method == "POST" and not route.passes else None
        status = CacheStatus(fwd=why)
        ask = Ask(
            route.origin.address, request.method, origin_form(request), fields_for(self._name, request, route, None),
            request.body if request.has_body else None, request, primary, request.uri, route.freshness.override,
        )  # fmt: skip
        fetch: Fetch

        def invalidate(response: Response) -> None:
            purged = fetch.revoked
            self._purging.invalidate(request, response)
            fetch.revoked = purged  # what this very answer may store is newer than what it made invalid, not than a purge

        fetch = self._fetching.start(ask, on_response=None if request.method in SAFE_METHODS else invalidate)
        reader = fetch.join()
        try:
            await fetch.head(partial(pass_interim, reply))
            if request.method not in SAFE_METHODS:
                await self._settled()
            made = fetch.exchange
            assert made is not None
            status.fwd_status, reply.outcome.upstream_ms, status.stored = made.response.status, made.upstream_ms, fetch.kept
            status.key = primary if fetch.kept else None
            fields = following.fields_of(self._name, request, route, fetch, status)
            reply.outcome.result, reply.outcome.cache_status = "TCP_MISS", status.text(self._name)
            await following.follow(request, reply, fetch, reader, fields)
        except UpstreamError as error:
            if reply.first_byte_at is None:
                raise gateway_error(self._name, error, reply, status, self._metrics) from error
            raise cut(error, reply, self._metrics) from error
        finally:
            fetch.leave(reader)
