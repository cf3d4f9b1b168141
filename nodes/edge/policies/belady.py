"""`belady`: the object whose next use is furthest away goes first. It must know the future, so it runs offline only.

L. A. Belady, "A Study of Replacement Algorithms for a Virtual-Storage Computer", IBM Systems Journal 5(2), 1966. For objects
of one size no policy has more hits; for different sizes it is a good bound, not the best. An object that is used again
later than all that are held is not kept.
"""

from __future__ import annotations

import heapq
from collections.abc import Sequence

from nodes.edge.policies.machinery.policy import Admit, Policy
from nodes.edge.policies.machinery.tally import Tally

NEVER = 1 << 62
"""The next use of what is not used again."""


class Belady(Policy):
    """A heap of next uses, in which old ones stay until they come up."""

    offline = True

    def __init__(self, capacity_bytes: int) -> None:
        super().__init__(capacity_bytes)
        self._held: dict[int, tuple[int, int]] = {}
        """Size and next use."""
        self._heap: list[tuple[int, int]] = []
        self._future: Sequence[int] = ()
        self._next = NEVER

    def foresee(self, next_uses: Sequence[int]) -> None:
        """For each request of the next `replay`, the number of the request that asks for the same key next, or NEVER."""
        self._future = next_uses

    def replay(self, keys: Sequence[int], sizes: Sequence[int], tally: Tally, admit: Admit | None) -> None:
        """As in `Policy`, one by one, because each request has a future of its own."""
        for key, size, following in zip(keys, sizes, self._future, strict=True):
            self._next = following
            super().replay((key,), (size,), tally, admit)

    def insert(self, key: int, size_bytes: int) -> list[int] | None:
        """As in `Policy`; the key itself may be among those evicted."""
        self.remove(key)
        if self.reserved_bytes + size_bytes > self.capacity_bytes:
            return None
        self._add(key, size_bytes)
        self.used_bytes += size_bytes
        return self._shrink(0)

    def __contains__(self, key: int) -> bool:
        return key in self._held

    def __len__(self) -> int:
        return len(self._held)

    def _hit(self, key: int) -> None:
        self._put(key, self._held[key][0])

    def _add(self, key: int, size_bytes: int) -> None:
        self._put(key, size_bytes)

    def _evict(self) -> tuple[int, int]:
        while True:
            negative, key = heapq.heappop(self._heap)
            held = self._held.get(key)
            if held is not None and held[1] == -negative:
                del self._held[key]
                return key, held[0]

    def _drop(self, key: int) -> int | None:
        held = self._held.pop(key, None)
        return None if held is None else held[0]

    def _put(self, key: int, size: int) -> None:
        self._held[key] = size, self._next
        heapq.heappush(self._heap, (-self._next, key))
        if len(self._heap) > 2 * len(self._held) + 1000:
            self._heap = [(-following, held) for held, (_, following) in self._held.items()]
            heapq.heapify(self._heap)
