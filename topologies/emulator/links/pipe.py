"""One direction of a link as arithmetic: a queue, a rate or a trace, then a wire, on a clock passed in.

It reads no clock and moves no frame: whoever asks it offers frames and writes what it releases. It is the reference for the
compiled core, which decides the same to the nanosecond. Times are integer nanoseconds, sizes are bytes of Ethernet frames
without preamble and FCS.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import deque
from collections.abc import Callable

from .fates import CORRUPT, LOST, OVERTAKES, TWICE, Copy, Fates
from .packet_log import CODEL, DOWN, QUEUE_FULL, QUEUED
from .packet_log import LOST as GONE
from .queue import Held, Queue
from .shape import NONE, Shape
from .spec import ETHERNET_HEADER
from .trace import CHANCE_BYTES

NEVER = 1 << 62
_BIT_NS = 10**9

Note = Callable[[int, bytes, int], None]
"""Is told of an event (see packet_log.py) of a frame, and when."""


def unheard(_event: int, _content: bytes, _at_ns: int) -> None:
    """Where nobody wants to know."""


class Pipe:
    """Frames in, frames out when they are due. `now_ns` of successive calls must not go backwards.

    It advances lazily: a frame is sent from the end of its predecessor or from its arrival, whichever is later, at whatever
    moment that is noticed. `fates` None: the wire only delays.
    """

    def __init__(self, shape: Shape, fates: Fates | None, now_ns: int):
        self._shape, self._fates, self._seen_ns = shape, fates, now_ns
        self.note: Note = unheard
        self._queue = Queue(lambda held, at_ns: self.note(CODEL, held.content, at_ns))
        self._sending: Held | None = None
        self._start_ns = self._work = self._finish_ns = self._rest = 0  # of sending at a rate; work in bits x 1e9
        self._base_ns, self._round, self._chance, self._chance_ns, self._need_bytes = now_ns, 0, 0, NEVER, 0  # a trace
        self._wire: deque[Held] = deque()
        self._ahead: deque[Held] = deque()  # frames that overtook; in order of their time too, as they leave at once
        self._last_due_ns = -NEVER
        self._staged: tuple[Shape, Fates | None, bool, int] | None = None
        self.changed_ns = now_ns
        self.packets = self.bytes = self.dropped_queue = self.dropped_down = self.lost = 0
        self.duplicated = self.corrupted = self.overtook = 0

    @property
    def dropped_codel(self) -> int:
        """Frames that CoDel took from the queue."""
        return self._queue.dropped_codel

    @property
    def held(self) -> int:
        """Frames under way: waiting, being sent, on the wire."""
        return len(self._queue) + (self._sending is not None) + len(self._wire) + len(self._ahead)

    @property
    def waiting(self) -> int:
        """Frames that have not left the queue, with the one being sent."""
        return len(self._queue) + (self._sending is not None)

    def offer(self, content: bytes, size_bytes: int, now_ns: int) -> None:
        """A frame arrives; `size_bytes` is what it takes of queue and rate."""
        self.advance(now_ns)
        self.packets += 1
        self.bytes += size_bytes
        shape, queue = self._shape, self._queue
        held = Held(content, size_bytes, now_ns, self._fates.next() if self._fates else None)
        if not shape.up:
            self.dropped_down += 1
            self.note(DOWN, content, now_ns)
        elif shape.trace_id == NONE and shape.rate_bps == NONE:
            self.note(QUEUED, content, now_ns)
            self._leave(held, now_ns)
        else:
            idle = self._sending is None and not queue
            if not (idle or queue.room(size_bytes, shape)):
                self.dropped_queue += 1
                self.note(QUEUE_FULL, content, now_ns)
                return
            self.note(QUEUED, content, now_ns)
            queue.append(held)
            if idle and shape.trace_id != NONE:
                self._seek(now_ns)
            elif idle:
                self._rest = 0
                self._send_next(now_ns)

    def change(self, shape: Shape, fates: Fates | None, keep_fates: bool, at_ns: int) -> None:
        """Be of another shape from `at_ns` on (from the next call on, if that is past). With `keep_fates` the effects stay as
        they are, else all frames that leave the queue from then on meet the new ones. One that is still to come is replaced."""
        self._staged = (shape, fates, keep_fates, at_ns)

    def next_due(self) -> int:
        """Nothing is to be released before that moment; NEVER while nothing is held."""
        due = self._staged[3] if self._staged else NEVER
        if self._wire:
            due = min(due, self._wire[0].at_ns)
        if self._ahead:
            due = min(due, self._ahead[0].at_ns)
        shape, sending = self._shape, self._sending
        if shape.trace_id != NONE:
            if sending or self._queue:
                due = min(due, self._chance_ns if self._fates else max(self._last_due_ns, self._chance_ns + shape.delay_ns))
        elif sending:
            first = sending.copies[0] if sending.copies else None
            if self._queue.overtakers or sending.overtakes or (first and first.flags & LOST):
                due = min(due, self._finish_ns)
            else:
                extra_ns = first.extra_ns if first else 0
                due = min(due, max(self._last_due_ns, self._finish_ns + shape.delay_ns + extra_ns))
        return due

    def release(self, now_ns: int) -> Held | None:
        """The next frame that is due at `now_ns` or before, in the order of their times."""
        self.advance(now_ns)
        wire, ahead = self._wire, self._ahead
        if ahead and ahead[0].at_ns <= now_ns and not (wire and wire[0].at_ns <= ahead[0].at_ns):
            return ahead.popleft()
        return wire.popleft() if wire and wire[0].at_ns <= now_ns else None

    def advance(self, now_ns: int) -> None:
        """Let everything happen that happens until then."""
        if self._staged and self._staged[3] <= now_ns:
            shape, fates, keep, at_ns = self._staged
            self._staged = None
            at_ns = max(at_ns, self._seen_ns)
            self._drain(at_ns)
            self._become(shape, fates, keep, at_ns)
        self._drain(now_ns)
        self._seen_ns = now_ns

    def _drain(self, now_ns: int) -> None:
        if self._shape.trace_id != NONE:
            while self._chance_ns <= now_ns and (self._sending or self._queue):
                self._deliver(self._chance_ns)
                self._next_chance()
            return
        while self._sending and self._finish_ns <= now_ns:
            sent, at_ns = self._sending, self._finish_ns
            self._send_next(at_ns)
            self._leave(sent, at_ns)

    def _send_next(self, at_ns: int) -> None:
        self._sending = self._queue.take(at_ns, self._shape)
        if self._sending:
            self._work_from(at_ns, self._sending.size_bytes * 8 * _BIT_NS + self._rest)

    def _work_from(self, at_ns: int, work: int) -> None:
        """What is being sent needs `work` (bits x 1e9) from then on. The remainder is kept for the next frame: without it
        rounding would shift the rate of small frames."""
        self._start_ns, self._work = at_ns, work
        taken_ns, self._rest = divmod(work, self._shape.rate_bps)
        self._finish_ns = at_ns + taken_ns

    def _deliver(self, at_ns: int) -> None:
        """One chance of a trace: up to CHANCE_BYTES of what waits."""
        left = CHANCE_BYTES
        while left:
            if not self._sending:
                self._sending = self._queue.take(at_ns, self._shape)
                if not self._sending:
                    return
                self._need_bytes = max(1, self._sending.size_bytes - ETHERNET_HEADER)
            part = min(left, self._need_bytes)
            left -= part
            self._need_bytes -= part
            if not self._need_bytes:
                sent, self._sending = self._sending, None
                self._leave(sent, at_ns)

    def _seek(self, now_ns: int) -> None:
        """The first chance after `now_ns`: those that found nothing to deliver are lost."""
        times = self._shape.times_ms
        self._round, since_ns = divmod(now_ns - self._base_ns, times[-1] * 10**6)
        self._chance = bisect_right(times, since_ns // 10**6)
        if self._chance == len(times):
            self._round, self._chance = self._round + 1, 0
        self._chance_at()

    def _next_chance(self) -> None:
        self._chance += 1
        if self._chance == len(self._shape.times_ms):
            self._round, self._chance = self._round + 1, 0
        self._chance_at()

    def _chance_at(self) -> None:
        times = self._shape.times_ms
        self._chance_ns = self._base_ns + (self._round * times[-1] + times[self._chance]) * 10**6

    def _leave(self, held: Held, at_ns: int) -> None:
        """Out of the queue, onto the wire: each copy by its own fate."""
        if not held.copies:
            self._travel(held, Copy(0), at_ns)
            return
        first, *second = held.copies
        flags = first.flags
        self.duplicated += bool(flags & TWICE)
        if flags & LOST:
            self.lost += 1
            self.note(GONE, held.content, at_ns)
        if not flags & LOST or flags & TWICE:
            self._travel(held, first, at_ns)
        for copy in second:
            if copy.flags & LOST:
                self.lost += 1
                self.note(GONE, held.content, at_ns)
            else:
                self._travel(Held(held.content, held.size_bytes, 0, None), copy, at_ns)

    def _travel(self, held: Held, copy: Copy, at_ns: int) -> None:
        if copy.flags & CORRUPT:
            self.corrupted += 1
            held.corrupt_bit = int(copy.corrupt_at * (held.size_bytes * 8))
        if copy.flags & OVERTAKES:
            self.overtook += 1
            held.at_ns = at_ns
            self._ahead.append(held)
        else:
            # No frame is due before its predecessor, also not after a change of the delay.
            held.at_ns = self._last_due_ns = max(self._last_due_ns, at_ns + self._shape.delay_ns + copy.extra_ns)
            self._wire.append(held)

    def _become(self, shape: Shape, fates: Fates | None, keep_fates: bool, at_ns: int) -> None:
        old, sending = self._shape, self._sending
        self._shape, self.changed_ns = shape, at_ns
        if not keep_fates:
            self._fates = fates
            if sending:
                sending.copies = fates.next() if fates else None
            self._queue.meet(fates)
        left_work = 0
        if sending:
            left_work = (self._need_bytes * 8 * _BIT_NS if old.trace_id != NONE
                         else self._work - (at_ns - self._start_ns) * old.rate_bps)  # fmt: skip
        if shape.trace_id != NONE:
            if shape.trace_id != old.trace_id:
                self._base_ns, self._need_bytes = at_ns, -(-left_work // (8 * _BIT_NS))
                self._seek(at_ns)
        elif shape.rate_bps != NONE:
            if sending:
                self._work_from(at_ns, left_work)
            elif self._queue:  # of a trace, whose chance had not come
                self._rest = 0
                self._send_next(at_ns)
        else:
            self._sending = None
            for held in ([sending] if sending else []) + [self._queue.pop() for _ in range(len(self._queue))]:
                self._leave(held, at_ns)
