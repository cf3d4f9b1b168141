"""The round trip of an idle link."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from topologies.emulator.conformance import echo
from topologies.emulator.conformance.bed import Bed
from topologies.emulator.conformance.chance import percentile
from topologies.emulator.conformance.check import Check
from topologies.emulator.conformance.figure import Figure, around, ms, none
from topologies.emulator.conformance.play import every, play
from topologies.emulator.links.spec import LinkSpec, symmetric
from units import show_ms

RATE_BPS = 100_000_000
APART_NS = 15_000_000
QUICK, USUAL = 200, 300
"""Echoes. Of a hundred and less the 99th percentile would be the latest of all, which tells of one moment of the machine."""


def echo_ms(spec: LinkSpec) -> float:
    """The round trip that an echo has: the specified one and its own time on the wire."""
    return spec.rtt_ms + sum(echo.FRAME * 8e3 / way.rate_bps for way in (spec.a_to_b, spec.b_to_a) if way.rate_bps)


def allowed_ms(bed: Bed, rtt_ms: float) -> float:
    """How far the median may be off: max(0.15 ms, 0.15 %)."""
    return bed.tolerance.of_time(max(0.15, 0.0015 * rtt_ms), rtt_ms)


@dataclass(frozen=True)
class IdleRtt(Check):
    """Median and tail of echoes that have the link for themselves."""

    rtt_ms: float
    echoes: int

    @property
    def what(self) -> str:
        """With its value."""
        return f"RTT {show_ms(self.rtt_ms)}, idle link"

    def measure(self, bed: Bed) -> list[Figure]:
        """The first tenth of the echoes warms the machine and does not count."""
        spec = symmetric(self.rtt_ms, RATE_BPS)
        with bed.link(spec) as link, link.echo() as echoes:
            warm = self.echoes // 10
            play([echoes], every(APART_NS, self.echoes + warm, echoes.send), tail_s=1 + self.rtt_ms / 500,
                 done=lambda: echoes.complete)  # fmt: skip
            times = echoes.times_ms(warm * APART_NS)
        due, off = echo_ms(spec), allowed_ms(bed, self.rtt_ms)
        tail = bed.tolerance.of_time(0.8, self.rtt_ms)
        if not times:
            return [Figure("median", ms(due), float("nan"), due - off, due + off, ms, "no echo came back")]
        return [
            around("median", ms(due), median(times), due, off, ms),
            Figure("p99", ms(due), percentile(times, 99), due - off, due + tail, ms),
            none("echoes lost", echoes.lost),
        ]


def checks(quick: bool) -> Sequence[Check]:
    """The round trips of the table of goals."""
    return [IdleRtt(rtt_ms, QUICK if quick else USUAL) for rtt_ms in ((2, 76) if quick else (2, 20, 76, 201, 345))]
