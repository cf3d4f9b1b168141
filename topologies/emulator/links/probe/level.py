"""The round-trip time that is held against the specification, and what it may be. It measures nothing.

On a link whose delay is not random that is the median. Jitter: the mean, since a median of skewed jitter is none; five of its
standard errors are allowed for. Reordering: frames that overtake skip the delay, so the lower times are left out, as many as
should be. A recording: the least, since every echo waits for its next chance as well.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from ..spec import Direction, LinkSpec
from ..tolerance import REAL, Tolerance
from .chances import chance
from .plan import ECHO_FRAME

TOLERANCE_MS, TOLERANCE = 0.5, 0.01
_FEWEST_WHOLE = 6.0
_SIGMAS = 5.0


@dataclass(frozen=True)
class Due:
    """What the level is to be: `ms`, at most `less_ms` less and `more_ms` more. `words` says which level."""

    ms: float
    less_ms: float
    more_ms: float
    words: str


def level(times_ms: Sequence[float], spec: LinkSpec) -> float | None:
    """The level of the times, which ascend; None when there are none."""
    if not times_ms:
        return None
    count, whole = len(times_ms), _whole(spec)
    if longest_wait_ms(spec):
        return times_ms[0]
    if whole * count < _FEWEST_WHOLE:
        return times_ms[-1]
    if _deviation_ms(spec):
        kept = times_ms[round((1.0 - whole) * count) :]
        return math.fsum(kept) / len(kept)
    if whole < 1.0:
        return times_ms[math.ceil((1.0 - whole / 3.0) * count) - 1]
    return (times_ms[(count - 1) // 2] + times_ms[count // 2]) / 2


def due(spec: LinkSpec, samples: int, tolerance: Tolerance = REAL) -> Due:
    """For that many echoes that came back (at least one); `tolerance` is the machine's."""
    ways = (spec.a_to_b, spec.b_to_a)
    base = tolerance.of_time(max(TOLERANCE_MS, TOLERANCE * spec.rtt_ms), spec.rtt_ms)
    whole, deviation = _whole(spec), _deviation_ms(spec)
    ms = spec.rtt_ms + serialisation_ms(spec)
    skipped = sum(way.delay_ms for way in ways if chance(way, "reorder"))
    furthest = sum(way.jitter_ms for way in ways)
    if waits := longest_wait_ms(spec):
        earliest = sum(min(way.delay_ms, way.jitter_ms) for way in ways)
        return Due(ms, base + earliest + skipped, base + waits + furthest, "the least")
    if whole * samples < _FEWEST_WHOLE:
        return Due(ms, base + skipped + furthest, base + furthest, "the most")
    if deviation:
        mixed = 3.0 * math.sqrt(samples * whole * (1.0 - whole)) * skipped / samples
        allowed = base + _SIGMAS * deviation / math.sqrt(samples) + mixed
        return Due(ms + sum(way.jitter.mean_ms for way in ways), allowed, allowed, "the mean")
    return Due(ms, base, base, "the median" if whole == 1.0 else "that of frames which did not overtake")


def serialisation_ms(spec: LinkSpec) -> float:
    """What the echo itself takes on the wire, both ways; part of every measured RTT, not of the specified one."""
    return sum(ECHO_FRAME * 8e3 / way.rate_bps for way in (spec.a_to_b, spec.b_to_a) if way.rate_bps)


def _whole(spec: LinkSpec) -> float:
    """The share of echoes that overtake on neither way."""
    return (1.0 - chance(spec.a_to_b, "reorder")) * (1.0 - chance(spec.b_to_a, "reorder"))


def _deviation_ms(spec: LinkSpec) -> float:
    return math.hypot(spec.a_to_b.jitter.deviation_ms, spec.b_to_a.jitter.deviation_ms)


def longest_wait_ms(spec: LinkSpec) -> float:
    """The longest that an echo waits for chances of recordings, in ms; 0 where no way is one."""
    return sum(_longest_gap_ms(way) for way in (spec.a_to_b, spec.b_to_a))


def _longest_gap_ms(way: Direction) -> float:
    if way.trace is None:
        return 0.0
    times = way.trace.times_ms
    return float(max([times[0] + way.trace.period_ms - times[-1], *(later - sooner for sooner, later in pairwise(times))]))
