"""A rate that follows a recording, in mahimahi's format."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import median

from topologies.emulator.conformance.bed import Bed
from topologies.emulator.conformance.chance import percentile
from topologies.emulator.conformance.check import Check
from topologies.emulator.conformance.figure import Figure, around, ms, none
from topologies.emulator.conformance.play import play
from topologies.emulator.links.spec import ETHERNET_HEADER, symmetric
from topologies.emulator.links.trace import CHANCE_BYTES, Trace

RECORDING = Trace((1, 2, 2, 3, 5, 8, 13, 13, 13, 14, 20, 33, 34, 34, 60, 61, 61, 62, 90, 120), "uneven")
"""Twenty chances in 120 ms, some at the same moment, some far apart."""


def misses_ms(arrived_ms: Sequence[float], trace: Trace) -> list[float]:
    """How far each arrival is from its chance, when each took one and none was left out: the recording is laid against the
    arrivals at every turn of it, and the turn that fits best is taken."""
    size, best = len(trace.times_ms), list[float]()
    for turn in range(size):
        chances = [trace.times_ms[at % size] + trace.period_ms * (at // size) for at in range(turn, turn + len(arrived_ms))]
        apart = [arrived - chance for arrived, chance in zip(arrived_ms, chances, strict=True)]
        middle = median(apart)
        misses = [abs(one - middle) for one in apart]
        if not best or sum(misses) < sum(best):
            best = misses
    return best


@dataclass(frozen=True)
class Recorded(Check):
    """A queue full of packets leaves as the recording says, over several periods of it."""

    periods: int

    @property
    def what(self) -> str:
        """With its values."""
        trace = RECORDING
        return f"trace of {len(trace.times_ms)} chances in {trace.period_ms} ms, {self.periods} periods"

    def measure(self, bed: Bed) -> list[Figure]:
        """How long whole periods take, and the moment of each packet."""
        trace, frame = RECORDING, CHANCE_BYTES + ETHERNET_HEADER
        packets = self.periods * len(trace.times_ms) + 1
        plain = symmetric(20, 100_000_000, 2 * packets * frame)
        spec = replace(plain, a_to_b=replace(plain.a_to_b, rate_bps=None, trace=trace))
        with bed.link(spec) as link, link.flow() as flow:
            flow.send(packets)
            play([flow], tail_s=1 + 2 * self.periods * trace.period_ms / 1e3, done=lambda: flow.complete)
        if flow.lost:
            return [none("packets lost", flow.lost)]
        arrived = [at / 1e6 for _, at in flow.arrived]
        arrived = [at - arrived[0] for at in arrived]
        span = arrived[-1] - arrived[0]
        due = self.periods * trace.period_ms
        late = bed.tolerance.of_time(0.8, 0)
        return [
            around(f"{packets - 1} packets take", ms(due), span, due, 2 * late, ms),
            Figure("p99 from its chance", ms(0), percentile(misses_ms(arrived, trace), 99), None, late, ms),
            none("packets lost", flow.lost),
        ]


def checks(quick: bool) -> Sequence[Check]:
    """Several times round."""
    return [Recorded(5 if quick else 20)]
