"""Reordering: some packets skip the delay and overtake those under way."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from topologies.emulator.conformance.bed import Bed
from topologies.emulator.conformance.chance import binomial
from topologies.emulator.conformance.check import Check
from topologies.emulator.conformance.figure import Figure, count, none
from topologies.emulator.conformance.stream import one_way, stream
from topologies.emulator.links.effects.effect import percent
from topologies.emulator.links.effects.reorder import Reorder

DELAY_MS = 100.0
"""Half of it separates those that skipped it from those that did not, on a slow machine too."""


@dataclass(frozen=True)
class Reordering(Check):
    """The others keep their order and their delay, and none is lost."""

    share: float
    packets: int

    @property
    def what(self) -> str:
        """With its values."""
        return f"reorder {percent(self.share)} of {self.packets} packets"

    def measure(self, bed: Bed) -> list[Figure]:
        """A packet has overtaken when it took less than half of the delay."""
        with bed.link(one_way(Reorder(self.share), seed=bed.attempt, delay_ms=DELAY_MS)) as link:
            flow, _ = stream(bed, link, self.packets)
        times = flow.times_ms()
        others = [number for number, time_ms in times if time_ms >= DELAY_MS / 2]
        low, high = binomial(len(flow.sent), self.share)
        return [
            Figure("overtook", count(len(flow.sent) * self.share), len(times) - len(others), low, high, count,
                   "99 % binomial interval"),
            none("others out of order", sum(later < sooner for sooner, later in pairwise(others))), none("lost", flow.lost),
        ]  # fmt: skip


def checks(quick: bool) -> Sequence[Check]:
    """One share."""
    return [Reordering(0.05, 10_000 if quick else 50_000)]
