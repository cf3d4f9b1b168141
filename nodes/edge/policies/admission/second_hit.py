"""`second-hit`: an object is stored when it is asked for a second time within the last half to one million misses.

B. M. Maggs and R. K. Sitaraman, "Algorithmic Nuggets in Content Delivery", ACM CCR 45(3), 2015: three quarters of the objects
of a CDN are asked for once, and need not be written to disk. Seen keys are in two Bloom filters of 2 MiB, of which the older
is emptied when the newer has half a million: about one key in 1,000 passes that was not seen.
"""

from __future__ import annotations

from nodes.edge.policies.machinery.admission import Admission

BITS = 1 << 24
GENERATION = 500_000

_FACTORS = (0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9, 0x27D4EB2F165667C5)


class SecondHit(Admission):
    """It forgets in generations."""

    def __init__(self, capacity_bytes: int) -> None:
        super().__init__(capacity_bytes)
        self._newer, self._older, self._seen = bytearray(BITS // 8), bytearray(BITS // 8), 0

    def admit(self, key: int, size_bytes: int) -> bool:
        """Whether it was seen before."""
        mixed = (key + (key >> 64) * _FACTORS[0]) & ((1 << 64) - 1)
        # The highest bits of a product hang on every bit of the key, those in its middle only on the lower ones.
        places = [(mixed * factor & ((1 << 64) - 1)) >> 40 for factor in _FACTORS]
        known = _has(self._newer, places) or _has(self._older, places)
        for place in places:
            self._newer[place >> 3] |= 1 << (place & 7)
        self._seen += 1
        if self._seen == GENERATION:
            self._newer, self._older, self._seen = bytearray(BITS // 8), self._newer, 0
        return known


def _has(bits: bytearray, places: list[int]) -> bool:
    return all(bits[place >> 3] & 1 << (place & 7) for place in places)
