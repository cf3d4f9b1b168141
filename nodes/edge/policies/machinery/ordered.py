"""Policies that are one queue: `lru` renews a key's place when it is used, `fifo` and `clock` do not.

`Queue` has a replay of its own, one loop over plain numbers, because a method call costs more than such a decision.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from typing import ClassVar

from nodes.edge.policies.machinery.policy import Admit, Policy
from nodes.edge.policies.machinery.tally import Tally


class Ordered(Policy):
    """Keys in a queue; the first goes first."""

    renews: ClassVar[bool]
    """Whether a use puts the key at the end."""

    def __init__(self, capacity_bytes: int) -> None:
        super().__init__(capacity_bytes)
        self._sizes: OrderedDict[int, int] = OrderedDict()

    def __contains__(self, key: int) -> bool:
        return key in self._sizes

    def __len__(self) -> int:
        return len(self._sizes)

    def _hit(self, key: int) -> None:
        if self.renews:
            self._sizes.move_to_end(key)

    def _add(self, key: int, size_bytes: int) -> None:
        self._sizes[key] = size_bytes

    def _evict(self) -> tuple[int, int]:
        return self._sizes.popitem(last=False)

    def _drop(self, key: int) -> int | None:
        return self._sizes.pop(key, None)


class Queue(Ordered):
    """A use renews a place or does nothing, and the first goes first, without exception."""

    def replay(self, keys: Sequence[int], sizes: Sequence[int], tally: Tally, admit: Admit | None) -> None:
        """As in `Policy`."""
        held, renews, use, evict = self._sizes, self.renews, self._sizes.move_to_end, self._sizes.popitem
        room, used, before = self.capacity_bytes - self.reserved_bytes, self.used_bytes, len(self._sizes)
        hits = hit_bytes = stored = stored_bytes = too_large = 0
        for key, size in zip(keys, sizes, strict=True):
            if key in held:
                if renews:
                    use(key)
                hits += 1
                hit_bytes += size
            elif admit is None or admit(key, size):
                if size > room:
                    too_large += 1
                    continue
                used += size
                while used > room:
                    used -= evict(False)[1]
                held[key] = size
                stored += 1
                stored_bytes += size
        self.used_bytes = used
        tally.hits += hits
        tally.hit_bytes += hit_bytes
        tally.stored += stored
        tally.stored_bytes += stored_bytes
        tally.too_large += too_large
        tally.evicted += before + stored - len(held)
