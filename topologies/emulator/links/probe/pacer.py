"""When each frame of a train leaves, and whether the link had something to send all the time.

It sends nothing and reads no clock. A sender that was held up catches up as far as the queue surely holds; where a
link a little too fast would have run dry meanwhile is remembered, because there the sender is measured, not the link.
"""

from __future__ import annotations

from .plan import Train

FASTEST = 1.10
"""A link this much too fast must show; beyond that it shows anyway."""


class Pacer:
    """For one train. `at_ns` is when its next `size` frames leave; `dry` lists the frames that may have found the link idle."""

    __slots__ = ("_began", "_busy_until", "_fast_until", "_train", "at_ns", "count", "dry", "first_ns", "last_ns")

    def __init__(self, train: Train, start_ns: int) -> None:
        self._train = train
        self.at_ns, self.count = start_ns, 0
        self.dry: list[int] = []
        self._began = self._busy_until = self._fast_until = self.first_ns = self.last_ns = 0

    @property
    def done(self) -> bool:
        """Whether all frames have left."""
        return self.count >= self._train.frames

    @property
    def size(self) -> int:
        """How many frames leave next; a batch does not reach from one run into the next."""
        train = self._train
        return min(train.batch, train.run - self.count % train.run, train.frames - self.count)

    def sent(self, now_ns: int) -> None:
        """`size` frames have left; `at_ns` is the next ones' time afterwards."""
        train, size = self._train, self.size
        index = self.count % train.run
        if index == 0:
            self._began = self._busy_until = self._fast_until = now_ns
        if not self.count:
            self.first_ns = now_ns
        self.last_ns = now_ns
        if now_ns > self._fast_until:
            self._fast_until = now_ns
            if train.prime > 1:  # in a shorter queue nothing can be kept waiting, and every frame finds it idle
                self.dry.append(self.count)
        self._fast_until += round(size * train.frame_ns / FASTEST)
        self._busy_until = max(self._busy_until, now_ns) + size * train.frame_ns
        self.count += size
        if index + size == train.run:
            self.at_ns = now_ns + train.gap_ns + train.pause_ns
        else:
            due = self._began + max(0, index + size - train.prime) * train.gap_ns
            self.at_ns = max(due, self._busy_until + self.size * train.frame_ns - train.most_ns)
