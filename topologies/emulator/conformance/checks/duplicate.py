"""Duplication on the wire."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from topologies.emulator.conformance.bed import Bed
from topologies.emulator.conformance.chance import binomial
from topologies.emulator.conformance.check import Check
from topologies.emulator.conformance.figure import Figure, count, none
from topologies.emulator.conformance.stream import one_way, overtakers, stream
from topologies.emulator.links.effects.duplicate import Duplicate
from topologies.emulator.links.effects.effect import percent


@dataclass(frozen=True)
class Duplicates(Check):
    """Some packets arrive twice, none is lost, the order is kept."""

    share: float
    packets: int

    @property
    def what(self) -> str:
        """With its values."""
        return f"duplicate {percent(self.share)} of {self.packets} packets"

    def measure(self, bed: Bed) -> list[Figure]:
        """The number of copies of each number."""
        with bed.link(one_way(Duplicate(self.share), seed=bed.attempt)) as link:
            flow, _ = stream(bed, link, self.packets)
        copies = Counter(number for number, _ in flow.arrived)
        low, high = binomial(len(flow.sent), self.share)
        return [
            Figure("arrived twice", count(len(flow.sent) * self.share), sum(n == 2 for n in copies.values()), low, high, count,
                   "99 % binomial interval"),
            none("arrived more often", sum(n > 2 for n in copies.values())), none("lost", flow.lost),
            none("out of order", overtakers(flow)),
        ]  # fmt: skip


def checks(quick: bool) -> Sequence[Check]:
    """One share."""
    return [Duplicates(0.02, 10_000 if quick else 50_000)]
