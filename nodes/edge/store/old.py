"""The cache on disk: one file of bytes and one small record for each object.

It decides neither what is stored nor for how long. Order of writing: the bytes under a name nobody refers to, then the
record under a temporary name, then one rename, which is the moment the object exists. After `kill -9` at any moment an
object is whole or absent, with either policy of fsync, because the kernel keeps what was written. After a power cut
only `--fsync always` promises that; without it the start-up check finds what is shorter than its record says.
"""

from __future__ import annotations

import fcntl
import hashlib
import itertools
import os
import secrets
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

from nodes.edge.lru import Lru
from nodes.edge.record import Record, RecordError, decode, encode, secondary_key
from nodes.edge.spool import Spool
from nodes.http.failure import Failure
from nodes.http.message import Fields
from nodes.http.metrics import Metrics


class Store:
    """Objects by key, at most `capacity_bytes` of them on disk, the least recently used evicted."""

    def __init__(self, folder: Path, capacity_bytes: int, fsync: bool, metrics: Metrics) -> None:
        self.lru = Lru(capacity_bytes)
        self._objects, self._fsync, self._metrics = folder / "objects", fsync, metrics
        self._records: dict[str, Record] = {}
        self._vary: dict[str, tuple[str, ...]] = {}
        self._serial = itertools.count()
        self._unique = secrets.token_hex(4)
        self._generation = 0
        try:
            self._objects.mkdir(parents=True, exist_ok=True)
            self._lock = open(folder / "lock", "w", encoding="ascii")  # noqa: SIM115 (held while the edge lives)
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self._scan()
        except BlockingIOError as error:
            raise Failure(f"use the cache {folder}", "another edge uses it", "choose another --cache") from error
        except OSError as error:
            cause = (error.strerror or str(error)).lower()
            raise Failure(f"use the cache {folder}", cause, "choose another --cache") from error

    # -- finding -------------------------------------------------------------------------------------------------
    def key(self, primary: str, request: Fields) -> str:
        """The key of the variant that a request selects, as far as responses so far have said."""
        return secondary_key(primary, self._vary.get(primary, ()), request)

    def varies(self, primary: str) -> bool:
        """Whether variants of this primary key have been seen."""
        return bool(self._vary.get(primary))

    def find(self, key: str) -> Record | None:
        """What is kept about a key, fresh or not; it counts as a use."""
        record = self._records.get(key)
        if record is not None:
            self.lru.touch(key)
        return record

    def open(self, record: Record) -> BinaryIO | None:
        """The bytes, or None when they are not what the record says: then the object is dropped and counted."""
        try:
            file = open(self._objects / record.body, "rb")  # noqa: SIM115 (the caller closes it)
        except OSError:
            self._drop_bad(record)
            return None
        if os.fstat(file.fileno()).st_size != record.size_bytes:
            file.close()
            self._drop_bad(record)
            return None
        return file

    # -- storing -------------------------------------------------------------------------------------------------
    def begin(self, key: str, size_bytes: int | None) -> Spool | None:
        """A file to write an object to, its space reserved; None when it cannot fit or the disk refuses."""
        space = size_bytes or 0
        if not self.reserve(space):
            self._metrics.count("longhaul_cache_too_large_total")
            return None
        name = f"{hashlib.blake2b(key.encode(), digest_size=16).hexdigest()}-{self._unique}-{next(self._serial)}.body"
        name = f"{name[:2]}/{name}"
        try:
            (self._objects / name).parent.mkdir(exist_ok=True)
            return Spool(self._objects / name, name, self._generation, self, space)
        except OSError:
            self.release(space)
            self._metrics.count("longhaul_cache_disk_errors_total")
            return None

    def commit(self, spool: Spool, record: Record) -> bool:
        """The spool is whole: from now on it is the object. False when it was not stored after all."""
        try:
            if spool.generation != self._generation or spool.size_bytes != record.size_bytes:
                spool.abandon()
                return False
            if self._fsync:
                spool.sync()
                sync_folder((self._objects / spool.name).parent)
            old = self._records.get(record.key)
            self._write(record)
        except OSError:
            self._metrics.count("longhaul_cache_disk_errors_total")
            spool.abandon()
            return False
        spool.keep()
        if old is not None and old.body != record.body:
            self._unlink(old.body)
        self._records[record.key] = record
        self._vary[record.primary] = record.vary
        evicted = self.lru.put(record.key, record.size_bytes)
        if evicted is None:
            self._records.pop(record.key)
            self._remove_files(record)
            return False
        self._evict(evicted)
        self._metrics.count("longhaul_cache_stored_total")
        return True

    def refresh(self, record: Record, fields: Fields, received_s: float, age_s: float, lifetime_s: float) -> Record:
        """A 304 said that the bytes are still right: the record is replaced in one rename."""
        updated = replace(record, fields=tuple(fields.items), received_s=received_s, initial_age_s=age_s,
                          lifetime_s=lifetime_s)  # fmt: skip
        if self._records.get(record.key) is record:
            self._records[record.key] = updated
            try:
                self._write(updated)
            except OSError:
                self._metrics.count("longhaul_cache_disk_errors_total")  # the old record stays: stale, but true
        return updated

    def remove(self, key: str) -> bool:
        """Drop one object; whether it was there."""
        record = self._records.pop(key, None)
        if record is None:
            return False
        self.lru.remove(key)
        self._remove_files(record)
        return True

    def clear(self) -> int:
        """Drop every object, and let nothing that is being fetched now become one. Gives how many there were."""
        self._generation += 1
        keys = list(self._records)
        for key in keys:
            self.remove(key)
        self._vary.clear()
        return len(keys)

    def __len__(self) -> int:
        return len(self._records)

    # -- files ---------------------------------------------------------------------------------------------------
    def reserve(self, size_bytes: int) -> bool:
        """Make room for a spool, by eviction; False when there cannot be so much."""
        evicted = self.lru.reserve(size_bytes)
        self._evict(evicted or ())
        return evicted is not None

    def release(self, size_bytes: int) -> None:
        """See `reserve`."""
        self.lru.release(size_bytes)

    def _evict(self, keys: Iterable[str]) -> None:
        for key in keys:
            self._remove_files(self._records.pop(key))
            self._metrics.count("longhaul_cache_evictions_total")

    def _record_path(self, key: str) -> Path:
        name = hashlib.blake2b(key.encode(), digest_size=16).hexdigest()
        return self._objects / name[:2] / f"{name}.record"

    def _write(self, record: Record) -> None:
        path = self._record_path(record.key)
        temporary = path.with_suffix(f".{self._unique}-{next(self._serial)}.tmp")
        try:
            path.parent.mkdir(exist_ok=True)
            with open(temporary, "wb") as file:
                file.write(encode(record))
                file.flush()
                if self._fsync:
                    os.fsync(file.fileno())
            os.rename(temporary, path)
        except OSError:
            temporary.unlink(missing_ok=True)
            raise
        if self._fsync:
            sync_folder(path.parent)

    def _remove_files(self, record: Record) -> None:
        self._record_path(record.key).unlink(missing_ok=True)  # first: a record must never outlive its bytes
        self._unlink(record.body)

    def _unlink(self, name: str) -> None:
        (self._objects / name).unlink(missing_ok=True)

    def _drop_bad(self, record: Record) -> None:
        self._metrics.count("longhaul_cache_bad_objects_total")
        if self._records.get(record.key) is record:
            self.remove(record.key)

    def _scan(self) -> None:
        """Take up what is whole and delete the rest, oldest first so that it is evicted first."""
        records, sizes = list_files(self._objects)
        found: list[Record] = []
        for path in records:
            try:
                record = decode(path.read_bytes())
            except RecordError:
                record = None
            if record is None or sizes.get(record.body) != record.size_bytes or self._record_path(record.key) != path:
                self._metrics.count("longhaul_cache_bad_objects_total")
                path.unlink()
            else:
                found.append(record)
        for name in sizes.keys() - {record.body for record in found}:
            self._unlink(name)
        for record in sorted(found, key=lambda one: one.received_s):
            self._records[record.key] = record
            self._vary[record.primary] = record.vary
            evicted = self.lru.put(record.key, record.size_bytes)
            if evicted is None:
                self.remove(record.key)
            self._evict(evicted or ())


def sync_folder(folder: Path) -> None:
    """Wait until the disk knows the names in it. Raises OSError."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def list_files(objects: Path) -> tuple[list[Path], dict[str, int]]:
    """The records, and the bytes in each body by its name; unfinished records are deleted. Raises OSError."""
    records, sizes = list[Path](), dict[str, int]()
    for folder in [entry for entry in os.scandir(objects) if entry.is_dir(follow_symlinks=False)]:
        for entry in os.scandir(folder):
            if entry.name.endswith(".record"):
                records.append(Path(entry.path))
            elif entry.name.endswith(".body"):
                sizes[f"{folder.name}/{entry.name}"] = entry.stat(follow_symlinks=False).st_size
            elif entry.name.endswith(".tmp"):
                os.unlink(entry.path)
    return records, sizes
