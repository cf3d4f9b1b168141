"""Objects that can be purged: by URI, prefix, group, or all of them, wherever they are now.

It does not decide what is purged, and stores nothing. The list of purges is `purges.py`, its file `purging.py`.
"""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import threading
import weakref
from collections.abc import Iterable
from pathlib import Path

from nodes.edge.store.index import Index
from nodes.edge.store.objects import Objects
from nodes.edge.store.purges import keyed, origin_of, path_of
from nodes.edge.store.purging import PurgeFile
from nodes.edge.store.rebuild import Rebuild
from nodes.edge.store.shelf import Shelf
from nodes.edge.store.spool import Spool
from nodes.edge.store.sweep import Sweep
from nodes.http.metrics import Metrics

AT_ONCE = 5000
"""So many objects are deleted before `clear` returns."""


class Purgeable(Objects):
    """What is still being written is told to it, because a purge reaches that too."""

    def __init__(self, shelf: Shelf, index: Index, fsync: bool, metrics: Metrics) -> None:
        self._file = PurgeFile(shelf.folder, fsync)
        super().__init__(shelf, index, self._file.purges, metrics)
        self._rebuild = Rebuild(shelf.objects, index, self._evict, self._bad_path)
        self._sweep = Sweep(shelf, self.purges, self._read, self._swept)
        self._writing: weakref.WeakSet[Spool] = weakref.WeakSet()

    def purge_uri(self, uri: str, starts: Iterable[str] = ()) -> int:
        """Drop what was stored for this URI, all variants, and let nothing that is being fetched for it be stored.

        `starts` are what keys begin with, up to their path: what has such a key is dropped whatever host it was asked of.

        Gives how many objects went at once, like the other purges; what is not in memory goes when it is next looked at.
        """
        return self._purge("uri", uri, path_of(uri), starts)

    def purge_prefix(self, prefix: str, starts: Iterable[str] = ()) -> int:
        """Likewise for every URI that begins so."""
        return self._purge("prefix", prefix, path_of(prefix), starts)

    def purge_group(self, origin: str, group: str, starts: Iterable[str] = ()) -> int:
        """Likewise for the members of a group (RFC 9875) of an origin, such as `https://example.org`."""
        return self._purge("group", f"{origin_of(origin)} {group}", group, starts)

    def clear(self) -> int:
        """Likewise for everything; gives how many objects there were, as far as the index knows."""
        self._order("everything", "")
        count, size_bytes = len(self.index), self.index.used_bytes
        self._rebuild.stop()
        self.index.clear()
        self._known.clear()
        try:
            self._empty(self._shelf.set_aside(), count, size_bytes)
        except OSError:
            self._disk_error()
        self.on_change(None)
        self._metrics.count("longhaul_cache_purged_total", count)
        return count

    def _empty(self, aside: Path, count: int, size_bytes: int) -> None:
        """Delete what lies there; much of it in a thread, and its room is free when that is done."""
        if count < AT_ONCE and self.index.ready:
            shutil.rmtree(aside)
            return
        loop = asyncio.get_running_loop()
        self.index.reserve(size_bytes)

        def work() -> None:
            shutil.rmtree(aside, ignore_errors=True)  # what is left is deleted by the next start
            with contextlib.suppress(RuntimeError):  # the loop has ended, and the index with it
                loop.call_soon_threadsafe(self.index.release, size_bytes)

        threading.Thread(target=work, daemon=True).start()

    def _purge(self, kind: str, value: str, what: str, starts: Iterable[str]) -> int:
        before = self.purges.everything
        self._order(kind, value)
        for start in sorted(starts):
            self._order(f"keyed-{kind}", keyed(start, what))
        coarser = self.purges.everything > before
        if coarser:
            self.on_change(None)
            self._metrics.count("longhaul_cache_purges_coarser_total")
        # Every unsafe request orders one of a URI, so that may not look at all there is.
        near = self._known.entries_at(what) if kind == "uri" and not coarser else self._known.entries()
        reached = [entry.name for entry in near if self.purges.reach(entry.stored, entry.purges)]
        for name in reached:
            self._drop(name)
        self._metrics.count("longhaul_cache_purged_total", len(reached))
        return len(reached)

    def _order(self, kind: str, value: str) -> None:
        try:
            self._file.order(kind, value)
            self._sweep.due()
        except OSError:
            self._disk_error()
            self._sweep.due(now=True)  # what is deleted need not be remembered

    def _swept(self, count: int) -> None:
        """No object is older than so many orders, except those that are still being written."""
        self.purges.forget(min([count, *(spool.purges for spool in self._writing if spool.live)]))
        try:
            self._file.rewrite()
        except OSError:
            self._disk_error()
