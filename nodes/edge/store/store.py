"""The cache on disk: one file for each stored response, found by its key, checked before it is used.

It decides neither what may be stored nor for how long. A file is written under a temporary name and renamed when it is
whole, so that after `kill -9` at any moment an object is whole or absent, with either policy of fsync, because the kernel
keeps what was written. After a power cut only `fsync` promises the object; without it, what the disk lost is found by
lengths and checksums and dropped. All calls come from one thread, that of the event loop.
"""

from __future__ import annotations

import fcntl
import itertools
import os
import shutil
from dataclasses import replace
from functools import partial
from pathlib import Path

from nodes.edge.policies.machinery import catalogue
from nodes.edge.store import names, record
from nodes.edge.store.combine import joined, plan_of
from nodes.edge.store.entry import Entry, Stamp, stamp_of
from nodes.edge.store.index import Index
from nodes.edge.store.purgeable import Purgeable
from nodes.edge.store.shelf import Shelf
from nodes.edge.store.spool import Spool
from nodes.edge.stored import Stored
from nodes.http.failure import Failure
from nodes.http.metrics import Metrics

MAX_VARIANTS = 64
"""Of one primary key; for one more the oldest goes, so that no client's header can make a lookup slow."""

METADATA_BYTES = 1024
"""Room set aside for metadata before it is known."""


