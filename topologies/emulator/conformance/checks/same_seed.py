"""Same seed, same fate: two links of one seed lose, double and delay the same packets."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from topologies.emulator.conformance.bed import Bed
from topologies.emulator.conformance.chance import percentile
from topologies.emulator.conformance.check import Check
from topologies.emulator.conformance.figure import Figure, count, ms, none
from topologies.emulator.conformance.flow import SMALLEST, Flow
from topologies.emulator.conformance.play import every, play
from topologies.emulator.conformance.stream import one_way
from topologies.emulator.links.effects.duplicate import Duplicate
from topologies.emulator.links.effects.jitter import Jitter
from topologies.emulator.links.effects.loss import Loss

APART_NS = 1_000_000
"""With a jitter of at most half of it, no packet waits for another: its delay is its own."""
EFFECTS = (Loss(0.05), Duplicate(0.05), Jitter(0.45))


def fates(flow: Flow) -> list[int]:
    """How often each packet arrived."""
    copies = Counter(number for number, _ in flow.arrived)
    return [copies[number] for number in range(len(flow.sent))]


@dataclass(frozen=True)
class SameSeed(Check):
    """The same packets over two links of one seed and one of another."""

    packets: int

    @property
    def what(self) -> str:
        """With its values."""
        return f"same seed, same fate, {self.packets} packets"

    def measure(self, bed: Bed) -> list[Figure]:
        """Packets whose fate differs, and how far the delays are apart."""
        flows = []
        for seed in (7, 7, 8):
            with (bed.link(one_way(*EFFECTS, seed=seed), seeded=True) as link,
                  link.flow("a_to_b", SMALLEST) as flow):  # fmt: skip
                play([flow], every(APART_NS, self.packets, flow.send), tail_s=0.3)
                flows.append(flow)
        first, second, other = flows
        # Of the packets that both links lost or passed alike, the first copies.
        one, two = (dict(reversed(flow.times_ms())) for flow in (first, second))
        apart = [abs(one[number] - two[number]) for number in one.keys() & two.keys()]
        alike = [mine == theirs for mine, theirs in zip(fates(first), fates(second), strict=True)]
        unlike = [mine != theirs for mine, theirs in zip(fates(first), fates(other), strict=True)]
        return [
            none("other fate, same seed", alike.count(False)),
            Figure("p99 of the delays apart", ms(0), percentile(apart, 99) if apart else float("nan"), None,
                   bed.tolerance.of_time(0.8, 0), ms),
            Figure("other fate, other seed", "many", sum(unlike), self.packets / 100, None, count),
        ]  # fmt: skip


def checks(quick: bool) -> Sequence[Check]:
    """Loss, duplication and jitter at once."""
    return [SameSeed(1000 if quick else 4000)]
