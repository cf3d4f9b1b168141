"""`s3fifo`: three queues; an object must be used in a small one before it enters the large one.

J. Yang et al., "FIFO Queues are All You Need for Cache Eviction", SOSP 2023, algorithm 1: new objects enter the small queue
(a tenth of the bytes), those used more than once in it go on to the main queue, the others leave and are remembered as
ghosts, as many as nine tenths of the objects held; a ghost that comes back enters the main queue at once. A use moves
nothing.
"""

from __future__ import annotations

from collections import OrderedDict

from nodes.edge.policies.machinery.policy import Policy

MOST_USES = 3


class S3Fifo(Policy):
    """Queues of keys and sizes; uses are counted for those that have some."""

    def __init__(self, capacity_bytes: int) -> None:
        super().__init__(capacity_bytes)
        self._small: OrderedDict[int, int] = OrderedDict()
        self._main: OrderedDict[int, int] = OrderedDict()
        self._ghosts: OrderedDict[int, None] = OrderedDict()
        self._uses: dict[int, int] = {}
        self._small_bytes = 0

    def __contains__(self, key: int) -> bool:
        return key in self._main or key in self._small

    def __len__(self) -> int:
        return len(self._main) + len(self._small)

    def _hit(self, key: int) -> None:
        self._uses[key] = min(self._uses.get(key, 0) + 1, MOST_USES)

    def _add(self, key: int, size_bytes: int) -> None:
        if key in self._ghosts:
            del self._ghosts[key]
            self._main[key] = size_bytes
        else:
            self._small[key] = size_bytes
            self._small_bytes += size_bytes

    def _evict(self) -> tuple[int, int]:
        while self._small and (self._small_bytes * 10 >= self.capacity_bytes or not self._main):
            key, size = self._small.popitem(last=False)
            self._small_bytes -= size
            if self._uses.pop(key, 0) <= 1:
                self._remember(key)
                return key, size
            self._main[key] = size  # its uses are forgotten on the way
        while True:
            key, size = self._main.popitem(last=False)
            uses = self._uses.pop(key, 0)
            if uses == 0:
                return key, size
            if uses > 1:
                self._uses[key] = uses - 1
            self._main[key] = size

    def _drop(self, key: int) -> int | None:
        self._uses.pop(key, None)
        if key in self._main:
            return self._main.pop(key)
        size = self._small.pop(key, None)
        if size is not None:
            self._small_bytes -= size
        return size

    def _remember(self, key: int) -> None:
        self._ghosts[key] = None
        while len(self._ghosts) * 10 > len(self) * 9:
            self._ghosts.popitem(last=False)