class Store(Purgeable):
    """At most `capacity_bytes` of files: bodies, metadata, and what is being written."""

    def __init__(self, folder: Path, capacity_bytes: int, policy: str, admission: str, fsync: bool,
                 metrics: Metrics) -> None:  # fmt: skip
        """Raises Failure when the folder cannot be used, ValueError for a policy or rule that does not exist."""
        if catalogue.policy(policy).offline:
            raise ValueError(f"'{policy}' must know the future; choose one of "
                             f"{', '.join(catalogue.policy_names(offline=False))}")  # fmt: skip
        super().__init__(Shelf(folder), Index(partial(catalogue.policy(policy), capacity_bytes)), fsync, metrics)
        self._admission = catalogue.admission_rule(admission)(capacity_bytes)
        self._fsync, self._serial = fsync, itertools.count()
        try:
            foreign = self._shelf.foreign()
            if foreign is not None:
                raise Failure(f"use the cache {folder}", f"{foreign} is there, and no edge has made it",
                              "choose a new or empty folder with --cache")  # fmt: skip
            self._shelf.make()
            self._lock = open(self._shelf.lock, "w", encoding="ascii")  # noqa: SIM115 (held while the edge lives)
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self._shelf.empty_temporary()
            if not self._file.load():
                self._say_bad(self._shelf.objects, "what was purged cannot be read any more, so no object can be trusted")
                shutil.rmtree(self._shelf.set_aside())
            self._rebuild.start()
            if len(self.purges):
                self._sweep.due()
        except BlockingIOError as error:
            raise Failure(f"use the cache {folder}", "another edge uses it", "choose another --cache") from error
        except OSError as error:
            cause = (error.strerror or str(error)).lower()
            raise Failure(f"use the cache {folder}", cause, "choose another --cache") from error

    def close(self) -> None:
        """Let another edge use the folder. What is open stays readable."""
        self._rebuild.stop()
        self._sweep.stop()
        self._lock.close()

    async def ready(self) -> None:
        """Until the index knows everything that is on the disk."""
        await self._rebuild.done.wait()

    def publish(self) -> None:
        """Set the gauges; to be called before the metrics are read."""
        index, gauge = self.index, self._metrics.gauge
        gauge("longhaul_cache_capacity_bytes", index.policy.capacity_bytes)
        gauge("longhaul_cache_used_bytes", index.used_bytes)
        gauge("longhaul_cache_reserved_bytes", index.reserved_bytes)
        gauge("longhaul_cache_objects", len(index))
        gauge("longhaul_cache_ready", index.ready)
        gauge("longhaul_cache_purges_pending", len(self.purges))

    # -- storing -------------------------------------------------------------------------------------------------
    def begin(self, primary: str, size_bytes: int | None, *, planned: bool = False) -> Spool | None:
        """A file to write a response to, its room reserved; None when it is to pass through.

        `size_bytes` is the length of its content where that is known. What is `planned` needs no admission.
        """
        decided = planned or size_bytes is not None or not self._admission.by_size
        if decided and not planned and not self._admitted(primary, size_bytes or 0):
            return None
        room = (size_bytes or 0) + METADATA_BYTES
        if not self.reserve(room):
            self._metrics.count("longhaul_cache_too_large_total")
            return None
        path = self._shelf.temporary / f"{os.getpid()}-{next(self._serial)}"
        try:
            spool = Spool(path, self.purges.count, self, room, admitted=decided)
        except OSError:
            self.release(room)
            self._disk_error()
            return None
        self._writing.add(spool)
        return spool

    def commit(self, spool: Spool, stored: Stored) -> Stored | None:
        """The spool is whole: from now on it is the object. None when it was not stored after all.

        The parts are filled in, and the length of a whole response where `stored` does not say it; a partial response has
        told the spool `at` which byte it begins. Raises ValueError for a key not made by `names.variant_key`.
        """
        if names.primary_of(stored.key) != stored.primary:
            raise ValueError(f"the key {stored.key!r} is not one of {stored.primary!r}")
        made = replace(stored, parts=spool.digests.parts())
        if made.size_bytes is None and not spool.digests.moved:
            made = replace(made, size_bytes=spool.size_bytes)
        if not self._may_become(spool, made):
            spool.abandon()
            return None
        name, placed = names.name_of(made.key), False
        try:
            spool.finish(record.encode(made, spool.purges))
            if self._fsync:
                spool.sync()
            self._shelf.place(spool.path, name)
            placed = True
            if self._fsync:
                self._shelf.sync(name)
            entry = Entry(name, made, spool.purges, stamp_of(spool.stat()))
        except OSError:
            self._disk_error()
            spool.abandon()
            if placed:
                self._drop(name)  # what is not known to last is not kept, nor left where no index counts it
            return None
        spool.keep()
        self._known.put(entry)
        self.on_change(name)
        self._metrics.count("longhaul_cache_stored_total")
        self._metrics.count("longhaul_cache_written_bytes_total", entry.file_bytes)
        evicted = self.index.insert(name, entry.file_bytes)
        self._evict([name] if evicted is None else evicted)
        variants = self._known.find(made.primary) or ()
        for oldest in variants[:-MAX_VARIANTS]:
            self.remove(oldest.key)
        return None if evicted is None or name in evicted else made

    def _admitted(self, primary: str, size_bytes: int) -> bool:
        if self._known.find(primary) or self._admission.admit(names.name_of(primary), size_bytes):
            return True
        self._metrics.count("longhaul_cache_not_admitted_total")
        return False

    def _may_become(self, spool: Spool, made: Stored) -> bool:
        """Whether length, purges and admission let what was written become an object."""
        if not spool.live or self.purges.reach(made, spool.purges):
            return False
        if spool.digests.moved:
            end = made.parts[-1].start + made.parts[-1].length if made.parts else 0
            if end == 0 or (made.size_bytes is not None and end > made.size_bytes):
                return False
        elif made.size_bytes != spool.size_bytes:
            return False
        return spool.admitted or self._admitted(made.primary, spool.size_bytes)

    def update(self, old: Stored, new: Stored) -> Stored:
        """New metadata for the same bytes (a 304, a HEAD). Gives what is stored now.

        It is written over the old in one call: a copy of the body for each 304 would wear the disk. A write that is cut in
        the middle leaves an object that its checksum refuses: absent.
        """
        self.find(old.primary)
        name = names.name_of(old.key)
        entry = self._known.entry(name)
        new = replace(new, parts=old.parts, size_bytes=old.size_bytes)
        if entry is None or entry.stored != old or new.key != old.key:
            return new  # it was removed or replaced meanwhile: there is nothing to renew
        before = entry.file_bytes - entry.body_bytes
        tail = record.encode(new, self.purges.count, before)
        try:
            entry.stamp = self._overwrite(entry, tail)
        except (OSError, record.RecordError):
            self._disk_error()
            self._drop(name)
            return new
        entry.stored, entry.purges = new, self.purges.count
        self._known.put(entry)
        self.on_change(name)
        self._metrics.count("longhaul_cache_written_bytes_total", len(tail))
        if len(tail) != before:
            self._evict(self.index.insert(name, entry.file_bytes) or ())
        return new

    def _overwrite(self, entry: Entry, tail: bytes) -> Stamp:
        """The file's stamp after. Raises OSError; RecordError for a file that is not the entry's."""
        fd = os.open(self._shelf.path(entry.name), os.O_RDWR | os.O_CLOEXEC)
        try:
            if stamp_of(os.fstat(fd)) != entry.stamp:
                raise record.RecordError("the file is not what it was")
            if os.pwrite(fd, tail, entry.body_bytes) != len(tail):
                raise OSError("the disk took a part of the metadata")
            if self._fsync:
                os.fsync(fd)
            return stamp_of(os.fstat(fd))
        finally:
            os.close(fd)

    async def combine(self, stored: Stored, spool: Spool, more: Stored) -> Stored | None:
        """Join a partial response to a stored one; where both have a byte, the new one counts.

        `more` is the response as it shall be stored; the spool knows `at` which byte it begins, and ends here. Gives what
        is stored then, or None: then the old object stays as it was, unless it turned out to be damaged.
        """
        opened = self.open(stored)
        plan = plan_of(stored.parts, spool.digests.parts())
        target = self.begin(more.primary, sum(piece.length for piece in plan)) if opened and plan else None
        try:
            if opened is None or target is None or not await joined(plan, opened, spool, target):
                return None
            if not opened.alive:
                return None  # it was removed or replaced while its bytes were copied
            target.purges = min(spool.purges, target.purges)
            size = stored.size_bytes if more.size_bytes is None else more.size_bytes
            return self.commit(target, replace(more, size_bytes=size))
        except OSError:
            self._disk_error()
            return None
        finally:
            spool.abandon()
            if target is not None:
                target.abandon()
            if opened is not None:
                opened.close()
