"""What the wire does to each frame, decided by chance in the order of the frames. It knows no time and no queue.

Every frame offered takes its fate, also one that the queue drops: so the n-th frame has the same fate whatever the timing.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from random import Random
from typing import NamedTuple

from .effects.effect import Effect, Fate

LOST, TWICE, OVERTAKES, CORRUPT = 1, 2, 4, 8

RECORD = struct.Struct("=qdq")
"""A copy for the compiled core: extra delay in ns, where it is corrupted, flags."""


class Copy(NamedTuple):
    """What becomes of one copy of a frame. `corrupt_at` in [0, 1) says which bit is inverted, if CORRUPT is set."""

    flags: int
    extra_ns: int = 0
    corrupt_at: float = 0.0


class Fates:
    """The stream of fates that effects make of a seed (any text). Each effect draws from a generator of its own."""

    def __init__(self, effects: Sequence[Effect], seed: str):
        made = [(effect.slot, effect.decider(Random(f"{effect.word} {seed}"))) for effect in effects]
        self._first = [decide for _, decide in made]
        self._second = [decide for slot, decide in made if slot != "duplicate"]

    def next(self) -> tuple[Copy, ...]:
        """The copies of the next frame: one, or two where it is doubled.

        A frame both lost and doubled arrives once, as netem has it: 1 + doubled - lost copies, and no second set of draws.
        """
        fate = Fate()
        for decide in self._first:
            decide(fate)
        copy = _copy(fate)
        if not fate.twice or fate.lost:
            return (copy,)
        again = Fate()
        for decide in self._second:
            decide(again)
        return copy, _copy(again)

    def packed(self, frames: int) -> bytes:
        """The next so many frames as records, each TWICE that is not LOST followed by its second copy."""
        pack = RECORD.pack
        return b"".join([pack(extra, at, flags) for _ in range(frames) for flags, extra, at in self.next()])


def _copy(fate: Fate) -> Copy:
    corrupt = fate.corrupt_at >= 0
    flags = (LOST * fate.lost) | (TWICE * fate.twice) | (OVERTAKES * fate.overtakes) | (CORRUPT * corrupt)
    return Copy(flags, fate.extra_ns, fate.corrupt_at if corrupt else 0.0)
