"""The list of purges on the disk. What the list means is in `purges.py`; dropping objects is the store's."""

from __future__ import annotations

import os
import time
from pathlib import Path

from nodes.edge.caching.invalidation import member_of
from nodes.edge.store.purges import Purges, PurgesError


class PurgeFile:
    """`purges` is the list; each order is on the disk before it counts."""

    def __init__(self, folder: Path, fsync: bool) -> None:
        self._path, self._fsync = folder / "purges", fsync
        self.purges = Purges(member_of)

    def load(self) -> bool:
        """Read the list; whether it could be told what was purged. Raises OSError."""
        try:
            self.purges.read(self._path.read_bytes())
        except FileNotFoundError:
            return True
        except PurgesError:
            self.purges.reset()
            self.rewrite()
            return False
        self.rewrite()  # an unfinished last line would spoil the next
        return True

    def order(self, kind: str, value: str) -> None:
        """One more purge. Raises OSError; then it holds until the next start only."""
        before = self.purges.everything
        line = self.purges.order(kind, value, time.time())
        if self.purges.everything > before:
            self.rewrite()  # none of the lines before it is needed
            return
        fd = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            os.write(fd, line)
            if self._fsync:
                os.fsync(fd)
        finally:
            os.close(fd)

    def rewrite(self) -> None:
        """The list as it is now, in one rename. Raises OSError."""
        temporary = self._path.with_suffix(".tmp")
        with open(temporary, "wb") as file:
            file.write(self.purges.lines(time.time()))
            file.flush()
            os.fsync(file.fileno())
        os.rename(temporary, self._path)

