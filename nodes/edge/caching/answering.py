"""How a stored response answers a request's preconditions and ranges (RFC 9111, section 4.3.2; RFC 9110, 13 and 14).

It does not ask whether the response may be used; `reuse.py` does.
"""

from __future__ import annotations

from nodes.edge.caching.asked import Asked
from nodes.edge.caching.partial import covers, strong_validator
from nodes.edge.stored import Stored
from nodes.http.conditionals import Selected, select
from nodes.http.dates import http_date
from nodes.http.message import Fields
from nodes.http.ranges import range_specs

_CONDITIONS = frozenset(("if-none-match", "if-modified-since", "range"))
"""Without one of these there is nothing to evaluate; If-Range counts beside Range only."""


def answer(request: Asked, stored: Stored) -> Selected | None:
    """The status and parts for a GET or HEAD; None when bytes are needed that are not kept (fwd=partial).

    Status 0 in the result stands for the stored status: what is no 200 is sent as it is, whole (RFC 9110, 13.2.1).
    """
    size_bytes = stored.size_bytes
    if stored.status != 200:
        return Selected(0, ((0, size_bytes or 0),)) if stored.complete else None
    asked = request.fields
    if size_bytes is not None and stored.complete and not any(name.lower() in _CONDITIONS for name, _ in asked.items):
        return Selected(200, ((0, size_bytes),))
    fields = stored.headers
    # Section 4.3.2: without Last-Modified the Date, or the time of reception, stands in for it; If-Range needs the real one.
    modified = fields.get("last-modified") or fields.get("date") or http_date(stored.received_s)
    validator = strong_validator(fields)
    strong_date = validator is not None and validator[0] == "last-modified"
    if size_bytes is None:
        return _of_unknown_size(request, stored, modified, strong_date)
    chosen = select(
        request.method, asked, fields.get("etag"), modified, size_bytes,
        origin=False, date_is_strong=strong_date, several=True,
    )  # fmt: skip
    if chosen.status in (304, 416) or (request.method == "HEAD" and chosen.status == 200):
        return chosen
    return chosen if all(covers(stored.parts, *part) for part in chosen.parts) else None


def _of_unknown_size(request: Asked, stored: Stored, modified: str, strong_date: bool) -> Selected | None:
    """A stored part of a whole whose length nobody said: only ranges with both ends can be answered."""
    fields = stored.headers
    without_range = Fields(item for item in request.fields.items if item[0].lower() != "range")
    if select(request.method, without_range, fields.get("etag"), modified, 0, origin=False).status == 304:
        return Selected(304, ((0, 0),))
    specs = range_specs(request.fields.get("range"))
    end = max((part.start + part.length for part in stored.parts), default=0)
    if request.method != "GET" or specs is None or any(first is None or last is None for first, last in specs):
        return None
    chosen = select(
        "GET", request.fields, fields.get("etag"), modified, end,
        origin=False, date_is_strong=strong_date,
    )  # fmt: skip
    if chosen.status != 206 or any(last is None or last >= end for _, last in specs):
        return None
    return chosen if all(covers(stored.parts, *part) for part in chosen.parts) else None
