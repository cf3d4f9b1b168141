"""A store that can be crashed and opened again, and stored responses in few words."""

from __future__ import annotations

import fcntl
from pathlib import Path
from typing import Any

from nodes.edge.store import names
from nodes.edge.store.opened import DamagedError
from nodes.edge.store.store import Store
from nodes.edge.stored import Stored
from nodes.http.metrics import Metrics

ORIGIN = "http://origin.example"


def response(primary: str, **other: Any) -> Stored:
    """What a fetch would store; `vary` chooses a variant."""
    vary = other.get("vary", ())
    value: dict[str, Any] = {
        "key": names.variant_key(primary, vary), "primary": primary, "uri": ORIGIN + primary, "method": "GET",
        "status": 200, "reason": "OK", "fields": (("ETag", '"é"'), ("X", "1"), ("X", "2")), "vary": vary,
        "requested_s": 1.5, "received_s": 2.5, "size_bytes": None, "parts": (),
    }  # fmt: skip
    return Stored(**(value | other))


class Cache:
    """One folder, opened as often as wanted."""

    def __init__(self, folder: Path, capacity_bytes: int = 10_000_000, *, policy: str = "lru", admission: str = "always",
                 fsync: bool = False) -> None:  # fmt: skip
        self.folder, self._rest = folder, (capacity_bytes, policy, admission, fsync)
        self.open()

    def open(self) -> None:
        """As an edge does when it starts."""
        self.metrics = Metrics("test")
        self.store = Store(self.folder, *self._rest, self.metrics)

    def crash(self) -> None:
        """Nothing is finished; then another edge starts."""
        fcntl.flock(self.store._lock, fcntl.LOCK_UN)
        self.open()

    def put(self, primary: str, body: bytes, **other: Any) -> Stored | None:
        """Store a whole response."""
        spool = self.store.begin(primary, len(body))
        if spool is None:
            return None
        spool.write(body)
        return self.store.commit(spool, response(primary, **other))

    def put_part(self, primary: str, start: int, body: bytes, size_bytes: int | None) -> Stored | None:
        """Store a part of one."""
        spool = self.store.begin(primary, len(body))
        assert spool is not None
        spool.at(start)
        spool.write(body)
        return self.store.commit(spool, response(primary, status=206, size_bytes=size_bytes))

    def get(self, primary: str) -> bytes | None:
        """The newest variant's bytes, or None when there is none or it was found to be damaged."""
        found = self.store.find(primary)
        opened = self.store.open(found[-1]) if found else None
        if opened is None:
            return None
        try:
            return b"".join(opened.read(part.start, part.length) for part in opened.stored.parts)
        except DamagedError:
            return None
        finally:
            opened.close()

    def path(self, stored: Stored) -> Path:
        """Its file."""
        return Path(self.store._shelf.path(names.name_of(stored.key)))

    def files(self) -> list[Path]:
        """All there are, of objects and of what is being written."""
        return [path for folder in ("objects", "tmp") for path in (self.folder / folder).rglob("*") if path.is_file()]

    def counted(self, what: str) -> float:
        """A metric of the cache."""
        return self.metrics.value(f"longhaul_cache_{what}_total")
