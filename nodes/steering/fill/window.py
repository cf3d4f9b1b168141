"""The hours of the night in which a site is filled: its own local time, on a clock whose days may be short.

It reads no clock: the time comes with each call.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from nodes.steering.fill.errors import FillError

HOURS = 24.0


@dataclass(frozen=True)
class Days:
    """Days of `day_s` seconds; at `zero_s` it is midnight in UTC. With 86,400 it is the time of everybody else."""

    day_s: float
    zero_s: float = 0.0

    def __post_init__(self) -> None:
        if not 0 < self.day_s < math.inf:
            raise FillError(f"could not scale the time: a day of {self.day_s:g} s is not above zero")

    def hours(self, now_s: float) -> float:
        """Hours since `zero_s`."""
        return (now_s - self.zero_s) / self.day_s * HOURS

    def seconds(self, hours: float) -> float:
        """How many seconds so many hours last."""
        return hours / HOURS * self.day_s


@dataclass(frozen=True)
class Window:
    """From `begins_h` to `ends_h` o'clock in the local time of a site, `offset_h` ahead of UTC; it may pass midnight, and is
    the whole day when both are one."""

    begins_h: float
    ends_h: float
    offset_h: float = 0.0

    def __post_init__(self) -> None:
        if not (0 <= self.begins_h < HOURS and 0 <= self.ends_h < HOURS and -HOURS <= self.offset_h <= HOURS):
            raise FillError(f"could not set the window {self.begins_h:g} to {self.ends_h:g} o'clock, {self.offset_h:+g} h from "
                            "UTC: hours are from 0 to below 24")  # fmt: skip

    @property
    def length_h(self) -> float:
        """How long it is open."""
        return (self.ends_h - self.begins_h) % HOURS or HOURS

    def night(self, days: Days, now_s: float) -> int:
        """The number of the night whose window opened last; it grows by one each day."""
        return math.floor(self._since(days, now_s) / HOURS)

    def open(self, days: Days, now_s: float) -> bool:
        """Whether it is open now."""
        return self._since(days, now_s) % HOURS < self.length_h

    def left_s(self, days: Days, now_s: float) -> float:
        """How many seconds it is still open; 0 when it is not."""
        return max(0.0, days.seconds(self.length_h - self._since(days, now_s) % HOURS))

    def _since(self, days: Days, now_s: float) -> float:
        """Hours since the first opening."""
        return days.hours(now_s) + self.offset_h - self.begins_h
