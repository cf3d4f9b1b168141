"""Delays that differ from direction to direction, by one-way times: both hosts share the machine's clock."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import median

from topologies.emulator.conformance.bed import Bed
from topologies.emulator.conformance.check import Check
from topologies.emulator.conformance.checks.rtt import RATE_BPS, allowed_ms
from topologies.emulator.conformance.figure import Figure, around, ms, none
from topologies.emulator.conformance.flow import SMALLEST
from topologies.emulator.conformance.play import every, play
from topologies.emulator.links.spec import symmetric
from units import show_ms

APART_NS = 10_000_000


@dataclass(frozen=True)
class OneWayTimes(Check):
    """One-way delays there and back."""

    there_ms: float
    back_ms: float
    packets: int

    @property
    def what(self) -> str:
        """With its values."""
        return f"one-way delays {show_ms(self.there_ms)} and {show_ms(self.back_ms)}"

    def measure(self, bed: Bed) -> list[Figure]:
        """Median of each direction."""
        plain = symmetric(self.there_ms + self.back_ms, RATE_BPS)
        spec = replace(plain, a_to_b=replace(plain.a_to_b, delay_ms=self.there_ms),
                       b_to_a=replace(plain.b_to_a, delay_ms=self.back_ms))  # fmt: skip
        with bed.link(spec) as link, link.flow("a_to_b", SMALLEST) as one, link.flow("b_to_a", SMALLEST) as other:
            play([one, other], every(APART_NS, self.packets, one.send), every(APART_NS, self.packets, other.send, APART_NS / 2),
                 tail_s=1.0, done=lambda: one.complete and other.complete)  # fmt: skip
        found = []
        for name, flow, delay_ms in (("a to b", one, self.there_ms), ("b to a", other, self.back_ms)):
            due = delay_ms + SMALLEST * 8e3 / RATE_BPS
            times = [time_ms for _, time_ms in flow.times_ms()]
            found.append(around(name, ms(due), median(times) if times else float("nan"), due, allowed_ms(bed, delay_ms), ms))
        return [*found, none("lost", one.lost + other.lost)]


def checks(quick: bool) -> Sequence[Check]:
    """A short way and a long one back."""
    return [OneWayTimes(10, 60, 100 if quick else 200)]
