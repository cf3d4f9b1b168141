"""`gdsf`: the object with the fewest uses for its size goes first, and age counts.

L. Cherkasova, "Improving WWW Proxies Performance with Greedy-Dual-Size-Frequency Caching Policy", HP Laboratories, 1998: the
priority of an object is L + frequency / size, where L is the priority of the one evicted last. With the cost of one per
object it serves the object hit ratio, not the byte hit ratio.
"""

from __future__ import annotations

import heapq
import itertools

from nodes.edge.policies.machinery.policy import Policy


class Gdsf(Policy):
    """A heap of priorities, in which old ones stay until they come up; of equal ones the oldest goes first."""

    def __init__(self, capacity_bytes: int) -> None:
        super().__init__(capacity_bytes)
        self._held: dict[int, tuple[int, int, int]] = {}
        """Size, uses, and the number of the heap's entry that counts."""
        self._heap: list[tuple[float, int, int]] = []
        self._numbers = itertools.count()
        self._inflation = 0.0

    def __contains__(self, key: int) -> bool:
        return key in self._held

    def __len__(self) -> int:
        return len(self._held)

    def _hit(self, key: int) -> None:
        size, uses, _ = self._held[key]
        self._push(key, size, uses + 1)

    def _add(self, key: int, size_bytes: int) -> None:
        self._push(key, size_bytes, 1)

    def _evict(self) -> tuple[int, int]:
        while True:
            priority, number, key = heapq.heappop(self._heap)
            held = self._held.get(key)
            if held is not None and held[2] == number:
                self._inflation = priority
                del self._held[key]
                return key, held[0]

    def _drop(self, key: int) -> int | None:
        held = self._held.pop(key, None)
        return None if held is None else held[0]

    def _push(self, key: int, size: int, uses: int) -> None:
        number = next(self._numbers)
        self._held[key] = size, uses, number
        heapq.heappush(self._heap, (self._inflation + uses / max(size, 1), number, key))
        if len(self._heap) > 2 * len(self._held) + 1000:
            self._heap = [entry for entry in self._heap if self._held.get(entry[2], (0, 0, -1))[2] == entry[1]]
            heapq.heapify(self._heap)
