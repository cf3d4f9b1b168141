"""How far a request has come and may still go: CDN-Loop, Max-Forwards, and the answer of the last hop.

It passes nothing on; edge and balancer do.
"""

from __future__ import annotations

from nodes.http.message import Fields, Request
from nodes.http.reply import Reply

MOST_DIGITS = 9
"""Of a Max-Forwards; what has more counts as the largest such number."""


def loops(request: Request, name: str) -> bool:
    """Whether this node has seen the request before: RFC 8586, section 2."""
    members = (part.split(";")[0].strip().lower() for part in (request.fields.get("cdn-loop") or "").split(","))
    return name.lower() in members


def forwards_left(request: Request) -> int | None:
    """How often a TRACE or OPTIONS may still be passed on, None when nothing says: RFC 9110, section 7.6.2."""
    value = request.fields.get("max-forwards") if request.method in ("TRACE", "OPTIONS") else None
    if value is None or not (value.isascii() and value.isdigit()):
        return None
    digits = value.lstrip("0") or "0"
    return int(digits) if len(digits) <= MOST_DIGITS else 10**MOST_DIGITS - 1  # section 7.6.2 allows "the maximum supported"


async def answer_as_last(request: Request, reply: Reply) -> None:
    """TRACE and OPTIONS that may go no further: RFC 9110, sections 7.6.2, 9.3.7 and 9.3.8."""
    if request.method == "TRACE":
        kept = [f"{name}: {value}" for name, value in request.fields.items if name.lower() not in _SECRET]
        text = "\r\n".join([f"TRACE {request.target} HTTP/{request.version}", *kept, "", ""])
        await reply.full(200, Fields([("Content-Type", "message/http")]), text.encode("latin-1"))
    else:
        await reply.full(204, Fields([("Allow", "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS, TRACE")]), b"")


_SECRET = frozenset(("authorization", "cookie", "proxy-authorization"))
