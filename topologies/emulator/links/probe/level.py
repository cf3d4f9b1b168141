"""The round-trip and one-way times that are held against the specification, and what they may be. It measures nothing.

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


def level(times_ms: Sequence[float], of: LinkSpec | Direction) -> float | None:
    """The level of the times, which ascend: round trips of a link, or the times one way; None when there are none."""
    if not times_ms:
        return None
    ways = _ways(of)
    count, whole = len(times_ms), _whole(ways)
    if longest_wait_ms(of):
        return times_ms[0]
    if whole * count < _FEWEST_WHOLE:
        return times_ms[-1]
    if _deviation_ms(ways):
        kept = times_ms[round((1.0 - whole) * count) :]
        return math.fsum(kept) / len(kept)
    if whole < 1.0:
        return times_ms[math.ceil((1.0 - whole / 3.0) * count) - 1]
    return (times_ms[(count - 1) // 2] + times_ms[count // 2]) / 2


def due(of: LinkSpec | Direction, samples: int, tolerance: Tolerance = REAL) -> Due:
    """For that many echoes that came back, or arrived one way (at least one); `tolerance` is the machine's."""
    ways = _ways(of)
    delay_ms = sum(way.delay_ms for way in ways)
    base = allowed_ms(delay_ms, tolerance)
    whole, deviation = _whole(ways), _deviation_ms(ways)
    ms = delay_ms + serialisation_ms(of)
    skipped = sum(way.delay_ms for way in ways if chance(way, "reorder"))
    furthest = sum(way.jitter_ms for way in ways)
    if waits := longest_wait_ms(of):
        earliest = sum(min(way.delay_ms, way.jitter_ms) for way in ways)
        return Due(ms, base + earliest + skipped, base + waits + furthest, "the least")
    if whole * samples < _FEWEST_WHOLE:
        return Due(ms, base + skipped + furthest, base + furthest, "the most")
    if deviation:
        mixed = 3.0 * math.sqrt(samples * whole * (1.0 - whole)) * skipped / samples
        allowed = base + _SIGMAS * deviation / math.sqrt(samples) + mixed
        return Due(ms + sum(way.jitter.mean_ms for way in ways), allowed, allowed, "the mean")
    return Due(ms, base, base, "the median" if whole == 1.0 else "that of frames which did not overtake")


def allowed_ms(delay_ms: float, tolerance: Tolerance) -> float:
    """How far a time of that length may be off where nothing in it is random."""
    return tolerance.of_time(max(TOLERANCE_MS, TOLERANCE * delay_ms), delay_ms)


def serialisation_ms(of: LinkSpec | Direction) -> float:
    """What the echo itself takes on the wire; part of every measured time, not of the specified one."""
    return sum(ECHO_FRAME * 8e3 / way.rate_bps for way in _ways(of) if way.rate_bps)


def _ways(of: LinkSpec | Direction) -> tuple[Direction, ...]:
    return (of,) if isinstance(of, Direction) else (of.a_to_b, of.b_to_a)


def _whole(ways: Sequence[Direction]) -> float:
    """The share of echoes that overtake on no way."""
    return math.prod(1.0 - chance(way, "reorder") for way in ways)


def _deviation_ms(ways: Sequence[Direction]) -> float:
    return math.hypot(*(way.jitter.deviation_ms for way in ways))


def longest_wait_ms(of: LinkSpec | Direction) -> float:
    """The longest that an echo waits for chances of recordings, in ms; 0 where no way is one."""
    return sum(_longest_gap_ms(way) for way in _ways(of))


def _longest_gap_ms(way: Direction) -> float:
    if way.trace is None:
        return 0.0
    times = way.trace.times_ms
    return float(max([times[0] + way.trace.period_ms - times[-1], *(later - sooner for sooner, later in pairwise(times))]))
