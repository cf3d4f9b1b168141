"""Which keys of a zone are to be set right, as values; it repairs nothing.

What waits is bounded. A zone with more than that is not to be read until every copy in it from before has ended.
"""

from __future__ import annotations

from typing import NamedTuple


class Repair(NamedTuple):
    """`version` was missed or is in doubt; copies of the `undone` versions are to go, because they were never durable."""

    version: int
    undone: frozenset[int] = frozenset()


class Repairs:
    """One zone's, oldest first. Times are seconds of whatever clock `now_s` is of."""

    def __init__(self, most: int, longest_s: float) -> None:
        self._most, self._longest_s = most, longest_s
        self._waiting: dict[str, Repair] = {}
        self._shut_until_s = float("-inf")
        self.overflows = 0

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, key: str, version: int, now_s: float, *, undone: bool = False) -> bool:
        """A write that this zone missed, or (`undone`) one that it may have and must not. False when it is known already."""
        before = self._waiting.get(key)
        if before is None and len(self._waiting) >= self._most:
            self._waiting.clear()
            self._shut_until_s = now_s + self._longest_s
            self.overflows += 1
            return True
        gone = (before.undone if before else frozenset()) | ({version} if undone else frozenset())
        self._waiting[key] = Repair(max(version, before.version if before else 0), frozenset(gone))
        return self._waiting[key] != before

    def serves(self, key: str, now_s: float) -> bool:
        """Whether this zone's copy of a key may be read."""
        return key not in self._waiting and now_s >= self._shut_until_s

    def some(self, most: int) -> list[tuple[str, Repair]]:
        """The oldest, for a repairer. They stay until `done`."""
        return [item for item, _ in zip(self._waiting.items(), range(most), strict=False)]

    def done(self, key: str, repair: Repair) -> None:
        """Repaired, unless something else happened to the key meanwhile."""
        if self._waiting.get(key) == repair:
            del self._waiting[key]
