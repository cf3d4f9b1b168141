"""How far a run has come, on standard error: one changing line on a terminal, a plain line now and then elsewhere.

It measures nothing.
"""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable
from typing import TextIO

PLAIN_EVERY_S = 10.0


class Progress:
    """Counts trials (or what `of` says) and says how long the rest will take. `clock` is in seconds."""

    def __init__(self, total: int, stream: TextIO = sys.stderr, clock: Callable[[], float] = time.monotonic,
                 of: str = "trial") -> None:  # fmt: skip
        self.total, self.stream, self.clock, self.of = total, stream, clock, of
        self.done = 0
        self.began = self.said = clock()
        self.terminal = stream is not None and stream.isatty()

    def step(self, what: str) -> None:
        """One more trial is done."""
        self.done += 1
        now = self.clock()
        line = (
            f"{self.of} {self.done} of {self.total}, {time_left((now - self.began) / self.done * (self.total - self.done))}"
        )
        if self.terminal:
            self._print(f"\r\033[K{line}  ({what})", "" if self.done < self.total else "\n")
        elif self.done == self.total or now - self.said >= PLAIN_EVERY_S:
            self.said = now
            self._print(line, "\n")

    def say(self, line: str) -> None:
        """A line of its own."""
        self._print(("\r\033[K" if self.terminal else "") + line, "\n")

    def clear(self) -> None:
        """Take the changing line away, so that something else can be printed."""
        if self.terminal:
            self._print("\r\033[K", "")

    def _print(self, text: str, end: str) -> None:
        with contextlib.suppress(OSError):  # a reader that went away, or a full disk, may not cost the measurement
            print(text, end=end, file=self.stream, flush=True)


def time_left(seconds: float) -> str:
    """In words: `about 1 min 20 s left`, to the nearest 5 s above ten."""
    if seconds < 1:
        return "done" if seconds <= 0 else "a moment left"
    rounded = round(seconds) if seconds < 10 else 5 * round(seconds / 5)
    minutes, rest = divmod(rounded, 60)
    return "about " + (f"{minutes} min {rest} s" if minutes else f"{rest} s") + " left"
