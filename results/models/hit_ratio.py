"""What theory says of LRU and FIFO under independent requests for objects of one size. It simulates nothing.

LRU: H. Che, Y. Tung and Z. Wang, "Hierarchical Web Caching Systems", IEEE JSAC 20(7), 2002. FIFO: E. Gelenbe, "A Unified
Approach to the Evaluation of a Class of Replacement Algorithms", IEEE Transactions on Computers 22(6), 1973, with the
characteristic time of V. Martina, M. Garetto and E. Leonardi, INFOCOM 2014.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def zipf(objects: int, alpha: float) -> Floats:
    """The probabilities of objects 1 to N, by rank: proportional to 1 / rank^alpha."""
    weights = np.arange(1, objects + 1, dtype=np.float64) ** -alpha
    return np.asarray(weights / weights.sum(), np.float64)


def lru_hit_ratio(probabilities: Floats, capacity: int) -> float:
    """Hit ratio of a cache that holds `capacity` objects."""
    return _hit_ratio(probabilities, capacity, lambda rate_time: -np.expm1(-rate_time))


def fifo_hit_ratio(probabilities: Floats, capacity: int) -> float:
    """Hit ratio of a cache that holds `capacity` objects; for random replacement it is the same."""
    return _hit_ratio(probabilities, capacity, lambda rate_time: rate_time / (1.0 + rate_time))


def _hit_ratio(probabilities: Floats, capacity: int, held: Callable[[Floats], Floats]) -> float:
    """With the characteristic time for which as many objects are held as there is room for, found by bisection."""
    low, high = 0.0, 1.0
    while held(probabilities * high).sum() < capacity:
        high *= 2.0
    for _ in range(100):
        middle = (low + high) / 2.0
        low, high = (middle, high) if held(probabilities * middle).sum() < capacity else (low, middle)
    return float((probabilities * held(probabilities * high)).sum())
