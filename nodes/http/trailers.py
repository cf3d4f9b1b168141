"""Which trailers of a response go on to a client. It reads none; `chunked.py` does."""

from __future__ import annotations

from nodes.http.message import HOP_BY_HOP, Fields

REFUSED = HOP_BY_HOP | frozenset(
    ("content-length", "host", "content-encoding", "content-type", "content-range", "cache-control", "expect", "max-forwards",
     "pragma", "range", "authorization", "www-authenticate", "set-cookie", "age", "expires", "date", "location", "retry-after",
     "vary", "warning", "via", "cache-status", "cdn-cache-control", "cache-groups", "cache-group-invalidation")
)  # fmt: skip
"""Fields that frame, route, authenticate, describe the content's coding or steer caches: RFC 9110, section 6.5.1, forbids
them as trailers, and a recipient that merged them would be deceived. Lower case."""


def passable(trailers: Fields) -> Fields:
    """Those that may go on, in order."""
    return Fields(item for item in trailers.items if item[0].lower() not in REFUSED)
