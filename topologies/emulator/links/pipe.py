"""One direction of a link as arithmetic: a drop-tail queue, a rate, loss, delay and jitter, on a clock passed in.

It holds no packet and reads no clock; whoever asks it keeps the frame until the moment it answers. Times are integer
nanoseconds, sizes are bytes of Ethernet frames without preamble and FCS.
"""

from __future__ import annotations

from collections import deque
from random import Random

_BIT_NS = 8 * 10**9


class Pipe:
    """Decides the fate of each frame offered, in the order offered.

    The frame in service is not part of the queue (M/D/1/K with K in bytes). A lost frame was sent: it has used queue
    and rate. Order is kept: no frame is due before its predecessor. Loss and jitter draw from separate generators, one
    draw for every frame offered, so the n-th frame has the same fate whatever the timing. `seed` is any text.
    """

    __slots__ = ("_busy_until", "_delay", "_jitter", "_jitter_draw", "_last_due", "_loss", "_loss_draw", "_queue",
                 "_rate", "_rest", "_room", "_starts", "bytes", "dropped_queue", "lost", "packets")  # fmt: skip

    def __init__(self, delay_ns: int, rate_bps: int | None, queue_bytes: int, loss: float, jitter_ns: int, seed: str):
        self._delay, self._rate, self._queue = delay_ns, rate_bps, queue_bytes
        self._loss, self._jitter = loss, jitter_ns
        self._loss_draw = Random(f"loss {seed}").random
        self._jitter_draw = Random(f"jitter {seed}").random
        self._busy_until = self._last_due = -(1 << 62)
        self._rest = 0  # of the division by the rate: without it rounding would shift the rate of small frames
        self._room = queue_bytes
        self._starts: deque[tuple[int, int]] = deque()  # (start of service, size) of the frames that wait
        self.packets = self.bytes = self.dropped_queue = self.lost = 0

    def offer(self, size_bytes: int, now_ns: int) -> int | None:
        """When the frame leaves at the far end, or None when it never does. `now_ns` must not go backwards."""
        self.packets += 1
        self.bytes += size_bytes
        lost = self._loss > 0.0 and self._loss_draw() < self._loss
        due = now_ns
        if self._rate is not None:
            start = self._busy_until
            if start > now_ns:
                starts = self._starts
                while starts and starts[0][0] <= now_ns:
                    self._room += starts.popleft()[1]
                if size_bytes > self._room:
                    self.dropped_queue += 1
                    if self._jitter:
                        self._jitter_draw()
                    return None
                self._room -= size_bytes
                starts.append((start, size_bytes))
            else:
                start, self._rest = now_ns, 0
                if self._starts:
                    self._starts.clear()
                    self._room = self._queue
            taken, self._rest = divmod(size_bytes * _BIT_NS + self._rest, self._rate)
            due = self._busy_until = start + taken
        due += self._delay
        if self._jitter:
            due += round((2.0 * self._jitter_draw() - 1.0) * self._jitter)
        if lost:
            self.lost += 1
            return None
        if due < self._last_due:  # noqa: PLR1730  (max() is a call, for every frame)
            due = self._last_due
        self._last_due = due
        return due

    def waiting_bytes(self, now_ns: int) -> int:
        """Bytes in the queue at `now_ns`, not counting the frame in service."""
        return sum(size for start, size in self._starts if start > now_ns)
