"""What happened between two capture points, in words and plain values. It matches no packet itself: see `matching`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np

from results.captures.columns import Packets
from results.captures.filters import Test
from results.captures.matching import Way, identity, match
from results.captures.reader import read

_SHARES = (0, 50, 99, 100)
_ROUNDING, _ROUNDING_NS = 0.02, 100_000
"""So much may the medians of two legs be more than that of both."""


@dataclass
class Point:
    """Where packets were captured: the comment or name of the interface, else the file."""

    name: str
    packets: Packets


@dataclass
class Between:
    """One direction between two points. Frame numbers are those of the sending point's capture."""

    source: Point
    target: Point
    way: Way

    def as_dict(self) -> dict[str, Any]:
        """Plain values: ms, counts, and the frames that were lost."""
        delay, queueing = self._delays()
        return {
            "from": self.source.name, "to": self.target.name, "packets": len(self.way.sent), "delay_ms": delay,
            "queueing_ms": queueing, "lost": len(self.way.lost), "lost_frames": self._lost(), "overtaken": self.way.overtaken,
        }  # fmt: skip

    def text(self) -> str:
        """For a person."""
        head = f"{self.source.name} -> {self.target.name}: "
        if not len(self.way.sent):
            return head + "no packet was found at both"
        delay, queueing = self._delays()
        lines = [head + f"{len(self.way.sent):,} packets, one way {delay['min']:.3f} ms at least, "
                 f"{delay['median']:.3f} median, {delay['p99']:.3f} p99, {delay['max']:.3f} most; "
                 f"queueing {queueing['median']:.3f} ms median, {queueing['p99']:.3f} p99; "
                 f"{self.way.overtaken:,} overtaken"]  # fmt: skip
        if len(self.way.lost):
            frames = self._lost()
            more = ", ..." if len(frames) > 10 else ""
            lines.append(f"  {len(frames):,} packets seen at {self.source.name} never came to {self.target.name}: frames "
                         + ", ".join(map(str, frames[:10])) + more)  # fmt: skip
        return "\n".join(lines)

    def _lost(self) -> list[int]:
        return [int(frame) for frame in self.source.packets.frame[self.way.lost]]

    def _delays(self) -> tuple[dict[str, float | None], dict[str, float | None]]:
        names = ("min", "median", "p99", "max")
        if not len(self.way.sent):
            return dict.fromkeys(names), dict.fromkeys(names)
        return tuple(dict(zip(names, (np.percentile(one, _SHARES) / 1e6).tolist(), strict=True))
                     for one in (self.way.delay_ns, self.way.queueing_ns))  # type: ignore[return-value]  # fmt: skip


def load(path: Path, wanted: Test | None = None) -> list[Point]:
    """The packets of a capture that a filter lets through, of each of its interfaces. Raises CaptureError.

    A file of one interface that has no description is called by its own name: all `eth0` would be called the same.
    """
    packets, capture = read(path)
    if wanted is not None:
        packets = packets[wanted(packets)]
    interfaces = capture.records.interfaces
    if len(interfaces) == 1:
        return [Point(interfaces[0].description or path.name, packets)]
    found = [Point(one.description or one.name or f"interface {number} of {path.name}", packets[packets.interface == number])
             for number, one in enumerate(interfaces)]  # fmt: skip
    return [point for point in found if len(point.packets)]


def neighbours(points: Sequence[Point]) -> list[tuple[Point, Point]]:
    """Which points to compare: those that packets pass one after the other, as far as the captures tell. Of two points always
    these two.

    Two points are no neighbours where a third one between them has most of their packets: the times to it from both add up to
    that between them.
    """
    if len(points) < 3:
        return list(combinations(points, 2))
    seen = [np.unique(identity(point.packets), return_index=True) for point in points]
    shared: dict[tuple[int, int], int] = {}
    apart_ns: dict[tuple[int, int], float] = {}
    for i, j in combinations(range(len(points)), 2):
        _, mine, its = np.intersect1d(seen[i][0], seen[j][0], assume_unique=True, return_indices=True)
        if len(mine):
            times = [points[one].packets.time_ns[seen[one][1][found]] for one, found in ((i, mine), (j, its))]
            shared[i, j] = shared[j, i] = len(mine)
            apart_ns[i, j] = apart_ns[j, i] = float(np.median(np.abs(times[1] - times[0])))

    def between(i: int, j: int, other: int) -> bool:
        legs = [(i, other), (other, j)]
        return (all(shared.get(leg, 0) >= 0.5 * shared[i, j] and apart_ns[leg] < apart_ns[i, j] for leg in legs)
                and sum(apart_ns[leg] for leg in legs) <= apart_ns[i, j] * (1 + _ROUNDING) + _ROUNDING_NS)  # fmt: skip

    return [(points[i], points[j]) for i, j in combinations(range(len(points)), 2) if (i, j) in shared
            and not any(between(i, j, other) for other in range(len(points)) if other not in (i, j))]  # fmt: skip


def ways(a: Point, b: Point) -> Iterator[Between]:
    """There, and back."""
    there, back = match(a.packets, b.packets)
    yield Between(a, b, there)
    yield Between(b, a, back)
