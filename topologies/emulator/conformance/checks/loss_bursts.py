"""Loss in bursts, by the model of Gilbert and Elliott."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

from topologies.emulator.conformance.bed import Bed
from topologies.emulator.conformance.chance import gilbert
from topologies.emulator.conformance.check import Check
from topologies.emulator.conformance.figure import Figure, around, none, number, share
from topologies.emulator.conformance.stream import one_way, stream
from topologies.emulator.links.effects.effect import percent
from topologies.emulator.links.effects.gilbert_elliott import GilbertElliott


def bursts(sent: int, arrived: set[int]) -> list[int]:
    """Lengths of the runs of lost packets."""
    return [len(list(members)) for lost, members in groupby(range(sent), lambda one: one not in arrived) if lost]


@dataclass(frozen=True)
class BurstLoss(Check):
    """The bad state loses everything and the good one nothing, so that a burst is a stay in the bad state."""

    enter: float
    leave: float
    packets: int

    @property
    def what(self) -> str:
        """With its values."""
        return f"gilbert-elliott {percent(self.enter)} {percent(self.leave)}, {self.packets} packets"

    def measure(self, bed: Bed) -> list[Figure]:
        """Share lost and mean length of a burst."""
        effect = GilbertElliott(self.enter, self.leave)
        with bed.link(one_way(effect, seed=bed.attempt)) as link:
            there, back = stream(bed, link, self.packets, self.packets // 10)
        lengths = bursts(len(there.sent), {one for one, _ in there.arrived})
        off_share, off_length = gilbert(len(there.sent), self.enter, self.leave)
        mean = sum(lengths) / len(lengths) if lengths else 0.0
        return [
            around("share lost", share(effect.loss), there.lost / len(there.sent), effect.loss, off_share, share,
                   "99 % interval"),
            around("mean burst", f"{1 / self.leave:g} packets", mean, 1 / self.leave, off_length, number, "99 % interval"),
            none("lost on the other direction", back.lost),
        ]  # fmt: skip


def checks(quick: bool) -> Sequence[Check]:
    """Short and long bursts."""
    packets = 10_000 if quick else 100_000
    return [BurstLoss(0.01, 0.25, packets)] if quick else [BurstLoss(0.01, 0.25, packets), BurstLoss(0.002, 0.05, packets)]
