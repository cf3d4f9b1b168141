"""Filling: an object is fetched from a source that is named, a peer or an origin, and stored before any client asks for it.

It decides nothing: whether the response may be stored is HTTP's to say as ever, but no admission rule is asked.
"""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING

from nodes.edge.asking import Ask
from nodes.edge.routed import fields_for, origin_form
from nodes.edge.routing.origin import Origin
from nodes.edge.routing.rules import Route
from nodes.http.message import Fields, HttpError, Request
from nodes.http.upstream_error import UpstreamError

if TYPE_CHECKING:
    from nodes.edge.app import Edge


async def fill(edge: Edge, asked: Request, target: str, source: Origin, *, from_peer: bool) -> dict[str, object]:
    """Fetch `target` from `source` and store it under the key that clients' requests have. A peer is asked for what it has
    alone, so that it does not fetch in our stead. Raises HttpError."""
    path, _, query = target.partition("?")
    condition = [("Cache-Control", "only-if-cached")] if from_peer else []
    request = Request("GET", target, "1.1", Fields(condition), path, query, authority=asked.authority, client=asked.client)
    route = edge.rules.route(request)
    if route is None or route.origin is None or route.passes:
        raise HttpError(400, f"no route of this edge caches {target}")
    primary = route.primary_key(request)
    if any(one.complete for one in edge.store.find(primary)):
        return {"path": target, "stored": True, "was_there": True, "bytes": 0, "took_ms": 0.0}
    began_s = time.monotonic()
    size_bytes = await _fetched(edge, _ask(edge, request, route, source, primary))
    edge.metrics.count("longhaul_fill_received_bytes_total", size_bytes, source="peer" if from_peer else "origin")
    took_ms = round((time.monotonic() - began_s) * 1e3, 3)
    return {"path": target, "stored": True, "was_there": False, "bytes": size_bytes, "took_ms": took_ms}


def _ask(edge: Edge, request: Request, route: Route, source: Origin, primary: str) -> Ask:
    fields = fields_for(edge.name, request, replace(route, origin=source, preserve_host=False), [])
    return Ask(source.address, "GET", origin_form(request), fields, None, request, primary, request.uri,
               route.freshness.override, filled=True)  # fmt: skip


async def _fetched(edge: Edge, ask: Ask) -> int:
    """The size of what was stored. Raises HttpError when nothing was, with the reason."""
    fetch = edge.fetching.start(ask)
    reader = fetch.join()
    size_bytes = 0
    try:
        await fetch.head()
        while data := await reader.next():
            size_bytes += len(data)
    except (UpstreamError, ConnectionError) as error:
        raise HttpError(502, f"the source failed: {error}") from error
    finally:
        fetch.leave(reader)
    if fetch.response.status != 200:
        raise HttpError(502, f"the source answered {fetch.response.status}")
    if not fetch.kept:
        raise HttpError(502, f"it was not stored: {fetch.arrival.why or 'there is no room, or the disk did not take it'}")
    return size_bytes
