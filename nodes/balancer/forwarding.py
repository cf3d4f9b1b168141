"""The fields a balancer changes on the way: Via, CDN-Loop, Max-Forwards, those of one connection; Server-Timing and
X-Longhaul-Route on the way back.

It changes nothing else, Host neither: nodes are reached by their addresses, and what the client asked for stays.
"""

from __future__ import annotations

from nodes.balancer.balance import Placed
from nodes.http.hops import forwards_left
from nodes.http.message import Fields, Request, end_to_end

ROUTE = "X-Longhaul-Route"
UTILISATION = "x-netflix.server.utilization"

_FRAMING = frozenset(("host", "content-length"))
_FRAMING_AND_EXPECT = _FRAMING | {"expect"}


def to_node(request: Request, name: str) -> Fields:
    """The request's fields as a node sees them."""
    kept = end_to_end(request.fields).items
    replaced = _FRAMING if request.has_body else _FRAMING_AND_EXPECT
    sent = Fields([("Host", request.authority), *(item for item in kept if item[0].lower() not in replaced)])
    sent.add("Via", f"{request.version} {name}")
    sent.add("CDN-Loop", name)
    if request.has_body and request.content_length is None:
        sent.add("Transfer-Encoding", "chunked")
    elif request.has_body or (request.content_length == 0 and request.method not in ("GET", "HEAD")):
        sent.add("Content-Length", str(request.content_length))
    left = forwards_left(request)
    if left is not None:
        sent.put("Max-Forwards", str(left - 1))
    return sent


def to_client(fields: Fields, version: str, name: str, placed: Placed, tries: int, upstream_ms: str) -> Fields:
    """The response's fields as the client sees them. Members of Server-Timing and X-Longhaul-Route stand nearest the node
    first, so that with two tiers the way can be read from the end."""
    sent = end_to_end(fields)
    sent.add("Via", f"{version} {name}")
    sent.add("Server-Timing", f'{name};dur={upstream_ms};desc="{placed.node.name}"')
    sent.add(ROUTE, route(name, placed, tries))
    return sent


def route(name: str, placed: Placed, tries: int) -> str:
    """One member: who chose, what, and why (a structured field as RFC 8941 has it)."""
    return f'{name};zone="{placed.node.zone}";node="{placed.node.name}";reason="{placed.reason}";tries={tries}'


def utilisation(fields: Fields) -> float | None:
    """What a node says of itself, 1 being full: `62.5` percent, or `45, target=90` of a target; None when it says nothing
    that can be read. From M. Smith, "Rethinking Netflix's Edge Load Balancing" (2018)."""
    said = fields.get(UTILISATION)
    if said is None:
        return None
    now, _, more = said.partition(",")
    name, _, target = more.strip().partition("=")
    try:
        of = float(target) if name.strip() == "target" else 100.0
        found = float(now) / of
    except (ValueError, ZeroDivisionError):
        return None
    return found if 0.0 <= found < 100.0 else None
