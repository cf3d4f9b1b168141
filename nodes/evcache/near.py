"""A small cache inside the process for hot keys only, so that one key cannot fill one memcached's link. It reads no clock.

A key is hot when it was read so often within a window; its value then stays for a short time, which adds to the bound on
stale values.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Generic, TypeVar

Kept = TypeVar("Kept")


class Near(Generic[Kept]):
    """At most `capacity` values, the least recently used goes first. Times in seconds of whatever clock `now_s` is of."""

    def __init__(self, capacity: int, keep_s: float, hot_reads: int, window_s: float) -> None:
        self._capacity, self._keep_s, self._hot_reads, self._window_s = capacity, keep_s, hot_reads, window_s
        self._kept: OrderedDict[str, tuple[Kept, float]] = OrderedDict()
        self._reads: dict[str, int] = {}
        self._window_until_s = 0.0

    def get(self, key: str, now_s: float) -> Kept | None:
        """What is kept of a hot key."""
        found = self._kept.get(key)
        if found is None:
            return None
        if now_s >= found[1]:
            del self._kept[key]
            return None
        self._kept.move_to_end(key)
        return found[0]

    def read(self, key: str, value: Kept, now_s: float) -> None:
        """A value was read from a replica; it is kept when its key is hot."""
        if now_s >= self._window_until_s:
            self._reads.clear()
            self._window_until_s = now_s + self._window_s
        count = self._reads[key] = self._reads.get(key, 0) + 1
        if count < self._hot_reads:
            return
        self._kept[key] = (value, now_s + self._keep_s)
        self._kept.move_to_end(key)
        if len(self._kept) > self._capacity:
            self._kept.popitem(last=False)

    def drop(self, key: str) -> None:
        """It was written here."""
        self._kept.pop(key, None)

    def __len__(self) -> int:
        return len(self._kept)
