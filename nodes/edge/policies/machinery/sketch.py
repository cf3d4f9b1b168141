"""Approximate counts of how often keys were seen lately, in one byte for each of four rows: a count-min sketch that ages.

G. Cormode and S. Muthukrishnan, J. Algorithms 55, 2005; aging as in G. Einziger, R. Friedman and B. Manes, "TinyLFU", ACM
Transactions on Storage 13(4), 2017: after a sample of ten times the cache's objects all counts are halved. It never counts
too little, save for aging.
"""

from __future__ import annotations

MOST = 15
FIRST_WIDTH = 1024

_FACTOR = 0x9E3779B97F4A7C15F39CC0605CEDC835165667B19E3779F9D6E8FEB86659FD93
_PLUS = 0xC2B2AE3D27D4EB4F
_BITS = (1 << 64) - 1
_HALVES = bytes(count >> 1 for count in range(256))


class Sketch:
    """It widens with the number of objects it is told of; then each counter is doubled, so that no count is lost."""

    def __init__(self) -> None:
        self._width = FIRST_WIDTH
        self._rows = [bytearray(FIRST_WIDTH) for _ in range(4)]
        self._seen = 0

    def see(self, key: int, objects: int) -> None:
        """One more; the cache holds so many objects."""
        while objects > self._width:
            self._rows = [row + row for row in self._rows]
            self._width *= 2
        mask, spread = self._width - 1, _spread(key)
        for row in self._rows:
            place = spread & mask
            if row[place] < MOST:
                row[place] += 1
            spread >>= 32
        self._seen += 1
        if self._seen >= 10 * max(objects, FIRST_WIDTH // 10):
            self._rows = [row.translate(_HALVES) for row in self._rows]
            self._seen //= 2

    def count(self, key: int) -> int:
        """About how often it was seen."""
        mask, spread = self._width - 1, _spread(key)
        return min(row[spread >> 32 * number & mask] for number, row in enumerate(self._rows))


def _spread(key: int) -> int:
    """Four times 32 bits that have nothing in common to the eye: the places of a key in the rows are their lowest."""
    return ((key & _BITS) + (key >> 64) * _PLUS & _BITS) * _FACTOR >> 64
