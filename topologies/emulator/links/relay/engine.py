"""What an engine of the relay offers: it moves the frames of the ports of one worker.

It is no engine: `loop.py` (in Python) and `compiled.py` (in C) are.
"""

from __future__ import annotations

from mmap import mmap
from typing import Protocol

from topologies.emulator.links.fates import Fates
from topologies.emulator.links.lateness import Histogram
from topologies.emulator.links.shape import Shape

BEAT_NS = 5_000_000
"""A stall is seen only by somebody who meant to be awake: while watched, at least that often."""

MOST_HELD_BYTES = 1 << 30
"""No more than that is held by a worker (or, in Python, by a port); a frame beyond is refused, and counted as an overrun."""

COUNTS = ("packets", "bytes", "delivered", "dropped_queue", "dropped_codel", "dropped_down", "lost", "failed", "duplicated",
          "corrupted", "overtook", "held", "refused", "intake_wait_max_ns", "changed_ns", "gone")  # fmt: skip
"""What an engine counts for each port. `gone` is the errno of a TAP that ended with its namespace, or 0."""


class Engine(Protocol):
    """One thread; a port is a direction: read from `source`, held, written to `target` (file descriptors of TAPs)."""

    name: str

    def add(self, source: int, target: int, passed: bool, shape: Shape, fates: Fates | None) -> int:
        """One more port; returns its number. `passed`: what is read has a virtio header, and may be a segment."""

    def stage(self, port: int, shape: Shape, fates: Fates | None, keep_fates: bool) -> None:
        """Make ready for `apply`, which then takes no time. See `Pipe.change`."""

    def apply(self, port: int, at_ns: int) -> None:
        """What was staged holds from that moment on."""

    def log_begin(self, memory: mmap, snap_bytes: int) -> None:
        """From now on what becomes of every frame is written into that memory: see packet_log.py. Ports that are added later
        are not in it."""

    def log_end(self) -> tuple[int, int]:
        """No more is written; how many bytes were, and how many records did not fit."""

    def run(self) -> None:
        """Move frames until the control descriptor is readable. Raises OSError when it cannot go on."""

    def counts(self, port: int) -> dict[str, int]:
        """COUNTS, all of one moment."""

    def lateness(self, port: int, anew: bool) -> Histogram:
        """Release minus due of each frame since it last began `anew`."""

    def stall_ns(self, watched: bool) -> int:
        """The longest time without attention since the last call; from now on a beat is kept if `watched`."""
