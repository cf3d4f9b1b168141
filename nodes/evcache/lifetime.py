"""How long memcached may keep a copy: the value's time to live, never above the bound, shortened by chance.

It keeps no time. Jitter only shortens, so that the bound on stale copies stands; it keeps copies that were written together
from ending together.
"""

from __future__ import annotations

import math
from typing import NamedTuple

CHUNKS_LONGER_S = 2
"""Chunks live longer than the copy that names them."""
LONGEST_S = 30 * 24 * 3600 - CHUNKS_LONGER_S
"""memcached takes a number above 30 days for a date (doc/protocol.txt), and one of 1970 has ended."""


def lifetime_s(asked_s: float | None, longest_s: int, jitter: float, chance: float) -> int:
    """Whole seconds, at least one. `jitter` is the largest part that is taken off, `chance` is from 0 to 1.

    Raises ValueError for a time to live below a second.
    """
    if asked_s is not None and not asked_s >= 1:
        raise ValueError(f"a time to live of {asked_s:g} s is below one second, which is the least that memcached counts")
    whole_s = min(longest_s if asked_s is None else asked_s, longest_s, LONGEST_S)
    return max(1, math.floor(whole_s * (1 - jitter * chance)))


class Life(NamedTuple):
    """A copy's life of so many seconds, which begins when its row was asked for or its write began, not when memcached stores
    it: however long that takes, no copy lives beyond its end. `began_s` is of whatever clock `now_s` is of."""

    whole_s: int
    began_s: float

    def left_s(self, now_s: float) -> int:
        """Whole seconds, up to one too many; below one the copy is not worth storing."""
        return self.whole_s - int(now_s - self.began_s)
