"""Independent loss on one direction; the other loses nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from topologies.emulator.conformance.bed import Bed
from topologies.emulator.conformance.chance import binomial
from topologies.emulator.conformance.check import Check
from topologies.emulator.conformance.figure import Figure, count, none
from topologies.emulator.conformance.stream import one_way, stream
from topologies.emulator.links.effects.effect import percent
from topologies.emulator.links.effects.loss import Loss


@dataclass(frozen=True)
class LossShare(Check):
    """So many packets from a to b, a tenth of them from b to a."""

    share: float
    packets: int

    @property
    def what(self) -> str:
        """With its values."""
        return f"loss {percent(self.share)} of {self.packets} packets, one direction"

    def measure(self, bed: Bed) -> list[Figure]:
        """The seed is another at each attempt, so that it is chance that is tried again."""
        with bed.link(one_way(Loss(self.share), seed=bed.attempt)) as link:
            there, back = stream(bed, link, self.packets, self.packets // 10)
        low, high = binomial(len(there.sent), self.share)
        return [Figure("lost", count(len(there.sent) * self.share), there.lost, low, high, count, "99 % binomial interval"),
                none("lost on the other direction", back.lost)]  # fmt: skip


def checks(quick: bool) -> Sequence[Check]:
    """The shares of the table of goals."""
    return [LossShare(share, 10_000 if quick else 100_000) for share in ((0.01, 0.2) if quick else (0.001, 0.01, 0.05, 0.2))]
