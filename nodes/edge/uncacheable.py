"""Which keys were answered last by something that may not be shared: requests for them do not wait for each other.

It stores no response. Without it, requests for one uncacheable object would queue behind each other's fetches.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Hashable

KEEP_S = 60.0
MOST_KEYS = 20_000


class Uncacheable:
    """Digests of keys with the time until which they count; the oldest are forgotten first.

    A key holds what a client sent, so it may be long; its digest is short, and nobody can make two keys share one.
    """

    def __init__(self, keep_s: float = KEEP_S, most: int = MOST_KEYS) -> None:
        self._keep_s, self._most = keep_s, most
        self._until: OrderedDict[bytes, float] = OrderedDict()

    def note(self, key: Hashable, now_s: float) -> None:
        """Its answer could not be shared."""
        digest = _digest(key)
        self._until[digest] = now_s + self._keep_s
        self._until.move_to_end(digest)
        while len(self._until) > self._most or next(iter(self._until.values())) <= now_s:
            self._until.popitem(last=False)

    def forget(self, key: Hashable) -> None:
        """Its answer could be shared."""
        if self._until:
            self._until.pop(_digest(key), None)

    def __len__(self) -> int:
        return len(self._until)

    def clear(self) -> None:
        """Know nothing."""
        self._until.clear()

    def holds(self, key: Hashable, now_s: float) -> bool:
        """Whether a request for it should go on its own."""
        if not self._until:
            return False
        digest = _digest(key)
        until = self._until.get(digest)
        if until is None:
            return False
        if until <= now_s:
            del self._until[digest]
            return False
        return True


def _digest(key: Hashable) -> bytes:
    return hashlib.blake2b(repr(key).encode("utf-8", "backslashreplace"), digest_size=16).digest()
