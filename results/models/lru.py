"""How often an LRU cache has what is asked for by Zipf's law: Che's approximation. It simulates nothing.

Source: H. Che, Y. Tung and Z. Wang, "Hierarchical Web Caching Systems", IEEE JSAC 20(7), 2002. Objects are of one size.
"""

from __future__ import annotations

import math
from collections.abc import Sequence


def zipf(objects: int, exponent: float) -> list[float]:
    """The probabilities of objects 1 to N, by rank: proportional to 1 / rank^exponent."""
    weights = [rank**-exponent for rank in range(1, objects + 1)]
    total = math.fsum(weights)
    return [weight / total for weight in weights]


def hit_ratio(probabilities: Sequence[float], room: int) -> float:
    """Of a cache that has room for so many objects, with the characteristic time for which as many are held."""
    if room >= len(probabilities):
        return 1.0
    low, high = 0.0, 1.0
    while _held(probabilities, high) < room:
        high *= 2.0
    for _ in range(40):
        middle = (low + high) / 2.0
        low, high = (middle, high) if _held(probabilities, middle) < room else (low, middle)
    return math.fsum(one * -math.expm1(-one * high) for one in probabilities)


def _held(probabilities: Sequence[float], time: float) -> float:
    return math.fsum(-math.expm1(-one * time) for one in probabilities)
