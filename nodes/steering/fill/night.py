"""A night's work: for the sites whose windows open now, what goes, what comes, from which edge to which, in which order.

It puts `plan.py`, `sources.py` and `placement.py` together and carries nothing out.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from nodes.steering.fill.errors import FillError
from nodes.steering.fill.placement import Edge, place
from nodes.steering.fill.plan import Limits, plan
from nodes.steering.fill.sources import Kind, Site, copies

ORIGIN = "origin"


@dataclass(frozen=True)
class FillSite:
    """A site with its edges and what its night allows."""

    site: Site
    edges: tuple[Edge, ...]
    limits: Limits


@dataclass(frozen=True)
class Job:
    """One copy: `source` is an edge, or ORIGIN. `waits`: the source gets the file in this night, so the copy waits for it."""

    title: str
    site: str
    edge: str
    source: str
    kind: Kind
    size_bytes: int
    waits: bool = False


@dataclass
class Night:
    """By site: jobs in their order, files that go before them (edge, title), and files for which there is no room or time."""

    jobs: dict[str, list[Job]] = field(default_factory=dict)
    go: dict[str, list[tuple[str, str]]] = field(default_factory=dict)
    left_off: dict[str, list[str]] = field(default_factory=dict)


def night(opening: Collection[str], sites: Mapping[str, FillSite], held: Mapping[str, Collection[str]],
          popularity: Mapping[str, Mapping[str, float]], sizes_bytes: Mapping[str, int],
          plays_per_replica: float) -> Night:  # fmt: skip
    """Plan for the sites in `opening`. `held`: titles by edge, of all sites; `popularity`: plays a day by region. Raises
    FillError."""
    if unknown := [name for name in opening if name not in sites]:
        raise FillError(f"could not fill {unknown[0]}: there is no such site")
    made, wanted = Night(), dict[str, list[str]]()
    after: dict[str, set[str]] = {edge: set(titles) for edge, titles in held.items()}
    for name in opening:
        one = sites[name]
        here = {title for edge in one.edges for title in held.get(edge.name, ())}
        found = plan(popularity.get(one.site.region, {}), sizes_bytes, here, one.limits)
        wanted[name], made.left_off[name], made.jobs[name] = list(found.come), list(found.left_off), []
        made.go[name] = [(edge.name, title) for title in found.go for edge in one.edges if title in held.get(edge.name, ())]
        for edge_name, title in made.go[name]:
            after[edge_name].discard(title)
    holders: dict[str, set[str]] = {}
    for name, one in sites.items():
        for edge in one.edges:
            for title in after.get(edge.name, ()):
                holders.setdefault(title, set()).add(name)
    room = {edge.name: edge.storage_bytes - sum(sizes_bytes[title] for title in after.get(edge.name, ()))
            for name in opening for edge in sites[name].edges}  # fmt: skip
    order = {(name, title): number for name, titles in wanted.items() for number, title in enumerate(titles)}
    found_copies = copies(wanted, holders, {name: one.site for name, one in sites.items()}, ORIGIN, sizes_bytes)
    # Masters first, since others wait for them; beyond that the most popular first.
    for copy in sorted(found_copies, key=lambda one: (one.after_master, order[one.site, one.title])):
        one = sites[copy.site]
        plays = popularity.get(one.site.region, {}).get(copy.title, 0.0)
        size = sizes_bytes[copy.title]
        chosen = _with_room(place(copy.title, plays, one.edges, plays_per_replica), one, room, size)
        source = ORIGIN if copy.kind == "origin" else _edge_with(sites[copy.source], copy.title, after)
        if not chosen or source is None:
            made.left_off[copy.site].append(copy.title)
            continue
        first, *others = chosen
        made.jobs[copy.site].append(Job(copy.title, copy.site, first, source, copy.kind, size, copy.after_master))
        made.jobs[copy.site] += [Job(copy.title, copy.site, other, first, "peer", size, True) for other in others]
        for edge_name in chosen:
            after.setdefault(edge_name, set()).add(copy.title)
            room[edge_name] -= size
    return made


def _with_room(preferred: list[str], site: FillSite, room: Mapping[str, float], size_bytes: int) -> list[str]:
    """Those of the preferred edges that can still take a file; when none can, the emptiest of the site that can."""
    fits = [name for name in preferred if room[name] >= size_bytes]
    emptiest = max((edge.name for edge in site.edges), key=lambda name: room[name], default="")
    return fits or [name for name in (emptiest,) if name and room[name] >= size_bytes]


def _edge_with(site: FillSite, title: str, after: Mapping[str, Collection[str]]) -> str | None:
    return next((edge.name for edge in site.edges if title in after.get(edge.name, ())), None)
