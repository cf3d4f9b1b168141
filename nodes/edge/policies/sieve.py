"""`sieve`: a hand goes from the oldest object to the newest and takes the first that was not used since it last passed.

Objects never move, so that new ones which nobody asks for again are found soon (Y. Zhang et al., "SIEVE is Simpler than
LRU", NSDI 2024, algorithm 1). It does not resist scans: one long scan clears all marks.
"""

from __future__ import annotations

from array import array

from nodes.edge.policies.machinery.policy import Policy

NONE = 0
"""No slot: the first is the ring's own, whose neighbours are the oldest and the newest."""


class Sieve(Policy):
    """A ring of slots with a hand in it. Columns of numbers, because Python would look at a million linked objects again
    and again in search of garbage."""

    def __init__(self, capacity_bytes: int) -> None:
        super().__init__(capacity_bytes)
        self._slots: dict[int, int] = {}
        self._keys, self._sizes, self._used = [0], array("q", [0]), bytearray(1)
        self._newer, self._older = array("q", [NONE]), array("q", [NONE])
        self._free = array("q")
        self._hand = NONE

    def __contains__(self, key: int) -> bool:
        return key in self._slots

    def __len__(self) -> int:
        return len(self._slots)

    def _hit(self, key: int) -> None:
        self._used[self._slots[key]] = 1

    def _add(self, key: int, size_bytes: int) -> None:
        slot = self._slot()
        self._slots[key] = slot
        self._keys[slot], self._sizes[slot], self._used[slot] = key, size_bytes, 0
        newest = self._older[NONE]
        self._older[slot], self._newer[slot] = newest, NONE
        self._newer[newest] = self._older[NONE] = slot

    def _evict(self) -> tuple[int, int]:
        slot = self._hand or self._newer[NONE]
        while self._used[slot]:
            self._used[slot] = 0
            slot = self._newer[slot] or self._newer[NONE]
        self._hand = slot  # from where `_unlink` moves it on
        key = self._keys[slot]
        return key, self._unlink(key)

    def _drop(self, key: int) -> int | None:
        return self._unlink(key) if key in self._slots else None

    def _unlink(self, key: int) -> int:
        slot = self._slots.pop(key)
        older, newer = self._older[slot], self._newer[slot]
        self._newer[older], self._older[newer] = newer, older
        if self._hand == slot:
            self._hand = newer  # none: it begins again with the oldest
        self._keys[slot] = 0
        self._free.append(slot)
        return self._sizes[slot]

    def _slot(self) -> int:
        if self._free:
            return self._free.pop()
        self._keys.append(0)
        self._used.append(0)
        for column in (self._sizes, self._newer, self._older):
            column.append(0)
        return len(self._keys) - 1
