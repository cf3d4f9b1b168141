"""How far the one-way times of echoes spread, and how far they may: whether jitter is what was asked for. It measures nothing.

Asked for jitter, the standard deviation is judged. Chance moves it by a factor whose logarithm is nearly normal: n samples of
kurtosis k give it a deviation of sqrt((k - 1) / 4n + 1 / 2n(n - 1)), from the variance of a sample variance. Its lower tail is
the longer one for few samples. Without jitter only the middle half of the times counts, since an echo that this machine held up
says nothing of the link.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import pstdev, stdev

from units import show_ms

from ..spec import Direction
from ..tolerance import REAL, Tolerance
from .chances import chance
from .level import allowed_ms

FEWEST = 8
SIGMAS_LESS, SIGMAS_MORE = 4.3, 3.0
"""So that a right link of any shape is outside once in a thousand measurements at most, from a dozen echoes on."""


@dataclass(frozen=True)
class Spread:
    """What the spread may be, in ms; `note` says what so many echoes do not tell, empty when they tell none, half and twice
    of the jitter from all of it."""

    low_ms: float
    high_ms: float
    note: str = ""


def spread(times_ms: Sequence[float], way: Direction) -> float | None:
    """Of the times, which ascend, in ms; None when there are too few."""
    count = len(times_ms)
    if count < FEWEST:
        return None
    if way.jitter_ms:
        return stdev(times_ms)
    return pstdev(times_ms[count // 4 : count - count // 4])


def spread_due(way: Direction, samples: int, tolerance: Tolerance = REAL) -> Spread:
    """For that many echoes that arrived."""
    deviation, allowed = way.jitter.deviation_ms, allowed_ms(way.delay_ms, tolerance)
    if why := _hidden(way, samples):
        return Spread(0.0, math.inf, why if deviation else "")
    if not deviation:
        return Spread(0.0, allowed)
    relative = math.sqrt((way.jitter.kurtosis - 1.0) / (4.0 * samples) + 1.0 / (2.0 * samples * (samples - 1)))
    low = max(0.0, deviation * math.exp(-SIGMAS_LESS * relative) - allowed)
    high = deviation * math.exp(SIGMAS_MORE * relative) + allowed
    # A link without jitter shows as much as is allowed, at most.
    hidden = (low <= allowed, low <= deviation / 2, high >= 2 * deviation)
    unseen = " or ".join(what for what, yes in zip(("none", "half", "twice"), hidden, strict=True) if yes)
    note = f"{samples} echoes, with {show_ms(allowed)} allowed, do not surely tell it from {unseen} of it"
    return Spread(low, high, note if unseen else "")


def _hidden(way: Direction, samples: int) -> str:
    """Why the times say nothing of jitter, in words; empty when they do."""
    if way.trace is not None:
        return "every echo waits for a chance of the recording as well"
    if chance(way, "reorder"):
        return "frames that overtake skip the delay, and are not told from early ones"
    return f"{samples} echoes arrived, and {FEWEST} are the least that tell" if samples < FEWEST else ""
