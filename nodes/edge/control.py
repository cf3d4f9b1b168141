"""The edge's own paths, under `/-/`: what it holds, how it is emptied, what is purged.

    GET    /-/cache                       what it holds, in numbers
    DELETE /-/cache                       empties it
    DELETE /-/connections                 closes idle connections to origins
    POST   /-/purge?url=URL               all variants of one URL
    POST   /-/purge?prefix=URL            every URL that begins so
    POST   /-/purge?group=NAME&origin=URL a group of an origin (RFC 9875)
    POST   /-/fill?path=PATH&from=URL     fetches from this server and stores it, whatever the admission rule says
    POST   /-/fill?path=PATH&peer=URL     the same, from an edge: only what that one has

After a purge is answered nothing that was stored or asked for before it is used. Who can reach the edge can reach these.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl

from nodes.edge.filling import fill
from nodes.edge.purging import PurgeError, Purging
from nodes.edge.routing.origin import origin
from nodes.http.message import Fields, HttpError, Request
from nodes.http.own_paths import demand
from nodes.http.reply import Reply
from nodes.http.target import parse_target

if TYPE_CHECKING:
    from nodes.edge.app import Edge

ALLOWED = {"/-/cache": "GET, HEAD, DELETE", "/-/connections": "DELETE", "/-/purge": "POST",
           "/-/fill": "POST"}  # fmt: skip


async def handle(edge: Edge, request: Request, reply: Reply) -> None:
    """Answer a control request with JSON. Raises HttpError."""
    demand(request, ALLOWED)
    answer: dict[str, object]
    if request.path == "/-/connections":
        answer = {"closed_connections": edge.pool.idle_count()}
        edge.pool.close()
    elif request.path == "/-/fill":
        answer = await _fill(edge, request)
    elif request.path == "/-/purge":
        answer = {"purged_objects": _purge(edge.purging, request)}
        await edge.preparing.settled()
    elif request.method == "DELETE":
        answer = {"dropped_objects": edge.purging.everything()}
        await edge.preparing.settled()
    else:
        answer = state(edge)
    fields = Fields([("Content-Type", "application/json"), ("Cache-Control", "no-store")])
    await reply.full(200, fields, json.dumps(answer).encode() + b"\n")


def _purge(purging: Purging, request: Request) -> int:
    given = dict(parse_qsl(request.query, keep_blank_values=True))
    try:
        if set(given) == {"url"}:
            return purging.uri(given["url"])
        if set(given) == {"prefix"}:
            return purging.prefix(given["prefix"])
        if set(given) == {"group", "origin"}:
            return purging.group(given["origin"], given["group"])
    except PurgeError as error:
        raise HttpError(400, str(error)) from error
    raise HttpError(400, "say what: ?url=URL, ?prefix=URL, or ?group=NAME&origin=URL")


async def _fill(edge: Edge, request: Request) -> dict[str, object]:
    given = dict(parse_qsl(request.query, keep_blank_values=True))
    from_peer = "peer" in given
    path, url = given.get("path", ""), given.get("peer" if from_peer else "from", "")
    # The path is decoded here, and goes into a request line: what no client could ask for is not asked for.
    askable = path.startswith("/") and not path.startswith("/-/") and parse_target("GET", path) is not None
    if set(given) != {"path", "peer" if from_peer else "from"} or not askable:
        raise HttpError(400, "say what and from where: ?path=/PATH&from=URL, or ?path=/PATH&peer=URL")
    try:
        source = origin(url)
    except ValueError as error:
        raise HttpError(400, f"cannot fill from '{url}': {error}") from error
    return await fill(edge, request, path, source, from_peer=from_peer)


def state(edge: Edge) -> dict[str, object]:
    """What the edge holds and has done."""
    index, value = edge.store.index, edge.metrics.value
    results = {
        "hits": "TCP_HIT", "misses": "TCP_MISS", "revalidated": "TCP_REFRESH_HIT", "stale_hits": "TCP_STALE_HIT",
        "stale_on_error": "TCP_REF_FAIL_HIT",
    }  # fmt: skip
    counters = {
        "collapsed": "longhaul_collapsed_requests_total", "evictions": "longhaul_cache_evictions_total",
        "bad_objects": "longhaul_cache_bad_objects_total", "disk_errors": "longhaul_cache_disk_errors_total",
        "origin_requests": "longhaul_origin_requests_total",
    }  # fmt: skip
    return {
        "node": edge.name,
        "objects": len(edge.store),
        "index_ready": index.ready,
        "used_bytes": index.used_bytes,
        "reserved_bytes": index.reserved_bytes,
        "capacity_bytes": index.policy.capacity_bytes,
        "fetches_running": len(edge.fetching),
        **{name: int(value("longhaul_requests_total", result=result)) for name, result in results.items()},
        **{name: int(value(counter)) for name, counter in counters.items()},
        "origin_connections_opened": edge.pool.opened_total,
        "origin_connections_reused": edge.pool.reused_total,
        "origin_connections_idle": edge.pool.idle_count(),
    }
