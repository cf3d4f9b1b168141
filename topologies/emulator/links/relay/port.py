"""One direction of a relay link: read from one TAP, held until due, written to the other.

It decides nothing about fate or time (that is `pipe.py`) and waits for nothing (that is `loop.py`).
"""

from __future__ import annotations

import errno
import os
from collections import deque
from time import monotonic_ns

from topologies.emulator.links.lateness import Histogram
from topologies.emulator.links.pipe import Pipe

BATCH = 32
"""Frames taken or released at one go: between batches the loop looks at the clock, so nobody waits long."""


class Port:
    """The direction that starts at the TAP `source` and ends at the TAP `target` (file descriptors)."""

    __slots__ = ("_behind_since", "_size", "delivered", "failed", "failures", "gone", "held", "intake_wait_max_ns",
                 "kept", "lateness", "pipe", "source", "target")  # fmt: skip

    def __init__(self, source: int, target: int, mtu: int, pipe: Pipe):
        self.source, self.target, self.pipe = source, target, pipe
        self.held: deque[tuple[int, bytes]] = deque()
        self.kept = self.lateness = Histogram()
        self.delivered = self.failed = self.intake_wait_max_ns = 0
        self.failures: dict[str, int] = {}
        self.gone = ""
        self._size = mtu + 18  # Ethernet header and a VLAN tag; the kernel sends nothing longer without offloads
        self._behind_since = 0

    def take(self) -> bool:
        """Read up to one batch; False when the TAP no longer exists."""
        source, size, offer, hold = self.source, self._size, self.pipe.offer, self.held.append
        try:
            for _ in range(BATCH):
                frame = os.read(source, size)
                due = offer(len(frame), monotonic_ns())
                if due is not None:
                    hold((due, frame))
        except BlockingIOError:
            self._behind_since = 0
            return True
        except OSError as error:  # EBADFD: the namespace ended, and the device with it
            self.gone = error.strerror or str(error)
            return False
        now = monotonic_ns()
        if not self._behind_since:
            self._behind_since = now
        elif now - self._behind_since > self.intake_wait_max_ns:
            self.intake_wait_max_ns = now - self._behind_since
        return True

    def release(self) -> int:
        """Write up to one batch of frames that are due; returns when the next one is, or 0 when none is held."""
        held, target, late = self.held, self.target, self.lateness.add
        for _ in range(BATCH):
            if not held:
                return 0
            due, frame = held[0]
            now = monotonic_ns()
            if due > now:
                break
            held.popleft()
            late(now - due)
            try:
                os.write(target, frame)
                self.delivered += 1
            except OSError as error:  # a full device, or an interface that is down: the frame is gone, and counted
                self.failed += 1
                name = errno.errorcode.get(error.errno or 0, "?")
                self.failures[name] = self.failures.get(name, 0) + 1
        return held[0][0] if held else 0

    def watch(self, on: bool) -> tuple[int, int] | None:
        """Begin or end a stretch whose lateness counts; at its end, its 99th percentile and maximum, if anything passed.

        From the first stretch on, `kept` is the sum of all stretches; before, it is all there was.
        """
        if on:
            self.kept = Histogram() if self.lateness is self.kept else self.kept
            self.lateness = Histogram()
            return None
        ended, self.lateness = self.lateness, Histogram()
        if ended is not self.kept:
            self.kept.merge(ended)
        p99_ns = ended.percentile_ns(99)
        return None if p99_ns is None else (p99_ns, ended.max_ns)

    def report(self) -> dict[str, object]:
        """All counters, for the parent."""
        pipe, late = self.pipe, self.kept
        return {
            "packets": pipe.packets, "bytes": pipe.bytes, "delivered": self.delivered,
            "dropped_queue": pipe.dropped_queue, "lost": pipe.lost, "failed": self.failed,
            "lateness_p50_ns": late.percentile_ns(50), "lateness_p99_ns": late.percentile_ns(99),
            "lateness_max_ns": late.max_ns if late.count else None, "intake_wait_max_ns": self.intake_wait_max_ns,
            "failures": self.failures, "gone": self.gone,
        }  # fmt: skip
