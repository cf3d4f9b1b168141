"""Routing rules: a list of routes of which the first that matches a request is taken.

It parses and matches; it reads no file and connects to nothing. Everything is checked when the rules are read.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from nodes.edge.routing import conditions
from nodes.edge.routing.cache_key import KeyRule, key_rule
from nodes.edge.routing.conditions import Asked, Test
from nodes.edge.routing.edits import Edits, edits
from nodes.edge.routing.freshness import FreshnessRule, freshness_rule
from nodes.edge.routing.lines import Lines, syntax_error
from nodes.edge.routing.normal_path import normal_path
from nodes.edge.routing.origin import Origin, origin, origins
from nodes.edge.routing.redirect import Redirect, redirect
from nodes.edge.routing.table import RulesError, Table
from nodes.http.message import Fields, Request, end_to_end

__all__ = ["Origin", "Route", "Rules", "RulesError", "origin", "parse", "reload"]

ACTIONS = ("origin", "preserve_host", "pass", "deny", "redirect", "key", "freshness", "request", "response")
_FETCHING = ("origin", "preserve_host", "pass", "key", "freshness", "request", "response")
_PORT = re.compile(r":\d*$")
_HOST_EDIT = {"host": "preserve_host = true to pass the client's Host on; else the origin sees its own name"}


@dataclass(frozen=True, slots=True)
class Route:
    """What is done with a request: denied, redirected, passed to an origin, or answered through the cache.

    `by_client` tells that the client's address led here or is sent to the origin, which may choose a variant by it: the same
    bytes from another client may have another answer. `host` is the test of the host; None: for every host.
    """

    number: int
    origin: Origin | None = None
    preserve_host: bool = False
    passes: bool = False
    deny: int | None = None
    redirect: Redirect | None = None
    key: KeyRule = field(default_factory=KeyRule)
    freshness: FreshnessRule = field(default_factory=FreshnessRule)
    request: Edits = field(default_factory=Edits)
    response: Edits = field(default_factory=Edits)
    by_client: bool = False
    host: Test | None = None

    @property
    def keyed_by_host(self) -> bool:
        """Whether the client's Host is in the key."""
        return self.preserve_host if self.key.host is None else self.key.host

    def key_start(self, authority: str) -> str:
        """What the keys of all requests to an authority begin with, up to their path."""
        assert self.origin is not None
        return f"{self.origin.url} {authority}" if self.keyed_by_host else self.origin.url

    def primary_key(self, request: Request) -> str:
        """The cache key of the resource. It begins with the origin's URL, so no two origins share an object."""
        rule, start = self.key, self.key_start(request.authority)
        if rule.plain:
            mark = "?" if "?" in request.target else ""  # "/a?" and "/a" are two resources (RFC 3986, section 6.2.3)
            return f"{start}{request.path}{mark}{request.query}"
        query = rule.normal_query(request.query)
        return f"{start}{request.path}{'?' if query else ''}{query}{rule.extra(end_to_end(request.fields))}"


class Rules:
    """Routes in order. `by_client` tells whether any of them looks at the client's address."""

    def __init__(self, routes: list[tuple[tuple[Test, ...], Route]], by_host: bool = True, by_header: bool = True) -> None:
        self._by_host = by_host
        self.routes = [route for _, route in routes]
        self.by_client = any(route.by_client for route in self.routes)
        self._by_header = by_header
        self._tried = [(tests[0] if tests else _always, tests[1:], route) for tests, route in routes]

    def route(self, request: Request) -> Route | None:
        """The first route that matches."""
        host = _PORT.sub("", request.authority).lower() if self._by_host else ""
        # What `Connection` hides from the origin decides nothing: else one client could fill what all others are given.
        fields = end_to_end(request.fields) if self._by_header else request.fields
        asked = Asked(request.method, host, normal_path(request.path), fields, request.client)
        for first, more, route in self._tried:
            if first(asked):
                for test in more:
                    if not test(asked):
                        break
                else:
                    return route
        return None


    def key_starts(self, authority: str) -> set[str]:
        """What keys begin with, under which something may be stored that answers requests to this authority.

        It may be more than the routes lead to, because a route that another one covers is not left out.
        """
        asked = Asked("GET", _PORT.sub("", authority).lower(), "/", Fields(), "")
        caching = [route for route in self.routes if route.origin is not None and not route.passes]
        return {route.key_start(authority) for route in caching if route.host is None or route.host(asked)}


def values(request: Request) -> Mapping[str, str]:
    """What the places of templates stand for."""
    query = request.query
    return {"scheme": request.scheme, "host": request.authority, "path": request.path, "query": query,
            "?query": f"?{query}" if query else "", "method": request.method,
            "client": request.client.rpartition(":")[0].strip("[]")}  # fmt: skip


def parse(text: str, default: Origin | None) -> Rules:
    """Rules from TOML; `default` is the origin that `--origin` names. Raises RulesError."""
    try:
        given: dict[str, Any] = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise RulesError(syntax_error(str(error), text)) from error
    whole = Table(Lines(text), given)
    whole.only("origins", "route")
    known = origins(whole.table("origins"), default)
    tables = given.get("route", [])
    if not isinstance(tables, list) or not tables or not all(isinstance(one, dict) for one in tables):
        raise RulesError("there is no [[route]]; write at least one")
    routes, by_client = [], False
    for number, values_ in enumerate(tables):
        by_client = by_client or "client" in values_
        routes.append(_route(Table(whole.lines, values_, (), number), number, known, by_client))
    return Rules(routes, any("host" in one for one in tables), any("header" in one for one in tables))


def reload(old: Rules, text: str, default: Origin | None) -> tuple[Rules, str]:
    """The rules of the new text and an empty reason; or the old ones, and why the new text cannot be followed."""
    try:
        return parse(text, default), ""
    except RulesError as error:
        return old, str(error)


def _always(asked: Asked) -> bool:
    return True


def _route(table: Table, number: int, known: dict[str, Origin], by_client: bool) -> tuple[tuple[Test, ...], Route]:
    table.only(*conditions.KEYS, *ACTIONS)
    tests = tuple(conditions.tests(table))
    deny = table.whole("deny", range(400, 600), "a status from 400 to 599")
    to = redirect(table.table("redirect"))
    if deny is not None or to is not None:
        taken = "deny" if deny is not None else "redirect"
        for key in ("redirect", *_FETCHING) if deny is not None else _FETCHING:
            if key in table:
                table.wrong(key, table.values[key], f"nothing, because {taken} answers without an origin")
        return tests, Route(number, deny=deny, redirect=to, by_client=by_client)
    name = table.text("origin") or "default"
    if name not in known:
        named = [*known] or ["a name of an [origins] table"]
        table.wrong("origin", name, " or ".join(named if "default" in known else [*named, "default with --origin URL"]))
    passes = table.flag("pass", False)
    for key in ("key", "freshness"):
        if passes and key in table:
            table.wrong(key, table.values[key], "nothing, because pass stores nothing")
    to_origin = edits(table.table("request"), ("client",), _HOST_EDIT)
    return tests, Route(
        number, known[name], table.flag("preserve_host", False), passes, None, None, key_rule(table.table("key")),
        freshness_rule(table.table("freshness")), to_origin, edits(table.table("response"), (), {}),
        by_client or to_origin.by_client, conditions.host_test(table) if "host" in table else None,
    )  # fmt: skip
