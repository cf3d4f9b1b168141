"""The ranking: which edges a client is to try, in order, and why each stands where it does.

It decides and explains; it stores nothing. The order of sites is: most specific prefix announced to the site, then AS path
length, then delay, and among equals health and content (Netflix, "Serving 100 Gbps from an Open Connect Appliance" and the
Open Connect briefing paper name these steps). Rank 0 is the nearest site, whether it can serve or not: what a client gets
from any other was missed there, for want of the file (`content`) or of an edge that is up (`health`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Any
from urllib.parse import quote

from nodes.steering.directory import Directory, Edge
from nodes.steering.health import UP
from nodes.steering.prefixes import Announced
from nodes.steering.routes import Address

MOST_URLS = 4
MOST_PASSED = 16
"""Sites passed over that a decision names; it counts the others."""

_SAFE = "/!$&'()*+,;=:@-._~"
"""What stands in a path as it is (RFC 3986, section 3.3)."""

CONTENT, HEALTH = "content", "health"


@dataclass(frozen=True, slots=True)
class Candidate:
    """An edge that a client may use. `used` is how full its fullest bottleneck is."""

    rank: int
    edge: Edge
    announced: Announced
    used: float
    state: str
    stale: str | None
    holds: bool

    def reasons(self) -> list[str]:
        """Why it stands where it does, one sentence each, in the order of the ranking."""
        route = self.announced.route
        path = " ".join(map(str, route.as_path))
        delay = "delay unknown" if route.rtt_ms is None else f"round trip {route.rtt_ms:g} ms ({route.delay_source})"
        found = [f"{route.prefix} is announced to {self.edge.site}",
                 f"AS path of {len(route.as_path)}: {path}" if path else "in the site's own AS", delay, self.state]  # fmt: skip
        if self.holds:
            found.append("has the file")
        if self.stale is not None:
            found.append(f"its routes are stale: {self.stale}")
        return found


@dataclass(frozen=True, slots=True)
class Passed:
    """A site that stands nearer than the last candidate and cannot serve: `label` is `content` or `health`."""

    rank: int
    site: str
    label: str
    why: str


@dataclass(frozen=True, slots=True)
class Decision:
    """The answer to one question. `miss` labels a first candidate that is not at the site of rank 0."""

    client: Address
    title: str | None
    candidates: Sequence[Candidate]
    passed: Sequence[Passed]
    left_off: int
    refused: str = ""
    """Why there is no candidate."""

    @property
    def miss(self) -> str:
        """`content` or `health` when the first edge is not at the site of rank 0, else empty."""
        first_missed = self.passed and self.passed[0].rank == 0
        return self.passed[0].label if first_missed else ""


def rank(directory: Directory, client: Address, title: str | None, now_s: float, most: int = MOST_URLS) -> Decision:
    """At most `most` edges for a client that wants a title, or any title when it is None."""
    holders = None if title is None else directory.files.holders(title)
    if holders is not None and not holders:
        return Decision(client, title, (), (), 0, f"no edge has {title}; fill it first, or ask the origin")
    found: list[Candidate] = []
    passed: list[Passed] = []
    left_off = place = 0
    for one in _sites(directory, client):
        tied = [_judge(directory, announced, holders, now_s) for announced in one]
        if len(tied) > 1:
            tied.sort(key=_fitness)
        for usable, label in tied:
            if isinstance(label, Passed):
                if len(passed) < MOST_PASSED:
                    passed.append(replace(label, rank=place))
                else:
                    left_off += 1
            found += [replace(candidate, rank=place) for candidate in usable]
            place += 1
        if len(found) >= most:
            break
    refused = "" if found else _refusal(client, title, place)
    return Decision(client, title, found[:most], passed, left_off, refused)


def explain(decision: Decision, full: bool = True) -> dict[str, Any]:
    """A decision for JSON; not `full` leaves out what only an operator asks for."""
    path = quote(decision.title or "", safe=_SAFE)
    answer: dict[str, Any] = {
        "title": decision.title,
        "urls": [
            {"url": one.edge.url + path, "rank": one.rank, "site": one.edge.site, "edge": one.edge.name,
             "reason": "; ".join(one.reasons())}
            for one in decision.candidates
        ],
    }  # fmt: skip
    if decision.miss:
        answer["miss"] = decision.miss
    if decision.refused:
        answer["error"] = decision.refused
    if full:
        answer["client"] = str(decision.client)
        answer["passed_over"] = [{"rank": one.rank, "site": one.site, "label": one.label, "why": one.why}
                                 for one in decision.passed]  # fmt: skip
        if decision.left_off:
            answer["passed_over_not_named"] = decision.left_off
    return answer


def _sites(directory: Directory, client: Address) -> Iterator[list[Announced]]:
    """Sites in groups of equal proximity, each site once, by its best route."""
    seen: set[str] = set()
    for _length, rows in directory.prefixes.covering(client):
        for _distance, equal in groupby(rows, key=lambda row: row.route.distance):
            group = []
            for row in equal:
                if row.site not in seen:
                    seen.add(row.site)
                    group.append(row)
            if group:
                yield group


def _judge(
    directory: Directory, announced: Announced, holders: set[str] | None, now_s: float
) -> tuple[list[Candidate], Passed | None]:
    """A site's usable edges, the least used first; or why there is none."""
    usable, whys = [], []
    edges, limits = directory.sites[announced.site], directory.limits
    stale = directory.stale.get(announced.speaker)
    for edge in edges:
        if holders is None or edge.name in holders:
            state, why = edge.state(now_s, limits)
            if edge.health is not None and state == UP:
                usable.append(Candidate(0, edge, announced, edge.health.bottleneck[1], f"{state}: {why}", stale,
                                        holders is not None))  # fmt: skip
            else:
                whys.append(f"{edge.name} is {state}: {why}")
    if usable:
        usable.sort(key=lambda one: (one.used, one.edge.name))
        return usable, None
    if whys:
        return [], Passed(0, announced.site, HEALTH, "; ".join(whys))
    if any(edge.state(now_s, limits)[0] == UP for edge in edges):
        return [], Passed(0, announced.site, CONTENT, "none of its edges has the file")
    return [], Passed(0, announced.site, HEALTH, "none of its edges is up")


def _fitness(judged: tuple[list[Candidate], Passed | None]) -> tuple[bool, float, str]:
    """Among sites equally near: those that can serve first, the least used of them first."""
    usable, passed = judged
    if passed is not None:
        return True, 0.0, passed.site
    return False, usable[0].used, usable[0].edge.site


def _refusal(client: Address, title: str | None, sites: int) -> str:
    if not sites:
        return f"no site has learned a route to {client}; look at the routes with GET /-/state"
    return f"none of the {sites} sites with a route to {client} can serve {title or 'it'} now; ask again later"
