"""The edge's own paths: `GET /-/cache` tells what it holds, `DELETE /-/cache` empties it, and
`DELETE /-/connections` closes its idle connections to the origin.

They are for experiments that need a cold cache or a new connection. Who can reach the edge can reach it.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from nodes.http.message import Fields, HttpError, Request
from nodes.http.reply import Reply

if TYPE_CHECKING:
    from nodes.edge.app import Edge

PATHS = ("/-/cache", "/-/connections")


async def handle(edge: Edge, request: Request, reply: Reply) -> None:
    """Answer a control request with JSON. Raises HttpError for another method."""
    if request.method == "DELETE" and request.path == "/-/connections":
        answer: dict[str, object] = {"closed_connections": edge.pool.idle_count()}
        edge.pool.close()
    elif request.method == "DELETE":
        edge.fetches.clear()  # whoever asks from now on does not join a fetch that began before
        answer = {"dropped_objects": edge.store.clear()}
    elif request.method in ("GET", "HEAD"):
        answer = _state(edge)
    else:
        raise HttpError(405, "the cache answers GET and DELETE", [("Allow", "GET, HEAD, DELETE")])
    fields = Fields([("Content-Type", "application/json"), ("Cache-Control", "no-store")])
    await reply.full(200, fields, json.dumps(answer).encode() + b"\n")


def _state(edge: Edge) -> dict[str, object]:
    lru, value = edge.store.lru, edge.metrics.value
    return {
        "node": edge.name,
        "objects": len(edge.store),
        "used_bytes": lru.used_bytes,
        "reserved_bytes": lru.reserved_bytes,
        "capacity_bytes": lru.capacity_bytes,
        "fetches_running": len(edge.fetches),
        "hits": int(value("longhaul_cache_requests_total", result="TCP_HIT")),
        "misses": int(value("longhaul_cache_requests_total", result="TCP_MISS")),
        "revalidated": int(value("longhaul_cache_requests_total", result="TCP_REFRESH_HIT")),
        "collapsed": int(value("longhaul_collapsed_requests_total")),
        "evictions": int(value("longhaul_cache_evictions_total")),
        "bad_objects": int(value("longhaul_cache_bad_objects_total")),
        "disk_errors": int(value("longhaul_cache_disk_errors_total")),
        "origin_requests": int(value("longhaul_origin_requests_total")),
        "origin_connections_opened": edge.pool.opened_total,
        "origin_connections_reused": edge.pool.reused_total,
        "origin_connections_idle": edge.pool.idle_count(),
    }
