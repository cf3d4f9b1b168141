"""The answer of a rule that redirects: a status and where to. It sends nothing."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from nodes.edge.routing.table import RulesError, Table
from nodes.edge.routing.templates import Template, template

STATUSES = (301, 302, 307, 308)
_TARGET = re.compile(r"(?:(?:https?|\{scheme\})://[!-~]+|/(?!/)[!-~]*)")
"""A path that began with two slashes, as a request's own may, would lead to another host (RFC 3986, section 4.2)."""


@dataclass(frozen=True, slots=True)
class Redirect:
    """Where to is a template, filled in with the request."""

    status: int
    to: Template

    def location(self, values: Mapping[str, str]) -> str:
        """The value of Location."""
        where = self.to.fill(values)
        # A place behind the first slash, as in "/{path}", may begin with one too.
        return "/" + where.lstrip("/") if where.startswith("//") else where


def redirect(table: Table | None) -> Redirect | None:
    """The redirect that a `redirect = { ... }` states. Raises RulesError."""
    if table is None:
        return None
    table.only("status", "to")
    to = table.text("to")
    if to is None:
        raise RulesError(f"{table.place()} has no target; write for example "
                         'redirect = { status = 308, to = "https://{host}{path}{?query}" }')  # fmt: skip
    if not _TARGET.fullmatch(to):
        table.wrong("to", to, "an absolute URL or a path, without spaces: https://{host}{path}{?query}, /new{path}")
    status = table.whole("status", STATUSES, "one of 301, 302, 307, 308")
    return Redirect(302 if status is None else status, table.made("to", template, to))
