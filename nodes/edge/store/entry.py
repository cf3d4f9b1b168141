"""A stored response that is in memory: what its file said, and which of its bytes have been found right.

It reads nothing. A file that has not changed since its bytes were compared with their digests need not be compared
again; that it has not is told by its number, length and time of change, which nobody can set back.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field

from nodes.edge.stored import Stored

SETTLED_NS = 50_000_000
"""Times of change come from a clock that moves in steps of up to 10 ms: a younger file may change without a sign."""

Stamp = tuple[int, int, int, int]


def stamp_of(status: os.stat_result) -> Stamp:
    """What differs when a file was changed."""
    return status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns


def settled(stamp: Stamp, now_ns: int) -> bool:
    """Whether a later change would be seen in the stamp."""
    return now_ns - stamp[3] > SETTLED_NS


@dataclass(eq=False, slots=True)
class Entry:
    """`purges` is how many purges had been ordered before its bytes were asked for; `right` numbers parts."""

    name: int
    stored: Stored
    purges: int
    stamp: Stamp
    right: set[int] = field(default_factory=set)

    @property
    def body_bytes(self) -> int:
        """How many bytes of the representation are kept."""
        return sum(part.length for part in self.stored.parts)

    @property
    def file_bytes(self) -> int:
        """How long the file is."""
        return self.stamp[1]
