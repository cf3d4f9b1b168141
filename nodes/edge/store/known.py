"""Stored responses whose metadata is in memory, by primary key: a bounded share of those on the disk.

It reads nothing; the store puts in what it has read or written. It also knows what is open, so that an answer prepared
from it ends when the object does.
"""

from __future__ import annotations

from collections import OrderedDict

from nodes.edge.store.entry import Entry
from nodes.edge.store.names import name_of
from nodes.edge.store.opened import Opened
from nodes.edge.store.purges import path_of
from nodes.edge.stored import Stored

LIMIT = 16_384
"""Primary keys."""

LIMIT_BYTES = 48 * 1024 * 1024
"""By the `weight_bytes` of all of them: 3 KiB each, which a usual dozen of fields needs; fields may be far longer."""


class Known:
    """The least recently looked up or changed are forgotten first; one key is kept whatever it weighs."""

    def __init__(self, limit: int = LIMIT, limit_bytes: int = LIMIT_BYTES) -> None:
        self._limit, self._limit_bytes = limit, limit_bytes
        self._weights: dict[str, int] = {}
        self.weight_bytes = 0
        """How much memory what is known takes, about."""
        self._variants: OrderedDict[str, tuple[Stored, ...]] = OrderedDict()
        self._entries: dict[int, Entry] = {}
        self._at: dict[str, tuple[int, ...]] = {}
        """Names by the path and query of the URI."""
        self._opened: dict[int, set[Opened]] = {}

    def find(self, primary: str) -> tuple[Stored, ...] | None:
        """All variants, none when there are none on the disk, or None when it is not known."""
        found = self._variants.get(primary)
        if found is not None:
            self._variants.move_to_end(primary)
        return found

    def entry(self, name: int) -> Entry | None:
        """What is known of a file."""
        return self._entries.get(name)

    def entries(self) -> list[Entry]:
        """All of them."""
        return list(self._entries.values())

    def entries_at(self, path: str) -> list[Entry]:
        """Those whose URI has this path and query, at whatever host."""
        return [self._entries[name] for name in self._at.get(path, ())]

    def learn(self, primary: str, entries: list[Entry]) -> tuple[Stored, ...]:
        """These are all the variants there are."""
        if primary in self._variants:
            self._forget(primary)
        self._variants[primary] = found = tuple(entry.stored for entry in entries)
        for entry in entries:
            self._take(entry)
        self._weigh(primary)
        self._bound()
        return found

    def put(self, entry: Entry) -> None:
        """One variant is new, or has new metadata; what was open of it is so no more in the sense of `alive`."""
        self.end(entry.name)
        primary = entry.stored.primary
        if primary in self._variants:
            self._take(entry)
            self._renew(primary, entry)
            self._variants.move_to_end(primary)
            self._bound()

    def remove(self, name: int) -> Entry | None:
        """One variant is gone."""
        self.end(name)
        entry = self._leave(name)
        if entry is not None:
            self._renew(entry.stored.primary, None, without=entry.stored)
        return entry

    def clear(self) -> None:
        """All are gone."""
        for name in list(self._opened):
            self.end(name)
        self._entries.clear()
        self._at.clear()
        self._variants.clear()
        self._weights.clear()
        self.weight_bytes = 0

    def opened(self, opened: Opened) -> None:
        """Remember what is open."""
        self._opened.setdefault(opened.name, set()).add(opened)

    def closed(self, opened: Opened) -> None:
        """See `opened`."""
        those = self._opened.get(opened.name)
        if those is not None:
            those.discard(opened)
            if not those:
                del self._opened[opened.name]

    def end(self, name: int) -> None:
        """What was prepared from this object must not be used again."""
        for opened in self._opened.pop(name, ()):
            opened.alive = False

    def _take(self, entry: Entry) -> None:
        self._leave(entry.name)
        self._entries[entry.name] = entry
        path = path_of(entry.stored.uri)
        self._at[path] = (*self._at.get(path, ()), entry.name)

    def _leave(self, name: int) -> Entry | None:
        entry = self._entries.pop(name, None)
        if entry is not None:
            path = path_of(entry.stored.uri)
            left = tuple(one for one in self._at.pop(path) if one != name)
            if left:
                self._at[path] = left
        return entry

    def _renew(self, primary: str, entry: Entry | None, without: Stored | None = None) -> None:
        kept = [one for one in self._variants[primary]
                if one is not without and (entry is None or one.key != entry.stored.key)]  # fmt: skip
        self._variants[primary] = tuple(kept if entry is None else [*kept, entry.stored])
        self._weigh(primary)

    def _weigh(self, primary: str) -> None:
        weight = len(primary) + sum(one.weight_bytes for one in self._variants[primary])
        self.weight_bytes += weight - self._weights.get(primary, 0)
        self._weights[primary] = weight

    def _bound(self) -> None:
        while len(self._variants) > 1 and (len(self._variants) > self._limit or self.weight_bytes > self._limit_bytes):
            self._forget(next(iter(self._variants)))

    def _forget(self, primary: str) -> None:
        self.weight_bytes -= self._weights.pop(primary)
        for stored in self._variants.pop(primary):
            self._leave(name_of(stored.key))
