"""Jitter: how the delays are spread, and that the order is kept."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, replace
from random import Random
from statistics import fmean, pstdev

from topologies.emulator.conformance.bed import Bed
from topologies.emulator.conformance.chance import errors, percentile
from topologies.emulator.conformance.check import Check
from topologies.emulator.conformance.checks.rtt import allowed_ms
from topologies.emulator.conformance.figure import Figure, around, ms, none, share
from topologies.emulator.conformance.flow import SMALLEST
from topologies.emulator.conformance.play import every, play
from topologies.emulator.conformance.stream import RATE_BPS, one_way, overtakers, stream
from topologies.emulator.links.effects.jitter import SHAPES, Jitter
from topologies.emulator.links.tolerance import REAL
from units import show_ms

DELAY_MS = 30.0
DENSE = 4000
EMULATED_TIMES = 3
LESS = 0.1
"""Of the deviation: so much less of it may a clock that is off make."""
_DRAWS = 20_000
_KOLMOGOROV99 = 1.63
"""99 % of the largest distances between two samples' distributions, times sqrt(1/n + 1/m), lie below."""


@dataclass(frozen=True)
class JitterShape(Check):
    """Sparse packets, which cannot hold each other up, show the spread; dense ones show the order."""

    jitter: Jitter
    packets: int

    @property
    def what(self) -> str:
        """With its values."""
        return f"jitter {show_ms(self.jitter.jitter_ms)} {self.jitter.shape}, {self.packets} packets"

    def measure(self, bed: Bed) -> list[Figure]:
        """Mean, deviation, range and shape of the one-way times; order of a denser flow."""
        # Where clocks may be off by much the jitter is wider too, else it could be none at all.
        jitter, delay_ms = (self.jitter, DELAY_MS) if bed.tolerance == REAL else (replace(
            self.jitter, jitter_ms=EMULATED_TIMES * self.jitter.jitter_ms), EMULATED_TIMES * DELAY_MS)  # fmt: skip
        shape, width = SHAPES[jitter.shape], jitter.jitter_ms
        apart_ns = ((shape.most - shape.least) * width + 2) * 1e6
        with bed.link(one_way(jitter, seed=bed.attempt, delay_ms=delay_ms)) as link:
            with link.flow("a_to_b", SMALLEST) as flow:
                play([flow], every(apart_ns, self.packets, flow.send), tail_s=1.0, done=lambda: flow.complete)
            dense, _ = stream(bed, link, DENSE)
        times = [time_ms for _, time_ms in flow.times_ms()]
        if len(times) < 2:
            return [none("lost", flow.lost)]
        base = delay_ms + SMALLEST * 8e3 / RATE_BPS
        clock, late = allowed_ms(bed, delay_ms), bed.tolerance.of_time(0.8, delay_ms)
        off_mean, off_deviation = errors(times)
        mean, deviation = base + jitter.mean_ms, jitter.deviation_ms
        far, allowed = distance([time_ms - base for time_ms in times], jitter, clock)
        least, most = base + shape.least * width, base + shape.most * width
        return [
            around("mean", ms(mean), fmean(times), mean, clock + off_mean, ms),
            Figure("deviation", ms(deviation), pstdev(times), deviation - min(clock, LESS * deviation) - off_deviation,
                   deviation + clock + off_deviation, ms),  # a clock that is off rather adds to it
            Figure("earliest", ms(least), min(times), least - clock, None, ms),
            Figure("p99", f"at most {ms(most)}", percentile(times, 99), None, most + late, ms),
            Figure("distance from the shape", "none", far, None, allowed, share),
            none("lost", flow.lost + dense.lost), none("out of order", overtakers(dense)),
        ]  # fmt: skip


def distance(offsets_ms: Sequence[float], jitter: Jitter, clock_ms: float) -> tuple[float, float]:
    """(the largest distance between the distribution of the offsets and that of the shape, what of it chance and a clock that
    is off by `clock_ms` allow), after Kolmogorov and Smirnov."""
    random = Random("conformance")
    draws = sorted(SHAPES[jitter.shape].draw(random) * jitter.jitter_ms for _ in range(_DRAWS))
    count, far = len(offsets_ms), 0.0
    for turn, value in enumerate(sorted(offsets_ms)):
        below = bisect_right(draws, value) / _DRAWS
        far = max(far, abs(below - turn / count), abs(below - (turn + 1) / count))
    # Where the shape is densest, such an error of the clock moves the most packets past a value.
    moved = max(bisect_right(draws, value + clock_ms) - turn for turn, value in enumerate(draws)) / _DRAWS
    return far, min(1.0, _KOLMOGOROV99 * math.sqrt(1 / count + 1 / _DRAWS) + moved)


def checks(quick: bool) -> Sequence[Check]:
    """Each shape."""
    wide = {"uniform": 5.0, "normal": 3.0, "pareto": 5.0}
    return [JitterShape(Jitter(wide[shape], shape), 80 if quick else 400) for shape in SHAPES]
