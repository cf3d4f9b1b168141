"""CoDel beside drop-tail: the delay that stands under a steady overload."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from topologies.emulator.conformance.bed import Bed
from topologies.emulator.conformance.check import Check
from topologies.emulator.conformance.checks.queue_full import BASE_MS, WITHIN, overloaded
from topologies.emulator.conformance.checks.rtt import echo_ms
from topologies.emulator.conformance.figure import Figure, around, ms
from topologies.emulator.links.codel import Codel
from topologies.emulator.links.spec import symmetric
from units import show_bps, show_bytes, show_ms

OVERLOAD = 1.03
TARGETS = 3.0
"""CoDel's drops grow until they balance such a load, which does not yield; by RFC 8289's algorithm on paper the median is then
8 ms with a target of 5 ms. (A load of 1.2 times the rate it cannot hold at all.)"""


@dataclass(frozen=True)
class StandingDelay(Check):
    """The same queue, the same load that does not yield; once with CoDel, once without."""

    rate_bps: int
    queue_bytes: int
    codel: Codel
    settle_s: float
    echoes: int

    @property
    def what(self) -> str:
        """With its values."""
        return f"{self.codel.words}, {show_bps(self.rate_bps)}, queue of {show_bytes(self.queue_bytes)}, overloaded"

    def measure(self, bed: Bed) -> list[Figure]:
        """Medians of the delay above that of an idle link, after `settle_s`."""
        tail = symmetric(BASE_MS, self.rate_bps, self.queue_bytes)
        head = replace(tail, a_to_b=replace(tail.a_to_b, codel=self.codel))
        idle_ms, full_ms = echo_ms(tail), self.queue_bytes * 8e3 / self.rate_bps
        off, target_ms = bed.tolerance.of_time(WITHIN * full_ms, full_ms), self.codel.target_ms
        standing = overloaded(bed, head, 1, OVERLOAD, self.settle_s, self.echoes, off / 2) - idle_ms
        full = overloaded(bed, tail, self.queue_bytes // 1000, OVERLOAD, 0.2, self.echoes, off / 2) - idle_ms
        most = bed.tolerance.of_time(TARGETS * target_ms, target_ms)
        return [
            Figure("standing delay", f"about {show_ms(target_ms)}", standing, 0.0, most, ms),
            around("without CoDel", ms(full_ms), full, full_ms, off, ms),
        ]


def checks(quick: bool) -> Sequence[Check]:
    """RFC 8289's own parameters."""
    return [StandingDelay(10_000_000, 131_072, Codel(), 2.0, 30 if quick else 80)]
