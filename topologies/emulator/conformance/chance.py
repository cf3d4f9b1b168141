"""What chance alone allows: the intervals in which a count or a mean falls 99 times in 100 when a link is right.

It draws nothing and judges nothing.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

Z99 = 2.575829
"""99 % of a normal distribution lie within so many standard deviations of its mean."""
_TAIL = 0.005


def binomial(tries: int, p: float) -> tuple[int, int]:
    """The 99 % interval of a binomial count: at most 0.5 % of the probability lies below it, and as much above."""
    if p <= 0 or p >= 1:
        return (0, 0) if p <= 0 else (tries, tries)
    return _first_above(tries, p), tries - _first_above(tries, 1 - p)


def _first_above(tries: int, p: float) -> int:
    """The smallest count such that all counts up to it have more than the tail's probability."""
    logs = math.log(p), math.log1p(-p)
    # Ten deviations below the mean lies nothing that matters, so the sum starts there.
    count = max(0, int(tries * p - 10 * math.sqrt(tries * p * (1 - p)) - 10))
    total = 0.0
    while True:
        ways = math.lgamma(tries + 1) - math.lgamma(count + 1) - math.lgamma(tries - count + 1)
        total += math.exp(ways + count * logs[0] + (tries - count) * logs[1])
        if total > _TAIL or count == tries:
            return count
        count += 1


def gilbert(frames: int, enter: float, leave: float) -> tuple[float, float]:
    """(how far the share of frames in the bad state, how far the mean length of its stays, in frames) may be off by chance.

    The chain's autocorrelation is (1 - enter - leave)^n, which widens the error of the mean; stays are geometric.
    """
    bad = enter / (enter + leave)
    memory = 1 - enter - leave
    share = math.sqrt(bad * (1 - bad) / frames * (1 + memory) / (1 - memory))
    length = math.sqrt(1 - leave) / leave / math.sqrt(frames * bad * leave)
    return Z99 * share, Z99 * length


def errors(values: Sequence[float]) -> tuple[float, float]:
    """(how far the mean, how far the standard deviation) of the values may be off by chance; for at least two of them.

    The error of the deviation is s * sqrt((k - 1) / 4n), with the kurtosis k of the values themselves.
    """
    count = len(values)
    mean = math.fsum(values) / count
    second = math.fsum((value - mean) ** 2 for value in values) / count
    if second == 0:
        return 0.0, 0.0
    kurtosis = math.fsum((value - mean) ** 4 for value in values) / count / second**2
    deviation = math.sqrt(second)
    return Z99 * deviation / math.sqrt(count), Z99 * deviation * math.sqrt(max(0.0, kurtosis - 1) / (4 * count))


def percentile(values: Sequence[float], percent: float) -> float:
    """The smallest of the values that so many percent of them do not exceed."""
    return sorted(values)[max(0, math.ceil(len(values) * percent / 100) - 1)]
