"""`slru`: two queues; an object used a second time is protected from those that were used once.

R. Karedla, J. S. Love and B. G. Wherry, "Caching Strategies to Improve Disk System Performance", IEEE Computer 27(3), 1994.
What falls out of the protected queue begins the other anew. It does not count uses beyond the second.
"""

from __future__ import annotations

from nodes.edge.policies.machinery.policy import Policy
from nodes.edge.policies.machinery.segmented import Segments


class Slru(Policy):
    """Protected is at most four fifths of the capacity."""

    def __init__(self, capacity_bytes: int) -> None:
        super().__init__(capacity_bytes)
        self._segments = Segments(capacity_bytes * 4 // 5)

    def __contains__(self, key: int) -> bool:
        return key in self._segments

    def __len__(self) -> int:
        return len(self._segments)

    def _hit(self, key: int) -> None:
        self._segments.use(key)

    def _add(self, key: int, size_bytes: int) -> None:
        self._segments.add(key, size_bytes)

    def _evict(self) -> tuple[int, int]:
        return self._segments.evict()

    def _drop(self, key: int) -> int | None:
        return self._segments.drop(key)
