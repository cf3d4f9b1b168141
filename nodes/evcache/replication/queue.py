"""What another region has not been told yet: keys with versions, no values. It sends nothing and reads no clock.

It holds each key once, with the newest version: a key that is written again while it waits is sent once.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple


class Waiting(NamedTuple):
    """`ends_s`: when the value's time to live ends, or None; `since_s`: when the first write that waits was queued."""

    version: int
    ends_s: float | None
    since_s: float


class Queue:
    """One region's. Times are seconds of whatever clock `now_s` is of. Beyond `most` keys the oldest is lost, and counted."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._waiting: dict[str, Waiting] = {}
        self._sent: set[str] = set()
        self.lost = 0

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, key: str, version: int, ttl_s: float | None, now_s: float) -> None:
        """A write that is durable here."""
        before = self._waiting.get(key)
        if before is not None and before.version >= version:
            return
        if before is None and len(self._waiting) >= self._most:
            oldest = next(iter(self._waiting))
            del self._waiting[oldest]
            self._sent.discard(oldest)
            self.lost += 1
        ends_s = None if ttl_s is None else now_s + ttl_s
        self._waiting[key] = Waiting(version, ends_s, now_s if before is None else before.since_s)

    def take(self, most: int) -> list[tuple[str, Waiting]]:
        """The oldest that nobody is sending; they stay until `done` or `again`."""
        found: list[tuple[str, Waiting]] = []
        for key, waiting in self._waiting.items():
            if len(found) == most:
                break
            if key not in self._sent:
                found.append((key, waiting))
        self._sent.update(key for key, _ in found)
        return found

    def done(self, key: str, version: int, now_s: float) -> None:
        """The region has this version or a newer one. A newer one that was queued meanwhile waits on, from now."""
        self._sent.discard(key)
        waiting = self._waiting.get(key)
        if waiting is None:
            return
        if waiting.version <= version:
            del self._waiting[key]
        else:
            self._waiting[key] = waiting._replace(since_s=now_s)

    def again(self, keys: Iterable[str]) -> None:
        """They were not taken: they wait behind all others, so that what is refused for good holds up nothing."""
        for key in keys:
            self._sent.discard(key)
            if key in self._waiting:
                self._waiting[key] = self._waiting.pop(key)

    def age_s(self, now_s: float) -> float:
        """How long the oldest has waited."""
        return max((now_s - waiting.since_s for waiting in self._waiting.values()), default=0.0)
