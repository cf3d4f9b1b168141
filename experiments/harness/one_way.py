"""One-way delays between the capture points of a trial, held against the links between them.

It is a check of the emulator that does not ask it: all hosts of a lab have one clock, so a packet seen at two points has its
time on the way. It finds no packet again itself: `results.captures.matching` does.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np

from experiments.harness.points import Point
from results.captures.columns import Packets
from results.captures.matching import Way, flows, match
from topologies.emulator import watch
from topologies.emulator.links.spec import Direction, LinkSpec
from topologies.emulator.links.tolerance import Tolerance
from topologies.emulator.parts import LinkInfo
from topologies.emulator.topology import Topology

SERIES = "one-way"
Hops = Sequence[tuple[LinkInfo, str]]


@dataclass(frozen=True)
class Stretch:
    """Two points, and the links that a packet takes from one to the other and back."""

    a: Point
    b: Point
    there: Hops
    back: Hops


def stretches(world: Topology, points: Sequence[Point]) -> Iterator[Stretch]:
    """Both ends of a link, and each two hosts."""
    seen = set[tuple[Point, Point]]()
    for a, b in combinations(points, 2):
        link = next(one for one in world.links_info if one.name == a.link)
        if a.link == b.link and not link.spec.unshaped:
            forth, back = ("a_to_b", "b_to_a") if a.node == link.a else ("b_to_a", "a_to_b")
            seen.add((a, b))
            yield Stretch(a, b, [(link, forth)], [(link, back)])
    for a, b in combinations([point for point in points if point.only], 2):
        if a.node != b.node and (a, b) not in seen:
            yield Stretch(a, b, world.hops(a.node, b.node), world.hops(b.node, a.node))


def rows(
    world: Topology, seen: Mapping[Point, Packets], specs: Mapping[str, LinkSpec], moved: set[str]
) -> list[dict[str, Any]]:
    """A row each way between points that packets passed. `specs` are the links at the time, `moved` those that were changed
    meanwhile: what goes over one has no `specified_ms`.

    `least_ms`, `median_ms` and `p99_ms` are without the time that a packet's own bytes take at the rates on its way; what is
    above the least is waiting.
    """
    found = []
    known = {point: set(np.unique(flows(packets)).tolist()) for point, packets in seen.items()}
    for one in stretches(world, list(seen)):
        if known[one.a] & known[one.b]:
            a, b = seen[one.a], seen[one.b]
            for source, target, packets, way, hops in zip((one.a, one.b), (one.b, one.a), (a, b), match(a, b),
                                                          (one.there, one.back), strict=True):  # fmt: skip
                if len(way.sent):
                    found.append(_row(source, target, packets, way, hops, specs, moved))
    return found


def wrong(found: Sequence[Mapping[str, Any]], idle: bool, tolerance: Tolerance) -> list[str]:
    """Why the links were not as specified, by the packets alone."""
    return [f"packets from {row['from']} to {row['to']}: {why}" for row in found if row["specified_ms"] != ""
            if (why := watch.one_way(row["specified_ms"], row["least_ms"], idle, tolerance))]  # fmt: skip


def _row(
    source: Point, target: Point, packets: Packets, way: Way, hops: Hops, specs: Mapping[str, LinkSpec], moved: set[str]
) -> dict[str, Any]:
    taken: list[Direction] = [getattr(specs[link.name], direction) for link, direction in hops]
    bits = packets.wire[way.sent].astype(np.float64) * 8
    own_ns = bits * sum(1e9 / one.rate_bps for one in taken if one.rate_bps)
    least, median, p99 = np.percentile(way.delay_ns - own_ns, (0, 50, 99)) / 1e6
    unsure = any(one.trace or one.jitter_ms or one.has("reorder") for one in taken)
    fixed = not unsure and not moved & {link.name for link, _ in hops}
    return {
        "from": source.name, "to": target.name, "packets": len(way.sent),
        "specified_ms": round(sum(one.delay_ms for one in taken), 6) if fixed else "",
        "least_ms": round(float(least), 6), "median_ms": round(float(median), 6), "p99_ms": round(float(p99), 6),
        "lost": len(way.lost), "overtaken": way.overtaken,
    }  # fmt: skip
