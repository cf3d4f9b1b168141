"""The round trip of a link that is busy half of the time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from topologies.emulator.conformance.bed import Bed
from topologies.emulator.conformance.check import Check
from topologies.emulator.conformance.checks.rtt import APART_NS, echo_ms
from topologies.emulator.conformance.figure import Figure, around, ms, none
from topologies.emulator.conformance.play import every, play
from topologies.emulator.links.spec import symmetric
from units import show_bps, show_ms

FRAME = 1514


@dataclass(frozen=True)
class LoadedRtt(Check):
    """Echoes beside full frames, evenly spaced, that take `share` of the rate in each direction."""

    rtt_ms: float
    rate_bps: int
    share: float
    echoes: int

    @property
    def what(self) -> str:
        """With its values."""
        return f"RTT {show_ms(self.rtt_ms)}, {show_bps(self.share * self.rate_bps)} of {show_bps(self.rate_bps)} each way"

    def measure(self, bed: Bed) -> list[Figure]:
        """The load begins before the first echo and ends after the last; none of it may be lost."""
        bed.needs(2 * self.share * self.rate_bps)
        spec = symmetric(self.rtt_ms, self.rate_bps)
        gap_ns, long_ns = FRAME * 8e9 / (self.share * self.rate_bps), (self.echoes + 20) * APART_NS
        frames = int(long_ns / gap_ns)
        with bed.link(spec) as link, link.echo() as echoes, link.flow("a_to_b") as there, link.flow("b_to_a") as back:
            play(
                [echoes, there, back], every(gap_ns, frames, there.send), every(gap_ns, frames, back.send, gap_ns / 3),
                every(APART_NS, self.echoes, echoes.send, 10 * APART_NS), tail_s=1.0,
                done=lambda: echoes.complete and there.complete and back.complete,
            )  # fmt: skip
            times, lost = echoes.times_ms(), there.lost + back.lost + echoes.lost
        due = echo_ms(spec)
        off = bed.tolerance.of_time(0.5, self.rtt_ms)
        return [around("median", ms(due), median(times) if times else float("nan"), due, off, ms),
                none("packets lost", lost)]  # fmt: skip


def checks(quick: bool) -> Sequence[Check]:
    """The row of the table of goals."""
    return [LoadedRtt(76, 100_000_000, 0.5, 60 if quick else 300)]
