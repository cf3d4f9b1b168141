"""Versions of rows: a hybrid logical clock, so that writers agree which value is last without asking each other first.

It reads no clock: `now_us` is given. A version is a signed 64-bit number: microseconds since 1970, then 11 bits that tell
writers apart. Source: Kulkarni and others, "Logical Physical Clocks" (2014), with the physical part alone.
"""

from __future__ import annotations

WRITER_BITS = 11
WRITERS = 1 << WRITER_BITS
AHEAD_US = 3600 * 1_000_000
"""A version so far ahead of the clock of a source of truth is refused there: nothing could be dated after it until then."""


class Versions:
    """Gives versions that only grow, however the clock jumps, and never the same as a writer of another number."""

    def __init__(self, writer: int) -> None:
        if not 0 <= writer < WRITERS:
            raise ValueError(f"writer {writer} is not from 0 to {WRITERS - 1}")
        self._writer, self._last_us, self._stands_us = writer, 0, 0

    def next(self, now_us: int) -> int:
        """A version above all that were given or seen."""
        self._last_us = max(self._last_us + 1, now_us)
        return self._last_us << WRITER_BITS | self._writer

    def saw(self, version: int) -> None:
        """A version that stands, whoever wrote it: the next one here will be above it."""
        self._stands_us = max(self._stands_us, version >> WRITER_BITS)
        self._last_us = max(self._last_us, self._stands_us)

    def refused(self) -> None:
        """What was given last is too far ahead to be taken: the clock had jumped. The next one is of the clock's time then, and
        above all that stand; if that was given before to a write under way, the source of truth tells the two apart."""
        self._last_us = self._stands_us


def at_us(version: int) -> int:
    """When a version was made, by its writer's clock."""
    return version >> WRITER_BITS
