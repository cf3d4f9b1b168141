"""`size-aware`: an object is stored with a probability that falls with its size.

The probability is exp(-size / c), as in D. S. Berger, R. K. Sitaraman and M. Harchol-Balter, "AdaptSize", NSDI 2017. It is not
AdaptSize itself, which adapts c to the requests: c is one hundredth of the capacity here, so that what takes 1 % of the cache
has a chance of 37 %, and what takes a thousandth 90 %. A popular large object gets in after some tries.
"""

from __future__ import annotations

import math
import random

from nodes.edge.policies.machinery.admission import Admission


class SizeAware(Admission):
    """Its chances are the same in every run."""

    by_size = True

    def __init__(self, capacity_bytes: int) -> None:
        super().__init__(capacity_bytes)
        self._chance = random.Random(1)

    def admit(self, key: int, size_bytes: int) -> bool:
        """With the probability of its size."""
        return self._chance.random() < math.exp(-size_bytes * 100 / self.capacity_bytes)
