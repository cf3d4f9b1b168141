"""The bound of consistent hashing with bounded loads: what one name may carry before its keys pass on to the next.

It counts nothing and walks no ring; who uses it does. V. Mirrokni, M. Thorup and M. Zadimoghaddam, "Consistent hashing with
bounded loads", 2016.
"""

from __future__ import annotations

from math import ceil

FACTOR = 1.25
"""How far above the average a name may be loaded: c = 1 + epsilon."""


def bound(factor: float, total: int, names: int) -> int:
    """The most that one of so many names may carry of a total: ceil(c * m / n). The factor is at least 1."""
    # a factor such as 1.1 is no binary fraction, so 1.1 * 10 is a little above 11 and would be rounded up to 12
    return ceil(round(factor * total / names, 9))
