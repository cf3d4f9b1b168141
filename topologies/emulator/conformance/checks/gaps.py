"""The gaps between full packets that leave a busy link, by the receiving kernel's stamps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median

from topologies.emulator.conformance.bed import Bed
from topologies.emulator.conformance.chance import percentile
from topologies.emulator.conformance.check import Check
from topologies.emulator.conformance.figure import Figure, around, ms, none, share
from topologies.emulator.conformance.play import play
from topologies.emulator.links.spec import symmetric
from topologies.emulator.links.timers import sleeps_late_s
from units import show_bps, show_ms

FRAME = 1514
CLOCK_MS = 0.1
"""Where timers are coarser than a tenth of the gap, so much is near enough."""
MEAN = 0.01
WARM = 100


@dataclass(frozen=True)
class Gaps(Check):
    """A queue full of packets is drained; `judged` tells whether there is a goal."""

    rate_bps: int
    packets: int
    judged: bool

    @property
    def what(self) -> str:
        """With its values."""
        return f"gaps between {self.packets} packets leaving {show_bps(self.rate_bps)}"

    def measure(self, bed: Bed) -> list[Figure]:
        """Share of the gaps within 10 % of the ideal, and within what counts as near enough; the mean gap.

        Where so much is more than the gap itself (emulated processors) the share would prove nothing and is only published.
        """
        bed.needs(self.rate_bps)
        spec = symmetric(20, self.rate_bps, 2 * self.packets * FRAME)
        with bed.link(spec) as link, link.flow() as flow:
            flow.send(self.packets)
            play([flow], tail_s=1 + 2 * self.packets * FRAME * 8 / self.rate_bps, done=lambda: flow.complete)
            lost = flow.lost
        ideal_ms = FRAME * 8e3 / self.rate_bps
        off = sorted(abs((later - sooner) / 1e6 - ideal_ms) for (_, sooner), (_, later) in pairwise(flow.arrived[WARM:]))
        if not off:
            return [Figure("gaps", show_ms(ideal_ms), float("nan"), 0.99, None, share, "nothing arrived")]
        coarse = median(sleeps_late_s()) * 1e3 > 0.1 * ideal_ms
        near_ms = bed.tolerance.of_time(max(0.1 * ideal_ms, CLOCK_MS if coarse else 0.0), ideal_ms)
        tenth, near = (sum(one <= most for one in off) / len(off) for most in (0.1 * ideal_ms, near_ms))
        tail = f"99 % within {show_ms(percentile(off, 99))} of {show_ms(ideal_ms)}"
        found = [Figure("within 10 % of ideal", show_ms(ideal_ms), tenth, None, None, share, tail)]
        if self.judged and near_ms < ideal_ms:
            found.insert(0, Figure(f"within 10 % or {show_ms(near_ms)}", show_ms(ideal_ms), near, 0.99, None, share, tail))
        if self.judged:
            stamps = [at for _, at in flow.arrived[WARM:]]
            mean_ms = (stamps[-1] - stamps[0]) / 1e6 / (len(stamps) - 1)
            found.append(around("mean gap", ms(ideal_ms), mean_ms, ideal_ms, bed.tolerance.of_rate(MEAN) * ideal_ms, ms))
        return [*found, none("lost", lost)]


def checks(quick: bool) -> Sequence[Check]:
    """One with a goal, a faster one that is published."""
    judged = Gaps(100_000_000, 1000 if quick else 4000, True)
    return [judged] if quick else [judged, Gaps(1_000_000_000, 4000, False)]
