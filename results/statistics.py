"""Medians, quantiles and their 95 % intervals, by a seeded bootstrap. It tests no hypothesis and drops no sample.

Interval: percentile bootstrap (Efron and Tibshirani, "An Introduction to the Bootstrap", 1993, chapter 13), 9,999
resamples. The same samples and seed give the same interval.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

CONFIDENCE = 0.95
RESAMPLES = 9_999
SEED = 1
FEWEST_FOR_INTERVAL = 3


@dataclass(frozen=True)
class Estimate:
    """A statistic of `n` samples with its 95 % interval, in the unit of the samples.

    `note` is empty, or says why the interval says nothing (too few samples, all equal).
    """

    value: float
    low: float
    high: float
    n: int
    note: str = ""


def median(values: Sequence[float]) -> float:
    """The middle value, the mean of the two middle ones when their number is even. Raises ValueError when empty."""
    return quantile(values, 0.5)


def quantile(values: Sequence[float], q: float) -> float:
    """Linear interpolation between order statistics (Hyndman and Fan 1996, type 7). Raises ValueError when empty, or
    when `q` is not within 0 and 1."""
    ordered = _checked(values)
    if not 0 <= q <= 1:
        raise ValueError(f"quantile {q} is not within 0 and 1")
    place = q * (len(ordered) - 1)
    low = math.floor(place)
    high = min(low + 1, len(ordered) - 1)
    if ordered[low] == ordered[high]:
        return ordered[low]
    return ordered[low] + (ordered[high] - ordered[low]) * (place - low)


_STATISTICS: dict[str, float | None] = {
    "median": 0.5, "p5": 0.05, "p25": 0.25, "p75": 0.75, "p95": 0.95, "p99": 0.99, "min": 0.0, "max": 1.0, "mean": None,
}  # fmt: skip
STATISTICS = tuple(_STATISTICS)
"""Names a claim may use."""


def statistic(values: Sequence[float], name: str) -> float:
    """The statistic called `name` (one of STATISTICS). Raises ValueError."""
    if name not in _STATISTICS:
        raise ValueError(f"statistic '{name}' is not one of {', '.join(STATISTICS)}")
    q = _STATISTICS[name]
    return math.fsum(_checked(values)) / len(values) if q is None else quantile(values, q)


def estimate(values: Sequence[float], name: str = "median", seed: int = SEED) -> Estimate:
    """The statistic with its interval. Raises ValueError when `values` is empty or holds a value that is not finite."""
    value = statistic(values, name)
    note = _degenerate(values)
    if note:
        return Estimate(value, value, value, len(values), note)
    function = _vector_function(name)
    low, high = _bootstrap((values,), function, seed)
    return Estimate(value, low, high, len(values))


def ratio(above: Sequence[float], below: Sequence[float], name: str = "median", seed: int = SEED) -> Estimate:
    """One statistic divided by the same of other samples; `n` is the smaller number. Raises ValueError, also when the
    divisor is zero."""
    divisor = statistic(below, name)
    if divisor == 0:
        raise ValueError("a ratio to zero says nothing")
    value, n = statistic(above, name) / divisor, min(len(above), len(below))
    notes = [_degenerate(values) for values in (above, below)]
    if all(notes) or n < FEWEST_FOR_INTERVAL:
        return Estimate(value, value, value, n, next(filter(None, notes)))
    if min(below) <= 0:
        return Estimate(value, value, value, n, "a sample of the divisor is not above zero: no interval")
    function = _vector_function(name)
    low, high = _bootstrap((above, below), lambda a, b, axis: function(a, axis) / function(b, axis), seed)
    return Estimate(value, low, high, n)


def resolved(samples: Sequence[Sequence[float]]) -> float | None:
    """The difference between two arms' medians that would be seen in four of five runs like this one (two-sided test at 5 %,
    80 % power), by the arm that spreads most; None where no arm has an interval.

    Normal approximation: (z(0.975) + z(0.8)) times the standard error of a difference of medians, which is 1.2533 times that of
    means (Lehr 1992; the efficiency of a median of normal samples is 2 / pi).
    """
    import numpy as np
    from scipy.stats import norm

    errors = [float(np.std(one, ddof=1)) / math.sqrt(len(one)) for one in samples if len(one) >= FEWEST_FOR_INTERVAL]
    if not errors:
        return None
    return float(norm.ppf(0.975) + norm.ppf(0.8)) * math.sqrt(math.pi) * max(errors)


def _degenerate(values: Sequence[float]) -> str:
    if len(values) < FEWEST_FOR_INTERVAL:
        return "one sample: no interval" if len(values) == 1 else f"{len(values)} samples: no interval"
    return "all samples equal: no interval" if min(values) == max(values) else ""


def _vector_function(name: str) -> Callable[[Any, int], Any]:
    import numpy as np

    q = _STATISTICS[name]
    if q is None:
        return lambda sample, axis: np.mean(sample, axis=axis)
    return lambda sample, axis: np.quantile(sample, q, axis=axis)


def _bootstrap(samples: tuple[Sequence[float], ...], function: Callable[..., Any], seed: int) -> tuple[float, float]:
    import numpy as np
    from scipy.stats import bootstrap

    result = bootstrap(tuple(np.asarray(one, dtype=float) for one in samples), function, vectorized=True,
                       confidence_level=CONFIDENCE, n_resamples=RESAMPLES, method="percentile",
                       rng=np.random.default_rng(seed), batch=max(1, 2_000_000 // max(map(len, samples))))  # fmt: skip
    return float(result.confidence_interval.low), float(result.confidence_interval.high)


def _checked(values: Sequence[float]) -> list[float]:
    if not values:
        raise ValueError("no samples")
    if not all(map(math.isfinite, values)):
        raise ValueError("a sample is not a finite number")
    return sorted(values)
