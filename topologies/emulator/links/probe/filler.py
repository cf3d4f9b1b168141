"""When each batch of a fill leaves, and what the queue of the link as specified holds by then.

It sends nothing and reads no clock. The sender's own pauses are taken as they come: what drained meanwhile is filled again.
"""

from __future__ import annotations

from .fill import Fill

SURE = 0.9
"""So much of the queue can be sent and surely finds room, whatever has left by then and however late it was taken in."""

FEWEST_AT_FULL, LONGEST_HELD, CAUGHT_UP_NS = 16, 3, 10_000_000


class Filler:
    """For one fill; `at_ns` is when the next `size` frames leave. `sent_at` has the moment of every frame.

    The first `sure` frames must all be accepted. Those `at_full` found the queue full, and it had been so for a while. `dry`
    lists frames that may have found the link idle.
    """

    __slots__ = ("_ahead_ns", "_fast_ns", "_fill", "_full_ns", "at_full", "at_ns", "dry", "sent_at", "sure")

    def __init__(self, fill: Fill, start_ns: int) -> None:
        self._fill, self.at_ns = fill, start_ns
        self._ahead_ns = self._fast_ns = self._full_ns = 0
        self.sent_at: list[int] = []
        self.dry: list[int] = []
        self.at_full: list[int] = []
        self.sure = max(1, int(SURE * fill.room_ns / fill.frame_ns))

    @property
    def count(self) -> int:
        """Frames sent."""
        return len(self.sent_at)

    @property
    def size(self) -> int:
        """How many frames leave next."""
        return self._fill.hold_batch if self._full_ns else self._fill.batch

    @property
    def done(self) -> bool:
        """Whether the queue has been held full for long enough, or filling it is given up."""
        if not self._full_ns:
            return self._given_up
        held_ns = self.sent_at[-1] - self._full_ns
        enough = held_ns >= self._fill.hold_ns and len(self.at_full) >= FEWEST_AT_FULL
        return enough or held_ns >= LONGEST_HELD * self._fill.hold_ns or self._given_up

    @property
    def full(self) -> bool:
        """Whether the link as specified has been full."""
        return bool(self._full_ns)

    @property
    def filled(self) -> bool:
        """Whether the link as specified was full, and stayed so."""
        return bool(self._full_ns) and not self._given_up

    @property
    def _given_up(self) -> bool:
        late = bool(self.sent_at) and self.sent_at[-1] - self.sent_at[0] > self._fill.most_ns
        return late or self.count >= self._fill.most_frames

    def sent(self, now_ns: int) -> None:
        """`size` frames have left."""
        fill, size, first = self._fill, self.size, not self.sent_at
        passed = 0 if first else now_ns - self.sent_at[-1]
        self._fast_ns -= passed
        if self._fast_ns < 0:
            self._fast_ns = 0
            if not first:
                self.dry.append(self.count)
        self._fast_ns = min(self._fast_ns + size * fill.busy_ns, fill.room_ns)
        self._ahead_ns = max(0, self._ahead_ns - passed)
        settled = self._full_ns and now_ns >= self._full_ns + fill.hold_ns // 2
        # After a pause of the sender the queue is not full again at once.
        if settled and self._ahead_ns >= fill.room_ns - 2 * fill.hold_batch * fill.frame_ns:
            self.at_full += range(self.count, self.count + size)
        self._ahead_ns += size * fill.frame_ns
        self.sent_at += [now_ns] * size
        if self._ahead_ns >= fill.room_ns:
            self._ahead_ns = fill.room_ns
            self._full_ns = self._full_ns or now_ns
        if self._full_ns:
            # What a pause has let drain is made up for at once, or the queue would take as long again to be full.
            self.at_ns = max(now_ns - CAUGHT_UP_NS, self.at_ns + fill.hold_gap_ns)
        else:
            self.at_ns = max(now_ns, self.at_ns + fill.gap_ns)
