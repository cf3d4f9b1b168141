"""Requests and rules for the tests of routing."""

from nodes.edge.routing.rules import Origin, Route, Rules, origin, parse
from nodes.http.message import Fields, Request

DEFAULT = origin("http://127.0.0.1:9000")


def ask(target: str = "/", host: str = "www.example", *fields: tuple[str, str], method: str = "GET",
        client: str = "192.0.2.1:4711") -> Request:  # fmt: skip
    """A request as the wire would make it."""
    path, _, query = target.partition("?")
    return Request(method, target, "1.1", Fields([("Host", host), *fields]), path, query, client=client, authority=host)


def rules(text: str, default: Origin | None = DEFAULT) -> Rules:
    """Rules with the default origin."""
    return parse(text, default)


def only(text: str) -> Route:
    """The one route of a text that is the inside of a route."""
    (route,) = rules("[[route]]\n" + text).routes
    return route


def taken(text: str, request: Request) -> int | None:
    """The number of the route that is taken."""
    route = rules(text).route(request)
    return None if route is None else route.number
