"""Which fill begins next, so that together they never ask more of the machine than it can do. It sends nothing, reads no clock.

One queue is filled at a time, few are held full, and what drains stays within a budget. A sender that is held up delays those
that wait for their turn, and harms none that has begun.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Generic, TypeVar

from .fill import Fill
from .filler import Filler

HELD_AT_ONCE = 2

Key = TypeVar("Key")


class Admission(Generic[Key]):
    """Those that drain fastest come first: they are disturbed most easily. One above the budget drains alone."""

    def __init__(self, fills: Mapping[Key, Fill], budget_bps: float) -> None:
        self._left = sorted(fills.items(), key=lambda item: item[1].room_ns, reverse=True)
        self._budget_bps = budget_bps
        self._begun: list[tuple[Fill, Filler]] = []

    @property
    def over(self) -> bool:
        """Whether all have begun."""
        return not self._left

    def next(self, now_ns: int) -> tuple[Key, Filler] | None:
        """The one that begins now, if one may."""
        self._begun = [(fill, filler) for fill, filler in self._begun
                       if not filler.done or now_ns < filler.sent_at[-1] + fill.room_ns]  # fmt: skip
        sending = [filler for _, filler in self._begun if not filler.done]
        if not self._left or not all(filler.full for filler in sending) or len(sending) > HELD_AT_ONCE:
            return None
        key, one = self._left[-1]
        if self._begun and sum(fill.drain_bps for fill, _ in self._begun) + one.drain_bps > self._budget_bps:
            return None
        self._left.pop()
        filler = Filler(one, now_ns)
        self._begun.append((one, filler))
        return key, filler
