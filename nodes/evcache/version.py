"""Versions of rows: a hybrid logical clock, so that writers agree which value is last without asking each other first.

It reads no clock: `now_us` is given. A version is a signed 64-bit number: microseconds since 1970, then 11 bits that tell
writers apart. Source: Kulkarni and others, "Logical Physical Clocks" (2014), with the physical part alone.
"""

from __future__ import annotations

WRITER_BITS = 11
WRITERS = 1 << WRITER_BITS


class Versions:
    """Gives versions that only grow, however the clock jumps, and never the same as a writer of another number."""

    def __init__(self, writer: int) -> None:
        if not 0 <= writer < WRITERS:
            raise ValueError(f"writer {writer} is not from 0 to {WRITERS - 1}")
        self._writer, self._last_us = writer, 0

    def next(self, now_us: int) -> int:
        """A version above all that were given or seen."""
        self._last_us = max(self._last_us + 1, now_us)
        return self._last_us << WRITER_BITS | self._writer

    def saw(self, version: int) -> None:
        """Another writer's version: the next one here will be above it."""
        self._last_us = max(self._last_us, version >> WRITER_BITS)


def at_us(version: int) -> int:
    """When a version was made, by its writer's clock."""
    return version >> WRITER_BITS
