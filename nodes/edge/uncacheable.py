"""Which keys were answered last by something that may not be shared: requests for them do not wait for each other.

It stores no response. Without it, requests for one uncacheable object would queue behind each other's fetches.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable

KEEP_S = 60.0
MOST_KEYS = 20_000


class Uncacheable:
    """Keys with the time until which they count; the oldest are forgotten first."""

    def __init__(self, keep_s: float = KEEP_S, most: int = MOST_KEYS) -> None:
        self._keep_s, self._most = keep_s, most
        self._until: OrderedDict[Hashable, float] = OrderedDict()

    def note(self, key: Hashable, now_s: float) -> None:
        """Its answer could not be shared."""
        self._until[key] = now_s + self._keep_s
        self._until.move_to_end(key)
        if len(self._until) > self._most:
            self._until.popitem(last=False)

    def forget(self, key: Hashable) -> None:
        """Its answer could be shared."""
        self._until.pop(key, None)

    def clear(self) -> None:
        """Know nothing."""
        self._until.clear()

    def holds(self, key: Hashable, now_s: float) -> bool:
        """Whether a request for it should go on its own."""
        until = self._until.get(key)
        if until is None:
            return False
        if until <= now_s:
            del self._until[key]
            return False
        return True
