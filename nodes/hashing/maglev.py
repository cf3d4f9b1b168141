"""Maglev's lookup table: every name fills slots in the order of its own permutation, one slot a turn.

It is not a ring: a lookup is one division, and a name that leaves moves a few more keys than its own. Section 3.4 of
"Maglev: A Fast and Reliable Software Network Load Balancer" (Eisenbud et al., NSDI 2016).
"""

from __future__ import annotations

from array import array
from collections.abc import Mapping

from nodes.hashing.keys import hash64

SLOTS = 65_537
"""A prime, so that every skip makes a permutation; the paper's smaller table."""


class Maglev:
    """Immutable; making it takes tens of milliseconds, `find` less than a microsecond."""

    __slots__ = ("_names", "_slots")

    def __init__(self, weights: Mapping[str, float], slots: int = SLOTS) -> None:
        """Names with their weights, above zero; `slots` is a prime far above their number. Raises ValueError."""
        if not weights or min(weights.values()) <= 0:
            raise ValueError("a table needs names, each with a weight above zero")
        self._names = sorted(weights)  # every balancer makes the same table, in whatever order it learnt the names
        self._slots = _fill([(name, weights[name]) for name in self._names], slots)

    def find(self, key: str) -> str:
        """The name that a key belongs to."""
        return self._names[self._slots[hash64(key) % len(self._slots)]]

    def shares(self) -> dict[str, int]:
        """How many slots each name has."""
        counts = [0] * len(self._names)
        for owner in self._slots:
            counts[owner] += 1
        return dict(zip(self._names, counts, strict=True))


def _fill(weighted: list[tuple[str, float]], slots: int) -> array[int]:
    """The paper's Populate; a name of less than the largest weight misses turns in proportion."""
    owners, free = array("i", [-1]) * slots, slots
    places = [hash64(f"{name}/offset") % slots for name, _ in weighted]
    skips = [hash64(f"{name}/skip") % (slots - 1) + 1 for name, _ in weighted]
    heaviest = max(weight for _, weight in weighted)
    rates = [weight / heaviest for _, weight in weighted]
    credits = [1.0 - 1e-9] * len(weighted)  # so that the heaviest, whose rate is 1, takes each turn and nobody is ahead of it
    while True:
        for owner, skip in enumerate(skips):
            credits[owner] += rates[owner]
            if credits[owner] < 1.0:
                continue
            credits[owner] -= 1.0
            place = places[owner]
            while owners[place] >= 0:
                place += skip
                if place >= slots:
                    place -= slots
            owners[place] = owner
            places[owner] = place
            free -= 1
            if not free:
                return owners
