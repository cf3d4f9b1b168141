"""One direction of a relay link: read from one TAP, held by its pipe until due, written to the other.

It decides nothing about fate or time (that is `pipe.py`) and waits for nothing (that is `loop.py`).
"""

from __future__ import annotations

import errno
import os
from time import monotonic_ns

from topologies.emulator.links.lateness import Histogram
from topologies.emulator.links.packet_log import FAILED, REFUSED, RELEASED
from topologies.emulator.links.pipe import NEVER, Pipe
from topologies.emulator.links.queue import Held

from .engine import MOST_HELD_BYTES
from .segments import HEADER_BYTES, LARGEST_BYTES, wire_bytes

BATCH = 16
"""Frames taken or released at one go: between batches the loop looks at the clock, so nobody waits long."""


class Port:
    """The direction that starts at the TAP `source` and ends at the TAP `target` (file descriptors)."""

    __slots__ = ("_behind_since", "_most", "_passed", "_size", "delivered", "failed", "gone", "intake_wait_max_ns", "lateness",
                 "next_ns", "pipe", "refused", "source", "target")  # fmt: skip

    def __init__(self, source: int, target: int, passed: bool, frame_bytes: int, pipe: Pipe):
        self.source, self.target, self.pipe = source, target, pipe
        self.lateness = Histogram()
        self.delivered = self.failed = self.refused = self.intake_wait_max_ns = self.gone = 0
        self.next_ns = NEVER
        self._passed = passed
        # A VLAN tag may come on top; the kernel sends nothing longer without offloads.
        self._size = HEADER_BYTES + LARGEST_BYTES if passed else frame_bytes + 4
        self._most = MOST_HELD_BYTES // self._size
        self._behind_since = 0

    def take(self) -> bool:
        """Read up to one batch; False when the TAP no longer exists."""
        source, size, pipe, passed = self.source, self._size, self.pipe, self._passed
        try:
            for _ in range(BATCH):
                frame = os.read(source, size)
                if pipe.held < self._most:
                    pipe.offer(frame, wire_bytes(frame) if passed else len(frame), monotonic_ns())
                else:
                    self.refused += 1
                    pipe.note(REFUSED, frame, monotonic_ns())
        except BlockingIOError:
            self._behind_since = 0
            return True
        except OSError as error:  # EBADFD: the namespace ended, and the device with it
            self.gone = error.errno or errno.EIO
            return False
        finally:
            self.next_ns = pipe.next_due()
        now = monotonic_ns()
        if not self._behind_since:
            self._behind_since = now
        elif now - self._behind_since > self.intake_wait_max_ns:
            self.intake_wait_max_ns = now - self._behind_since
        return True

    def release(self) -> None:
        """Write up to one batch of frames that are due."""
        pipe, target, late = self.pipe, self.target, self.lateness.add
        for _ in range(BATCH):
            now = monotonic_ns()
            held = pipe.release(now)
            if not held:
                break
            late(now - held.at_ns)
            content = _content(held)
            try:
                os.write(target, content)
            except OSError:  # a full device, or an interface that is down: the frame is gone, and counted
                self.failed += 1
                pipe.note(FAILED, content, now)
            else:
                self.delivered += 1
                pipe.note(RELEASED, content, now)
        self.next_ns = pipe.next_due()

    def counts(self) -> dict[str, int]:
        """See `engine.COUNTS`."""
        pipe = self.pipe
        pipe.advance(monotonic_ns())
        return {
            "packets": pipe.packets, "bytes": pipe.bytes, "delivered": self.delivered, "dropped_queue": pipe.dropped_queue,
            "dropped_codel": pipe.dropped_codel, "dropped_down": pipe.dropped_down, "lost": pipe.lost, "failed": self.failed,
            "duplicated": pipe.duplicated, "corrupted": pipe.corrupted, "overtook": pipe.overtook, "held": pipe.held,
            "refused": self.refused, "intake_wait_max_ns": self.intake_wait_max_ns, "changed_ns": pipe.changed_ns,
            "gone": self.gone,
        }  # fmt: skip


def _content(held: Held) -> bytes:
    if held.corrupt_bit < 0:
        return held.content
    content = bytearray(held.content)
    content[held.corrupt_bit >> 3] ^= 1 << (held.corrupt_bit & 7)
    return bytes(content)
