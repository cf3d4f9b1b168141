"""What steering knows: sites, their edges, the edges' health and files, and the routes. The last good word on each stays.

It does not rank (`ranking.py` does) and reads no clock: the time comes with each call.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass, field

from nodes.steering.files import Files
from nodes.steering.health import DOWN, Health, Limits
from nodes.steering.prefixes import Prefixes
from nodes.steering.reports import Report, ReportError


@dataclass
class Edge:
    """One edge as it last spoke of itself. `latest` is when it last spoke of which part."""

    name: str
    site: str
    url: str
    health: Health | None = None
    latest: dict[str, float] = field(default_factory=dict)

    def state(self, now_s: float, limits: Limits) -> tuple[str, str]:
        """`up`, `full` or `down`, and why."""
        return (DOWN, "has never said how it is") if self.health is None else self.health.state(now_s, limits)


class Directory:
    """Takes reports of edges at known sites."""

    def __init__(self, sites: Iterable[str], limits: Limits | None = None) -> None:
        self.sites: dict[str, list[Edge]] = {site: [] for site in sites}
        self.limits = limits or Limits()
        self.edges: dict[str, Edge] = {}
        self.files, self.prefixes = Files(), Prefixes()
        self.stale: dict[str, str] = {}
        """Speakers whose routes may no longer hold, and why."""
        self._speakers: dict[str, tuple[str, float]] = {}

    def take(self, report: Report) -> dict[str, int]:
        """Believe a report; gives what changed. Raises ReportError, and then nothing has changed."""
        edge = self.edges.get(report.edge)
        parts = self._check(report, edge)
        if edge is None:
            edge = self.edges[report.edge] = Edge(report.edge, report.site, report.url)
            self.sites[report.site].append(edge)
            self.sites[report.site].sort(key=lambda one: one.name)
        edge.url = report.url
        edge.latest.update(dict.fromkeys(parts, report.at_s))
        if report.health is not None:
            edge.health = report.health
        if report.files is not None:
            self.files.replace(edge.name, report.files)
        elif report.added or report.removed:
            self.files.change(edge.name, report.added, report.removed)
        changed = 0
        if report.routes is not None:
            changed = self.prefixes.replace(edge.site, report.speaker, report.routes)
            self.stale.pop(report.speaker, None)
        if report.stale is not None:
            self.stale[report.speaker] = report.stale
        if report.routes is not None or report.stale is not None:
            self._speakers[report.speaker] = (report.site, report.at_s)
        return {"files": self.files.count(edge.name), "prefixes_changed": changed}

    def _check(self, report: Report, edge: Edge | None) -> list[str]:
        """The parts that a report speaks of. Raises ReportError for what contradicts what is known."""
        if report.site not in self.sites:
            near = difflib.get_close_matches(report.site, self.sites, n=3, cutoff=0.5) or sorted(self.sites)[:5]
            raise ReportError(f"there is no site '{report.site}'; did you mean {', '.join(near)}?")
        if edge is not None and edge.site != report.site:
            raise ReportError(f"{edge.name} is of the site {edge.site}, not of {report.site}")
        site, at_s = self._speakers.get(report.speaker, (report.site, report.at_s))
        speaks = report.routes is not None or report.stale is not None
        if speaks and site != report.site:
            raise ReportError(f"the speaker {report.speaker} is of the site {site}, not of {report.site}")
        parts = [name for name, said in (("health", report.health), ("files", report.files)) if said is not None]
        if report.added or report.removed:
            parts.append("files")
        for name in parts:
            before = edge.latest.get(name, report.at_s) if edge is not None else report.at_s
            if report.at_s < before:
                raise ReportError(f"it is {before - report.at_s:.3f} s older than what {report.edge} said last of its {name}")
        if speaks and report.at_s < at_s:
            raise ReportError(f"it is {at_s - report.at_s:.3f} s older than the last routes of {report.speaker}")
        return parts
