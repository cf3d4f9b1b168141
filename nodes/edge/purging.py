"""What is not to be used any more: removed from the store, from fetches that run and from what is prepared.

Which URIs and groups an unsafe request makes invalid is decided in `caching/invalidation.py`.
"""

from __future__ import annotations

from collections.abc import Callable

from nodes.edge.asking import Ask
from nodes.edge.caching import invalidation
from nodes.edge.caching.uris import normalised, origin_of
from nodes.edge.fetching import Fetching
from nodes.edge.routing.rules import Rules
from nodes.edge.store.purges import keyed, path_of
from nodes.edge.store.purges import origin_of as start_of
from nodes.edge.store.store import Store
from nodes.http.message import Fields, Request
from nodes.http.metrics import Metrics
from nodes.http.response import Response


class PurgeError(ValueError):
    """What is to be purged cannot be understood; the message says what could."""


class Purging:
    """`rules` gives the rules of the moment: they tell the key under which a URI is kept."""

    def __init__(self, store: Store, fetching: Fetching, rules: Callable[[], Rules], metrics: Metrics) -> None:
        self._store, self._fetching, self._rules, self._metrics = store, fetching, rules, metrics

    def invalidate(self, request: Request, response: Response) -> None:
        """After an unsafe request: RFC 9111, section 4.4, and RFC 9875, section 3."""
        for target in invalidation.targets(request.method, request.uri, response.status, response.fields):
            self._uri(target, request)
        origin = origin_of(request.uri)
        if origin is not None:
            for group in invalidation.groups(request.method, response.fields):
                self.group(f"{origin[0]}://{origin[1]}", group)

    def uri(self, text: str) -> int:
        """All variants of one URI; gives how many were there. Raises PurgeError."""
        target = normalised(text)
        if target is None:
            raise PurgeError(f"'{text}' is not a URL; write for example http://www.example/a.html")
        return self._uri(target, None)

    def prefix(self, text: str) -> int:
        """Everything whose URI begins so; gives how many were in memory. Raises PurgeError."""
        prefix = normalised(text)
        if prefix is None:
            raise PurgeError(f"'{text}' is not the beginning of a URL; write for example http://www.example/images/")
        self._fetching.revoke()
        return self._store.purge_prefix(prefix, self._starts(prefix))

    def group(self, origin: str, group: str) -> int:
        """Everything of an origin that is in a group (RFC 9875); gives how many were in memory. Raises PurgeError."""
        parts = origin_of(origin)
        if parts is None:
            raise PurgeError(f"'{origin}' is not an origin; write for example http://www.example")
        self._fetching.revoke()
        whole = f"{parts[0]}://{parts[1]}"
        return self._store.purge_group(whole, group, self._starts(whole))

    def everything(self) -> int:
        """All; gives how many there were."""
        self._fetching.revoke()
        self._fetching.uncacheable.clear()
        return self._store.clear()

    def _uri(self, target: str, like: Request | None) -> int:
        starts = self._starts(target)
        count = self._store.purge_uri(target, starts)
        # A key may leave out the host or parts of the query: what another spelling of the URI has put there goes too.
        primary = self._primary(target, like)
        values = {keyed(start, path_of(target)) for start in starts}

        def reached(ask: Ask) -> bool:
            if ask.primary is None:
                return ask.uri == target
            return ask.uri == target or ask.primary == primary or keyed(start_of(ask.primary), path_of(ask.uri)) in values

        self._fetching.revoke(reached)
        if primary is not None:
            for stored in self._store.find(primary):
                count += self._store.remove(stored.key)
        return count

    def _primary(self, target: str, like: Request | None) -> str | None:
        """The key that a GET of a URI has; fields that count are those of the request that led here."""
        scheme, _, authority = target.split("/", 3)[:3]
        where = path_of(target)
        path, _, query = where.partition("?")
        fields = Fields() if like is None else like.fields.copy()
        fields.put("Host", authority)
        asked = Request("GET", where, "1.1", fields, path, query, client="" if like is None else like.client,
                        scheme=scheme.rstrip(":"), authority=authority)  # fmt: skip
        route = self._rules().route(asked)
        return route.primary_key(asked) if route is not None and route.origin is not None else None

    def _starts(self, uri: str) -> set[str]:
        """What keys begin with, under which lies what answers for a URI's host, whatever host it was first asked of."""
        return self._rules().key_starts(uri.split("/", 3)[2])
