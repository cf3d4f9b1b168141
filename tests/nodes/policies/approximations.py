"""Independent requests for objects by probabilities, for tests that hold caches to theory (results/models/hit_ratio.py)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from results.models.hit_ratio import Floats, fifo_hit_ratio, lru_hit_ratio, zipf

__all__ = ["fifo_hit_ratio", "lru_hit_ratio", "requests", "zipf"]


def requests(probabilities: Floats, count: int, seed: int) -> NDArray[np.int64]:
    """So many independent requests, as numbers of objects from 0."""
    uniform = np.random.default_rng(seed).random(count)
    return np.searchsorted(np.cumsum(probabilities)[:-1], uniform, side="right")
