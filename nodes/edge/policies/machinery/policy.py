"""What every eviction policy is: keys and sizes within a capacity, and the choice of what goes.

It holds no objects and touches no disk: it says which keys must go. The same classes serve the live store and the
simulator. A policy file implements the five verbs at the end; the rest follows from them.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import ClassVar

from nodes.edge.policies.machinery.tally import Tally

Admit = Callable[[int, int], bool]
"""Whether a key that missed, of so many bytes, is to be stored."""


class Policy(ABC):
    """`used_bytes + reserved_bytes <= capacity_bytes` always holds."""

    offline: ClassVar[bool] = False
    """Whether it must know the future, which only a trace tells."""

    def __init__(self, capacity_bytes: int) -> None:
        if capacity_bytes <= 0:
            raise ValueError("the capacity must be above zero")
        self.capacity_bytes = capacity_bytes
        self.used_bytes = 0
        self.reserved_bytes = 0
        self.evicted_bytes = 0

    def touch(self, key: int) -> None:
        """The key was used now; no effect when it is not held."""
        if key in self:
            self._hit(key)

    def insert(self, key: int, size_bytes: int) -> list[int] | None:
        """The key is held from now on, with this size; a size it had before is forgotten.

        Gives the keys evicted for it, or None (and the key is not held) when it cannot fit.
        """
        self.remove(key)
        if self.reserved_bytes + size_bytes > self.capacity_bytes:
            return None
        evicted = self._shrink(size_bytes)
        self._add(key, size_bytes)
        self.used_bytes += size_bytes
        return evicted

    def remove(self, key: int) -> bool:
        """Forget a key that is gone for another reason than eviction; whether it was there."""
        size = self._drop(key)
        if size is None:
            return False
        self.used_bytes -= size
        return True

    def reserve(self, size_bytes: int) -> list[int] | None:
        """Set space aside; gives the keys evicted for it, or None (and changes nothing) when it can never fit."""
        if self.reserved_bytes + size_bytes > self.capacity_bytes:
            return None
        self.reserved_bytes += size_bytes
        return self._shrink(0)

    def release(self, size_bytes: int) -> None:
        """Give reserved space back. Raises ValueError for more than was reserved."""
        if size_bytes > self.reserved_bytes:
            raise ValueError("more is released than was reserved")
        self.reserved_bytes -= size_bytes

    def replay(self, keys: Sequence[int], sizes: Sequence[int], tally: Tally, admit: Admit | None) -> None:
        """Requests in order, each stored on a miss if it is admitted and fits. A file may have a faster one."""
        for key, size in zip(keys, sizes, strict=True):
            if key in self:
                self._hit(key)
                tally.hits += 1
                tally.hit_bytes += size
            elif admit is None or admit(key, size):
                evicted = self.insert(key, size)
                if evicted is None:
                    tally.too_large += 1
                else:
                    tally.stored += 1
                    tally.stored_bytes += size
                    tally.evicted += len(evicted)

    def _shrink(self, more_bytes: int) -> list[int]:
        evicted = []
        while self.used_bytes + self.reserved_bytes + more_bytes > self.capacity_bytes:
            key, size = self._evict()
            self.used_bytes -= size
            self.evicted_bytes += size
            evicted.append(key)
        return evicted

    @abstractmethod
    def __contains__(self, key: int) -> bool: ...

    @abstractmethod
    def __len__(self) -> int: ...

    @abstractmethod
    def _hit(self, key: int) -> None:
        """A key that is held was used."""

    @abstractmethod
    def _add(self, key: int, size_bytes: int) -> None:
        """A key that is not held comes; there is room for it."""

    @abstractmethod
    def _evict(self) -> tuple[int, int]:
        """Choose a key, forget it, and give it with its size. Called only while some are held."""

    @abstractmethod
    def _drop(self, key: int) -> int | None:
        """Forget a key and give its size, or None when it is not held."""
