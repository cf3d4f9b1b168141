"""`clock`: as `fifo`, but an object that was used since it was last looked at gets another turn.

It is the second-chance algorithm (F. J. Corbato, "A Paging Experiment with the Multics System", 1968), with one bit and
the circle written as a queue whose head goes to the end. It does not order the uses.
"""

from __future__ import annotations

from nodes.edge.policies.machinery.ordered import Ordered


class Clock(Ordered):
    """Keys in the order in which the hand meets them, and those that were used."""

    renews = False

    def __init__(self, capacity_bytes: int) -> None:
        super().__init__(capacity_bytes)
        self._used: set[int] = set()

    def _hit(self, key: int) -> None:
        self._used.add(key)

    def _evict(self) -> tuple[int, int]:
        while True:
            key, size = self._sizes.popitem(last=False)
            if key not in self._used:
                return key, size
            self._used.remove(key)
            self._sizes[key] = size

    def _drop(self, key: int) -> int | None:
        self._used.discard(key)
        return self._sizes.pop(key, None)
