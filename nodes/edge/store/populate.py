"""Fills an empty cache folder with many small objects, as fast as the disk takes them, for measurements.

It goes round the store: no eviction, no index, no fsync. What it writes is what a store would have written.
"""

from __future__ import annotations

import os
import time
from pathlib import Path

from nodes.edge.store import names, record
from nodes.edge.store.digests import Digests
from nodes.edge.store.shelf import Shelf
from nodes.edge.stored import Stored


def populate(folder: Path, count: int, body: bytes, origin: str = "http://127.0.0.1:9000") -> int:
    """Objects `/0` to `/count-1` of the origin, fresh for a day; gives the bytes of all files. Raises OSError."""
    shelf, now_s, size_bytes = Shelf(folder), time.time(), 0
    shelf.make()
    digests = Digests()
    digests.update(body)
    parts, made = digests.parts(), set[str]()
    # in the order of the names one folder after another is filled: the disk takes that several times faster
    for name, number in sorted((names.name_of(primary_key(origin, number)), number) for number in range(count)):
        primary = primary_key(origin, number)
        stored = Stored(
            key=primary, primary=primary, uri=f"{origin}/{number}", method="GET", status=200, reason="OK",
            fields=(("Content-Type", "application/octet-stream"), ("Cache-Control", "max-age=86400"),
                    ("ETag", f'"{number}"')),
            vary=(), requested_s=now_s, received_s=now_s, size_bytes=len(body), parts=parts)  # fmt: skip
        data, path = body + record.encode(stored, 0), shelf.path(name)
        parent = path[: -names.NAME_LENGTH - 1]
        if parent not in made:
            os.makedirs(parent, exist_ok=True)
            made.add(parent)
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            os.write(fd, data)
        finally:
            os.close(fd)
        size_bytes += len(data)
    return size_bytes


def primary_key(origin: str, number: int) -> str:
    """The primary key of one of them."""
    return f"{origin}/{number}"
