"""The interval in which a probability lies when so many of so many frames were lost: Clopper and Pearson's, which is exact.

It knows nothing of links. C. J. Clopper and E. S. Pearson, The Use of Confidence or Fiducial Limits Illustrated in the Case of
the Binomial, 1934. Its ends are quantiles of beta distributions, which are defined for counts that are not whole as well.
"""

from __future__ import annotations

import math

_STEPS = 50
"""Halvings of [0, 1]: the ends are right to 1e-15."""
_TERMS = 300


def interval(count: float, of: float, confidence: float) -> tuple[float, float]:
    """(low, high) of the probability after `count` of `of`; both tails have (1 - confidence) / 2. `of` is above 0."""
    tail = (1.0 - confidence) / 2.0
    low = 0.0 if count <= 0 else tail ** (1.0 / of) if count >= of else _quantile(tail, count, of - count + 1.0)
    high = 1.0 if count >= of else 1.0 - tail ** (1.0 / of) if count <= 0 else _quantile(1.0 - tail, count + 1.0, of - count)
    return low, high


def _quantile(share: float, a: float, b: float) -> float:
    low, high = 0.0, 1.0
    for _ in range(_STEPS):
        middle = (low + high) / 2.0
        if beta_share(middle, a, b) < share:
            low = middle
        else:
            high = middle
    return (low + high) / 2.0


def beta_share(x: float, a: float, b: float) -> float:
    """The regularised incomplete beta function I_x(a, b), by its continued fraction (Abramowitz and Stegun 26.5.8)."""
    if x <= 0.0 or x >= 1.0:
        return 0.0 if x <= 0.0 else 1.0
    front = math.exp(math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + a * math.log(x) + b * math.log1p(-x))
    # The fraction converges fast below the mean only; above it, the other tail is taken.
    if x < (a + 1.0) / (a + b + 2.0):
        return front * _fraction(x, a, b) / a
    return 1.0 - front * _fraction(1.0 - x, b, a) / b


def _fraction(x: float, a: float, b: float) -> float:
    """1 / (1 + d1 / (1 + d2 / ...)) from its front, by Lentz's method."""
    least = 1e-300
    c, d = 1.0, 1.0 / _away(1.0 - (a + b) * x / (a + 1.0), least)
    found = d
    for m in range(1, _TERMS):
        for term in (m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m)),
                     -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))):  # fmt: skip
            d = 1.0 / _away(1.0 + term * d, least)
            c = _away(1.0 + term / c, least)
            found *= c * d
        if abs(c * d - 1.0) < 1e-14:
            break
    return found


def _away(value: float, least: float) -> float:
    return value if abs(value) > least else least
