"""A request as its route sends it to an origin: where to, under which Host, with which fields. It sends nothing."""

from __future__ import annotations

from collections.abc import Iterable

from nodes.edge.forwarding import to_origin
from nodes.edge.routing.rules import Route, values
from nodes.http.message import Fields, Request


def fields_for(name: str, request: Request, route: Route, own: Iterable[tuple[str, str]] | None) -> Fields:
    """What the origin gets; `own` as in `to_origin`."""
    assert route.origin is not None
    host = request.authority if route.preserve_host else route.origin.authority
    fields = to_origin(request, name, host, own=own)
    if route.request:
        route.request.apply(fields, values(request))
    return fields


def origin_form(request: Request) -> str:
    """The target as an origin server wants it: RFC 9112, section 3.2.1."""
    if request.target.startswith(("/", "*")):
        return request.target
    return request.path + (f"?{request.query}" if "?" in request.target else "")
