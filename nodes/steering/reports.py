"""Reports of edges: JSON, checked whole before any of it counts.

It keeps nothing; `directory.py` does. A report has who (`edge`, `site`, `url`), when (`at`, seconds since 1970) and any of
`health`, `files` (all of them), `added` and `removed` (files), `routes` (all of a speaker), `stale` (why the routes told before
may no longer hold; they are kept) and `speaker` (whose routes; default the edge).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from nodes.steering import health as healths
from nodes.steering import routes as ways
from nodes.steering.health import Health
from nodes.steering.routes import Route

AHEAD_S = 5.0
"""So far a clock may be ahead of ours; what comes from further in the future would outrank every true report after it."""

FIELDS = frozenset(("edge", "site", "url", "at", "health", "files", "added", "removed", "routes", "stale", "speaker"))


class ReportError(ValueError):
    """A report of which nothing is taken; the message says why."""


@dataclass(frozen=True)
class Report:
    """One edge's words. A part that it does not speak of is None."""

    edge: str
    site: str
    url: str
    at_s: float
    speaker: str
    health: Health | None = None
    files: tuple[str, ...] | None = None
    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    routes: tuple[Route, ...] | None = None
    stale: str | None = None


def parse(value: object, now_s: float) -> Report:
    """A report from JSON. Raises ReportError."""
    if not isinstance(value, Mapping):
        raise ReportError("it is not a JSON object")
    if unknown := sorted(set(value) - FIELDS, key=str):
        raise ReportError(f"unknown field {unknown[0]!r}; allowed are {', '.join(sorted(FIELDS))}")
    edge, site, url = (_text(value, name) for name in ("edge", "site", "url"))
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.netloc or parts.path.strip("/") or parts.query or parts.fragment:
        raise ReportError(f"url {url!r} is not that of an edge; write for example http://10.0.0.6:8080")
    at_s = value.get("at")
    if isinstance(at_s, bool) or not isinstance(at_s, int | float) or not math.isfinite(at_s):
        raise ReportError(f"at {at_s!r} is not a time in seconds since 1970")
    if at_s > now_s + AHEAD_S:
        raise ReportError(f"it is {at_s - now_s:.0f} s from the future; set the clock of {edge}")
    try:
        routes = None if "routes" not in value else tuple(map(ways.parse, _list(value, "routes")))
        health = None if "health" not in value else healths.parse(value["health"], min(float(at_s), now_s))
    except (ways.RouteError, healths.HealthError) as error:
        raise ReportError(str(error)) from error
    if routes is not None and "stale" in value:
        raise ReportError("it has routes and says that they are stale; send one of both")
    files = None if "files" not in value else _titles(value, "files")
    added, removed = _titles(value, "added"), _titles(value, "removed")
    if files is not None and (added or removed):
        raise ReportError("it has all files and a change of them; send `files`, or `added` and `removed`")
    stale = _text(value, "stale") if "stale" in value else None
    return Report(edge, site, url.rstrip("/"), float(at_s), _text(value, "speaker", edge), health, files, added, removed,
                  routes, stale)  # fmt: skip


def _text(value: Mapping[str, Any], name: str, default: str | None = None) -> str:
    text = value.get(name, default)
    if not isinstance(text, str) or not text or not text.isprintable():
        raise ReportError(f"{name} {text!r} is not a text")
    return text


def _list(value: Mapping[str, Any], name: str) -> list[Any]:
    found = value.get(name, [])
    if not isinstance(found, list):
        raise ReportError(f"{name} is not a list")
    return found


def _titles(value: Mapping[str, Any], name: str) -> tuple[str, ...]:
    found = _list(value, name)
    for title in found:
        if not isinstance(title, str) or not title.startswith("/"):
            raise ReportError(f"{name} holds {title!r}; a file is named by its path, such as /objects/64KiB/a")
    return tuple(found)
