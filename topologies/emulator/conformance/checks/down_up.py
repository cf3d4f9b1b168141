"""A link that goes down and comes up again: what is offered meanwhile is dropped, all else arrives."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from time import CLOCK_MONOTONIC, CLOCK_REALTIME, clock_gettime_ns

from topologies.emulator.conformance.bed import Bed
from topologies.emulator.conformance.check import Check
from topologies.emulator.conformance.figure import Figure, count, none
from topologies.emulator.conformance.flow import SMALLEST
from topologies.emulator.conformance.play import every, play
from topologies.emulator.links.spec import symmetric
from units import show_ms

RATE_BPS = 10_000_000
QUEUED = 20
"""Full packets that wait in the queue when the link goes down: 24 ms of sending."""


def between_clocks_ns() -> int:
    """What is added to CLOCK_MONOTONIC to get CLOCK_REALTIME, in which packets are stamped."""
    return clock_gettime_ns(CLOCK_REALTIME) - clock_gettime_ns(CLOCK_MONOTONIC)


@dataclass(frozen=True)
class DownUp(Check):
    """A packet every millisecond all the time, and some full ones in the queue when it goes down."""

    down_ms: int

    @property
    def what(self) -> str:
        """With its value."""
        return f"down for {show_ms(self.down_ms)}, then up"

    def measure(self, bed: Bed) -> list[Figure]:
        """Packets offered within a millisecond of either change may have either fate."""
        spec = symmetric(20, RATE_BPS, 1 << 20)
        moments: list[int] = []
        way, clocks = spec.a_to_b, between_clocks_ns()
        with bed.link(spec) as link, link.flow("a_to_b", SMALLEST) as small, link.flow() as full:
            events = [
                (300_000_000, lambda: full.send(QUEUED)),
                (305_000_000, lambda: moments.append(link.change(a_to_b=replace(way, up=False)))),
                (305_000_000 + self.down_ms * 1_000_000, lambda: moments.append(link.change(a_to_b=way))),
            ]
            play([small, full], every(1e6, 600 + self.down_ms, small.send), events, tail_s=0.5)
        near_ns = round(bed.tolerance.of_time(1.0, 0) * 1e6)
        down, up = (moment + clocks for moment in moments)
        arrived = {number for number, _ in small.arrived}
        inside = {number for number, at in enumerate(small.sent) if down + near_ns < at < up - near_ns}
        outside = {number for number, at in enumerate(small.sent) if not down - near_ns <= at <= up + near_ns}
        return [
            Figure("offered while down", count(self.down_ms), len(inside), 0.5 * self.down_ms, None, count),
            none("of them arrived", len(inside & arrived)),
            none("lost before or after", len(outside - arrived)),
            none("lost of those in the queue", full.lost),
        ]


def checks(quick: bool) -> Sequence[Check]:
    """Half a second."""
    return [DownUp(200 if quick else 500)]
