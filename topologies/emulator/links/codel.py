"""CoDel: a queue that drops from its head when frames have waited too long for too long (RFC 8289).

It is its parameters and its control law, on times passed in; it holds no frame and no state.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import isqrt
from typing import Self

from units import milliseconds, show_ms

TARGET_MS, INTERVAL_MS = 5.0, 100.0
"""RFC 8289, sections 4.2 and 4.3."""


@dataclass(frozen=True)
class Codel:
    """`target_ms` is how long frames may wait, `interval_ms` for how long they may wait longer than that."""

    target_ms: float = TARGET_MS
    interval_ms: float = INTERVAL_MS

    @classmethod
    def parse(cls, text: str) -> Self:
        """`[TARGET [INTERVAL]]`. Raises ValueError."""
        values = [milliseconds(word) for word in text.split()]
        if len(values) > 2 or any(value <= 0 for value in values):
            raise ValueError(f"'{text}' is not [TARGET [INTERVAL]], durations above 0; write for example codel 5ms 100ms")
        return cls(*values)

    def text(self) -> str:
        """What `parse` reads back."""
        return f"{self.target_ms:.9g}ms {self.interval_ms:.9g}ms"

    @property
    def words(self) -> str:
        """For a person."""
        return f"CoDel {show_ms(self.target_ms)} / {show_ms(self.interval_ms)}"


def control_law(at_ns: int, interval_ns: int, count: int) -> int:
    """The next drop after one at `at_ns`: interval / sqrt(count) later (RFC 8289, section 5.4), in integers, so that every
    implementation agrees."""
    return at_ns + (interval_ns << 16) // isqrt(count << 32)
