"""The queue of a direction: drop-tail in bytes or packets, CoDel at its head (RFC 8289). It has no rate and reads no clock."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from .codel import control_law
from .fates import OVERTAKES, Copy, Fates
from .shape import NONE, Shape


class Held:
    """A frame and what is known of it. `at_ns` is when it was offered, and from the wire on when it is due."""

    __slots__ = ("at_ns", "content", "copies", "corrupt_bit", "size_bytes")

    def __init__(self, content: bytes, size_bytes: int, at_ns: int, copies: tuple[Copy, ...] | None):
        self.content, self.size_bytes, self.at_ns, self.copies = content, size_bytes, at_ns, copies
        self.corrupt_bit = NONE

    @property
    def overtakes(self) -> bool:
        """Whether a copy of it will overtake others."""
        return self.copies is not None and any(copy.flags & OVERTAKES for copy in self.copies)


class Queue:
    """Frames that wait, the one being sent not among them. `overtakers` of them will overtake. `dropped` is called for each
    frame that CoDel takes, and when."""

    __slots__ = ("_above_ns", "_count", "_drop_next_ns", "_dropped", "_dropping", "_frames", "_last_count", "bytes",
                 "dropped_codel", "overtakers")  # fmt: skip

    def __init__(self, dropped: Callable[[Held, int], None]) -> None:
        self._frames: deque[Held] = deque()
        self._dropped = dropped
        self.bytes = self.overtakers = self.dropped_codel = 0
        self._above_ns = self._count = self._last_count = self._drop_next_ns = 0
        self._dropping = False

    def __len__(self) -> int:
        return len(self._frames)

    def room(self, size_bytes: int, shape: Shape) -> bool:
        """Whether one more frame may wait."""
        if shape.queue_packets != NONE:
            return len(self._frames) < shape.queue_packets
        return self.bytes + size_bytes <= shape.queue_bytes

    def append(self, held: Held) -> None:
        """One more waits."""
        self._frames.append(held)
        self.bytes += held.size_bytes
        self.overtakers += held.overtakes

    def pop(self) -> Held:
        """The head, whatever CoDel thinks of it."""
        held = self._frames.popleft()
        self.bytes -= held.size_bytes
        self.overtakers -= held.overtakes
        return held

    def meet(self, fates: Fates | None) -> None:
        """Give all that wait new fates."""
        for held in self._frames:
            held.copies = fates.next() if fates else None
        self.overtakers = sum(held.overtakes for held in self._frames)

    def take(self, now_ns: int, shape: Shape) -> Held | None:
        """The next to be sent. With CoDel: `dequeue` of RFC 8289, section 5.5."""
        if shape.codel_target_ns == NONE:
            return self.pop() if self._frames else None
        held, may_drop = self._look(now_ns, shape)
        interval_ns = shape.codel_interval_ns
        if self._dropping:
            self._dropping = may_drop
            while self._dropping and now_ns >= self._drop_next_ns:
                self._drop(held, now_ns)
                self._count += 1
                held, self._dropping = self._look(now_ns, shape)
                if self._dropping:
                    self._drop_next_ns = control_law(self._drop_next_ns, interval_ns, self._count)
        elif may_drop:
            self._drop(held, now_ns)
            held, _ = self._look(now_ns, shape)
            self._dropping = True
            # Soon after the last dropping state the rate that worked then is a good beginning.
            delta = self._count - self._last_count
            recent = delta > 1 and now_ns - self._drop_next_ns < 16 * interval_ns
            self._count = self._last_count = delta if recent else 1
            self._drop_next_ns = control_law(now_ns, interval_ns, self._count)
        return held

    def _drop(self, held: Held | None, now_ns: int) -> None:
        self.dropped_codel += 1
        if held:
            self._dropped(held, now_ns)

    def _look(self, now_ns: int, shape: Shape) -> tuple[Held | None, bool]:
        """The head, and whether frames have waited too long for long enough: `dodequeue` of RFC 8289, section 5.6."""
        if not self._frames:
            self._above_ns = 0
            return None, False
        held = self.pop()
        if now_ns - held.at_ns < shape.codel_target_ns or self.bytes <= shape.frame_bytes:
            self._above_ns = 0
        elif self._above_ns == 0:
            self._above_ns = now_ns + shape.codel_interval_ns
        else:
            return held, now_ns >= self._above_ns
        return held, False
