"""Objects that are on the disk: found, opened, dropped; and the room they take.

It stores nothing new (`store.py` does). What is damaged or purged is found here, before a byte of it leaves.
"""

from __future__ import annotations

import contextlib
import errno
import os
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

from nodes.edge.store import names
from nodes.edge.store.entry import Entry, stamp_of
from nodes.edge.store.index import Index
from nodes.edge.store.known import Known
from nodes.edge.store.opened import Opened
from nodes.edge.store.purges import Purges
from nodes.edge.store.record import RecordError
from nodes.edge.store.shelf import Shelf, read_entry
from nodes.edge.stored import Stored
from nodes.http.metrics import Metrics

MOST_TOLD = 100
"""So many damaged objects are told of on stderr; a pipe that nobody reads takes no more, and then would stop the edge."""


FOR_NOW = frozenset((errno.EMFILE, errno.ENFILE, errno.ENOMEM))
"""Errors that say nothing of a file: it may be read a moment later."""


class Objects:
    """`on_change` is called with the name (`names.name_of(key)`) of every object that is removed, replaced or given new
    metadata, and with None when all are removed, before the call that does it returns."""

    def __init__(self, shelf: Shelf, index: Index, purges: Purges, metrics: Metrics) -> None:
        self.index, self.purges = index, purges
        self._shelf, self._metrics, self._known = shelf, metrics, Known()
        self._evicted_bytes = self._told = 0
        self.on_change: Callable[[int | None], None] = lambda name: None

    def __len__(self) -> int:
        return len(self.index)

    # -- finding -------------------------------------------------------------------------------------------------
    def find(self, primary: str) -> tuple[Stored, ...]:
        """All variants of a primary key, fresh or not, in the order in which they came."""
        found = self._known.find(primary)
        return self._load(primary) if found is None else found

    def open(self, stored: Stored) -> Opened | None:
        """Its bytes, or None when it is there no more, or damaged: then it is dropped and counted."""
        name = names.name_of(stored.key)
        entry = self._known.entry(name)
        if entry is None or entry.stored is not stored:
            self.find(stored.primary)
            entry = self._known.entry(name)
            if entry is None or entry.stored != stored:
                return None
        try:
            fd = os.open(self._shelf.path(name), os.O_RDONLY | os.O_CLOEXEC)
        except OSError as error:
            if error.errno in FOR_NOW:
                self._disk_error()
            else:
                self._bad(entry)
            return None
        try:
            if stamp_of(os.fstat(fd)) != entry.stamp:
                told = read_entry(fd, name)
                if told.stored != entry.stored:
                    raise RecordError("the file is not what it was")
                entry.stamp = told.stamp
                entry.right.clear()
        except (OSError, RecordError):
            os.close(fd)
            self._bad(entry)
            return None
        opened = Opened(fd, entry, self.index.touch, self._bad, self._known.closed)
        self._known.opened(opened)
        return opened

    def touch(self, key: str) -> None:
        """A use, for the eviction policy."""
        self.index.touch(names.name_of(key))

    def remove(self, key: str) -> bool:
        """Drop one object; whether it was there."""
        name = names.name_of(key)
        there = os.path.exists(self._shelf.path(name))
        self._drop(name)
        return there

    def _load(self, primary: str) -> tuple[Stored, ...]:
        entries = []
        try:
            for name in self._shelf.variants(primary):
                entry = self._read(name, for_now=True)
                if entry is not None and entry.stored.primary == primary:
                    entries.append(entry)
        except OSError:
            self._disk_error()
            return ()  # and nothing is learned: what cannot be read now is not known to be absent
        entries.sort(key=lambda entry: entry.stored.received_s)
        return self._known.learn(primary, entries)

    def _read(self, name: int, *, for_now: bool = False) -> Entry | None:
        """What one file says, unless it is damaged or was purged: then it goes. With `for_now` raises OSError of FOR_NOW; else
        it goes then too, because who looks must be sure that nothing purged is left."""
        try:
            entry = self._shelf.load(name)
            if entry is not None and entry.purges > self.purges.count:
                raise RecordError("the object is of another list of purges")
        except (RecordError, OSError) as error:
            if for_now and isinstance(error, OSError) and error.errno in FOR_NOW:
                raise
            self._say_bad(self._shelf.path(name), str(error))
            self._drop(name)
            return None
        if entry is not None and self.purges.reach(entry.stored, entry.purges):
            self._metrics.count("longhaul_cache_purged_total")
            self._drop(name)
            return None
        return entry

    # -- room ----------------------------------------------------------------------------------------------------
    def reserve(self, size_bytes: int) -> bool:
        """Whether so many bytes more may be written; what must go for them goes."""
        evicted = self.index.reserve(size_bytes)
        self._evict(evicted or ())
        return evicted is not None

    def release(self, size_bytes: int) -> None:
        """They are not needed any more."""
        self.index.release(size_bytes)

    def discard(self, path: Path) -> None:
        """Delete what did not become an object."""
        try:
            path.unlink(missing_ok=True)
        except OSError:
            self._disk_error()

    def _evict(self, gone: Iterable[int]) -> None:
        """The index has forgotten these."""
        for name in gone:
            self._metrics.count("longhaul_cache_evictions_total")
            self._delete(name)
        evicted_bytes = self.index.policy.evicted_bytes
        self._metrics.count("longhaul_cache_evicted_bytes_total", evicted_bytes - self._evicted_bytes)
        self._evicted_bytes = evicted_bytes

    def _drop(self, name: int) -> None:
        self.index.remove(name)
        self._delete(name)

    def _delete(self, name: int) -> None:
        self._known.remove(name)
        try:
            self._shelf.delete(name)
        except OSError:
            self._disk_error()
        self.on_change(name)

    def _bad(self, entry: Entry) -> None:
        """Its file is not what was stored. A newer file of that name is left alone."""
        self._say_bad(self._shelf.path(entry.name), f"it is not what was stored of {entry.stored.uri}")
        current = self._known.entry(entry.name)
        if current is None or current is entry:
            self._drop(entry.name)

    def _bad_path(self, path: str) -> None:
        """A file in the folder that can be no object."""
        self._say_bad(path, "it can be no object")
        self.discard(Path(path))

    def _say_bad(self, path: str | Path, why: str) -> None:
        """Count what is damaged, and tell whoever looks after the disk."""
        self._metrics.count("longhaul_cache_bad_objects_total")
        self._told += 1
        if self._told <= MOST_TOLD:
            last = "; what else is bad is only counted" if self._told == MOST_TOLD else ""
            with contextlib.suppress(OSError):  # a reader of our stderr that went away costs no answer
                print(f"longhaul: dropped {path} from the cache: {why}{last}", file=sys.stderr, flush=True)

    def _disk_error(self) -> None:
        self._metrics.count("longhaul_cache_disk_errors_total")
