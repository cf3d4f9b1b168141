"""What happened between two capture points, in words and plain values. It matches no packet itself: see `matching`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np

from results.captures.columns import Packets
from results.captures.connection_table import Table
from results.captures.filters import Test
from results.captures.matching import Way, identity, match
from results.captures.reader import read
from results.captures.series import packed

COLUMNS = {
    "from": "point where it was sent", "to": "the next on its way", "frame": "at the first",
    "arrived_frame": "at the next; 0 when it was lost", "time_ns": "when it passed the first, since 1970",
    "delay_ms": "one way", "queueing_ms": "above the least of that way",
}  # fmt: skip
_SHARES = (0, 50, 99, 100)
_DRAWN = 50_000
_TOLD_BY = 20_000
"""So many packets of a point are enough to tell which points are next to each other."""


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

    def table(self) -> Table:
        """A row a packet that came or was lost, in the order of the sending point; see `COLUMNS`."""
        rows, lost = np.concatenate([self.way.sent, self.way.lost]), np.full(len(self.way.lost), np.nan)
        order, packets = np.argsort(rows, kind="stable"), self.source.packets
        arrived = np.concatenate([self.target.packets.frame[self.way.received], np.zeros(len(lost), np.int64)])
        delay, queueing = (np.concatenate([one / 1e6, lost]) for one in (self.way.delay_ns, self.way.queueing_ns))
        return {"from": [self.source.name] * len(rows), "to": [self.target.name] * len(rows),
                "frame": packets.frame[rows[order]], "arrived_frame": arrived[order], "time_ns": packets.time_ns[rows[order]],
                "delay_ms": delay[order], "queueing_ms": queueing[order]}  # fmt: skip

    def drawn(self) -> dict[str, Any]:
        """What a page draws: ms since the source's first packet, one-way delay in ms and frame of each packet (of more than
        `_DRAWN` every second, third ... one), and when those left that were lost."""
        packets = self.source.packets
        chosen = slice(None, None, max(1, -(-len(self.way.sent) // _DRAWN)))
        sent, lost = self.way.sent[chosen], self.way.lost
        zero_ns = int(packets.time_ns[0]) if len(packets) else 0
        return {"delay": packed((packets.time_ns[sent] - zero_ns) / 1e6, self.way.delay_ns[chosen] / 1e6, packets.frame[sent]),
                "lost": packed((packets.time_ns[lost] - zero_ns) / 1e6, packets.frame[lost])}  # fmt: skip

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


def along(points: Sequence[Point]) -> Iterator[Between]:
    """From each point to the next that packets pass, as far as the captures tell. Of two points always there and back.

    From one point to another is no step where a third lies between: it has most of the packets that go there, after the one and
    before the other.
    """
    if len(points) == 2:
        yield from ways(*points)
        return
    thin = np.uint64(max(1, max((len(point.packets) for point in points), default=0) // _TOLD_BY))
    keys, times = zip(*(_sample(point, thin) for point in points), strict=True) if points else ((), ())
    for i, j in combinations(range(len(points)), 2):
        shared, mine, its = np.intersect1d(keys[i], keys[j], assume_unique=True, return_indices=True)
        took = times[j][its] - times[i][mine]
        found = ways(points[i], points[j])
        for way, begin, going in zip(found, (times[i][mine], times[j][its]), (took >= 0, took < 0), strict=True):
            some = shared[going]
            if len(some) and not any(_lies_between(keys[other], times[other], some, begin[going], np.abs(took[going]))
                                     for other in range(len(points)) if other not in (i, j)):  # fmt: skip
                yield way


def _sample(point: Point, thin: np.uint64) -> tuple[Any, Any]:
    """Identities, the same ones at every point, and when the first packet of each passed."""
    keys = identity(point.packets, openings=False)  # snap lengths may differ
    rows = np.flatnonzero(keys % thin == 0)
    found, first = np.unique(keys[rows], return_index=True)
    return found, point.packets.time_ns[rows[first]]


def _lies_between(keys: Any, times: Any, shared: Any, begin_ns: Any, took_ns: Any) -> bool:
    _, place, mine = np.intersect1d(keys, shared, assume_unique=True, return_indices=True)
    since = times[place] - begin_ns[mine]
    return 2 * int(((since > 0) & (since < took_ns[mine])).sum()) > len(shared)


def ways(a: Point, b: Point) -> Iterator[Between]:
    """There, and back."""
    there, back = match(a.packets, b.packets)
    yield Between(a, b, there)
    yield Between(b, a, back)
