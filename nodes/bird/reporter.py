"""When a site tells steering of its routes, and what: each change at once, what is unchanged now and then, and BIRD's death.

It reads and sends nothing; it takes `now`. Routes that were told stay told when BIRD dies: steering keeps them, marked stale.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from nodes.steering.routes import Network, Route

REPEAT_S = 30.0
"""An unchanged word is repeated so often: a steering that was started anew knows nothing."""


class Reporter:
    """`learned` or `failed` say what BIRD says; `due` gives a report to send, and `sent` that it arrived."""

    def __init__(self, edge: str, site: str, url: str, repeat_s: float = REPEAT_S) -> None:
        self._who = {"edge": edge, "site": site, "url": url}
        self._repeat_s = repeat_s
        self._word: dict[str, Any] | None = None
        self._told: dict[str, Any] | None = None
        self._told_at_s = 0.0
        self._known: set[str] = set()
        self._delays: dict[Network, float] = {}

    def measured(self, delays_ms: Mapping[Network, float]) -> None:
        """Round trips into prefixes; they go with the routes, in whole milliseconds, so that chance is no change."""
        self._delays.update({prefix: float(round(delay_ms)) for prefix, delay_ms in delays_ms.items()})

    def learned(self, routes: Sequence[Route]) -> None:
        """BIRD has these routes now."""
        ordered = sorted(routes, key=lambda route: (route.prefix.version, route.prefix.network_address, route.prefix.prefixlen))
        self._word = {"routes": [as_json(replace(route, rtt_ms=self._delays.get(route.prefix))) for route in ordered]}

    def failed(self, cause: str) -> None:
        """BIRD does not say what it has."""
        self._word = {"stale": cause}

    def due(self, now_s: float) -> dict[str, Any] | None:
        """The report to send now, if any."""
        if self._word is None or (self._word == self._told and now_s - self._told_at_s < self._repeat_s):
            return None
        return {**self._who, "at": now_s, **self._word}

    def sent(self, report: Mapping[str, Any]) -> tuple[list[str], list[str]]:
        """Steering took a report; gives which routes came with it and which went, as text."""
        self._told = {name: value for name, value in report.items() if name in ("routes", "stale")}
        self._told_at_s = float(report["at"])
        if "routes" not in report:
            return [], []
        before, self._known = self._known, {as_text(one) for one in report["routes"]}
        return sorted(self._known - before), sorted(before - self._known)


def as_json(route: Route) -> dict[str, Any]:
    """A route as `nodes/steering/routes.py` parses it."""
    told: dict[str, Any] = {"prefix": str(route.prefix), "as_path": list(route.as_path), "next_hop": route.next_hop}
    return told if route.rtt_ms is None else {**told, "rtt_ms": route.rtt_ms, "delay_source": route.delay_source}


def as_text(route: Mapping[str, Any]) -> str:
    """A route of a report in words: `203.0.113.0/24 by 64500 64501`."""
    return f"{route['prefix']} by {' '.join(map(str, route['as_path'])) or 'the site itself'}"
