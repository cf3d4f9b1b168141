"""Which keys of a zone are to be set right, as values; it repairs nothing.

What waits is bounded. A zone with more than that is not to be read until every copy in it from before has ended.
"""

from __future__ import annotations


class Repairs:
    """One zone's: for each key the newest version that it missed or that is in doubt, in the order of their turns.
    Times are seconds of whatever clock `now_s` is of."""

    def __init__(self, most: int, bound_s: float) -> None:
        """`bound_s`: how long a copy of before may still be there."""
        self._most, self._bound_s = most, bound_s
        self._waiting: dict[str, int] = {}
        self._shut_until_s = float("-inf")
        self.overflows = 0

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, key: str, version: int, now_s: float) -> bool:
        """A write that this zone missed, or one that it has and that is not durable. False when it is known already."""
        before = self._waiting.get(key)
        if before is None and len(self._waiting) >= self._most:
            self._waiting.clear()
            self._shut_until_s = now_s + self._bound_s
            self.overflows += 1
            return True
        self._waiting[key] = max(version, before or 0)
        return self._waiting[key] != before

    def serves(self, key: str, now_s: float) -> bool:
        """Whether this zone's copy of a key may be read."""
        return key not in self._waiting and now_s >= self._shut_until_s

    def shut(self, now_s: float) -> bool:
        """Whether more was missed than could wait, so that nothing may be read until the copies of before have ended."""
        return now_s < self._shut_until_s

    def some(self, most: int) -> list[tuple[str, int]]:
        """Those whose turn it is, for a repairer. They stay until `done`."""
        return [item for item, _ in zip(self._waiting.items(), range(most), strict=False)]

    def done(self, key: str, version: int) -> None:
        """Repaired, unless a newer version was missed meanwhile."""
        if self._waiting.get(key) == version:
            del self._waiting[key]

    def again(self, key: str) -> None:
        """It could not be repaired: it waits behind all others, so that one node that is away holds up no other's keys."""
        if key in self._waiting:
            self._waiting[key] = self._waiting.pop(key)

    def written(self, key: str, version: int) -> None:
        """The zone has this version now, without a repair."""
        if self._waiting.get(key, version + 1) <= version:
            del self._waiting[key]
