"""Least recently used eviction, counted in bytes.

It holds keys and sizes, no objects, and touches no disk: it says which keys must go. Space for objects that are still
being written is reserved, so that the disk never holds more than the capacity.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator


class Lru:
    """`used_bytes + reserved_bytes <= capacity_bytes` always holds."""

    def __init__(self, capacity_bytes: int) -> None:
        if capacity_bytes <= 0:
            raise ValueError("the capacity must be above zero")
        self.capacity_bytes = capacity_bytes
        self.used_bytes = 0
        self.reserved_bytes = 0
        self._sizes: OrderedDict[str, int] = OrderedDict()

    def __len__(self) -> int:
        return len(self._sizes)

    def __contains__(self, key: str) -> bool:
        return key in self._sizes

    def __iter__(self) -> Iterator[str]:
        """Keys, the next to be evicted first."""
        return iter(self._sizes)

    def touch(self, key: str) -> None:
        """The key was used now. Raises KeyError."""
        self._sizes.move_to_end(key)

    def reserve(self, size_bytes: int) -> list[str] | None:
        """Set space aside; gives the keys evicted for it, or None (and changes nothing) when it can never fit."""
        if self.reserved_bytes + size_bytes > self.capacity_bytes:
            return None
        self.reserved_bytes += size_bytes
        return self._shrink()

    def release(self, size_bytes: int) -> None:
        """Give reserved space back. Raises ValueError for more than was reserved."""
        if size_bytes > self.reserved_bytes:
            raise ValueError("more is released than was reserved")
        self.reserved_bytes -= size_bytes

    def put(self, key: str, size_bytes: int) -> list[str] | None:
        """The key is stored, of this size, and was used now; a size it had before is forgotten.

        Gives the keys evicted for it, never the key itself, or None (and the key is not held) when it cannot fit.
        """
        self.remove(key)
        if self.reserved_bytes + size_bytes > self.capacity_bytes:
            return None
        self._sizes[key] = size_bytes
        self.used_bytes += size_bytes
        return self._shrink()

    def remove(self, key: str) -> bool:
        """Forget a key; whether it was there."""
        size = self._sizes.pop(key, None)
        if size is None:
            return False
        self.used_bytes -= size
        return True

    def _shrink(self) -> list[str]:
        evicted = []
        while self.used_bytes + self.reserved_bytes > self.capacity_bytes:
            key, size = self._sizes.popitem(last=False)
            self.used_bytes -= size
            evicted.append(key)
        return evicted
