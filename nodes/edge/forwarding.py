"""The fields an edge changes on the way: Via, CDN-Loop, Surrogate-Capability, Max-Forwards, Age, Cache-Status, and those of
one connection.

It changes nothing else: a field it does not know passes as it is, in its place, as often as it came.
"""

from __future__ import annotations

from collections.abc import Iterable

from nodes.edge.cache_status import CacheStatus
from nodes.edge.caching.surrogate import CAPABILITY
from nodes.http.conditionals import CONDITIONAL_FIELDS
from nodes.http.hops import forwards_left
from nodes.http.message import Fields, Request, end_to_end


def to_origin(request: Request, name: str, host: str, *, own: Iterable[tuple[str, str]] | None = None) -> Fields:
    """The request's fields as the origin sees them.

    `own` replaces the client's preconditions and range by the edge's (none, where it is empty): then the answer is for
    the cache, not for this client alone. None leaves what the client asked.
    """
    fields = end_to_end(request.fields)
    fields.drop("host", "content-length")
    if own is not None:
        fields.drop("range", *CONDITIONAL_FIELDS)
    sent = Fields([("Host", host), *fields.items, *(own or ())])
    sent.add("Via", f"{request.version} {name}")
    sent.add("CDN-Loop", name)
    sent.add("Surrogate-Capability", CAPABILITY)
    if own is not None or not request.has_body:
        sent.drop("expect")
    if own is None and request.has_body:
        if request.content_length is not None:
            sent.add("Content-Length", str(request.content_length))
        else:
            sent.add("Transfer-Encoding", "chunked")
    elif request.content_length == 0 and request.method not in ("GET", "HEAD"):
        sent.add("Content-Length", "0")
    if (left := forwards_left(request)) is not None:
        sent.put("Max-Forwards", str(left - 1))
    return sent


def to_client(response: Fields, name: str, status: CacheStatus, age_s: float | None, version: str = "1.1") -> Fields:
    """The response's fields as the client sees them. Cache-Status members stand nearest the origin first."""
    fields = end_to_end(response)
    if age_s is not None:
        fields.put("Age", str(int(age_s)))
    fields.add("Via", f"{version} {name}")
    fields.add("Cache-Status", status.text(name))
    return fields
