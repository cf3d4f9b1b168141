"""What happened between two capture points, in words and plain values. It matches no packet itself: see `matching`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from results.captures.columns import Packets
from results.captures.filters import Test
from results.captures.matching import Way, match
from results.captures.reader import read

_SHARES = (0, 50, 99, 100)


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


def load(path: Path, wanted: Test | None) -> Point:
    """The packets of a capture that a filter lets through. Raises CaptureError."""
    packets, capture = read(path)
    named = [one.comment or one.name for one in capture.records.interfaces]
    name = named[0] if len(named) == 1 and named[0] else path.name
    return Point(name, packets if wanted is None else packets[wanted(packets)])


def ways(a: Point, b: Point) -> Iterator[Between]:
    """There, and back."""
    there, back = match(a.packets, b.packets)
    yield Between(a, b, there)
    yield Between(b, a, back)
