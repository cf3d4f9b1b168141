"""A file that an object is being written to while others read from it.

It is not an object yet: until `Store.commit` nothing refers to it, and a crash leaves only bytes that the next start
deletes.
"""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Protocol

GROWTH_BYTES = 1024 * 1024
"""An object of unknown length reserves its space in steps of this size."""


class Space(Protocol):
    """Where a spool gets its bytes of capacity from."""

    def reserve(self, size_bytes: int) -> bool:
        """Whether so many bytes more may be written."""
        ...

    def release(self, size_bytes: int) -> None:
        """They are not needed any more."""
        ...


class Spool:
    """`size_bytes` have been written and may be read at any offset. Either `keep` or `abandon` ends it."""

    def __init__(self, path: Path, name: str, generation: int, space: Space, reserved_bytes: int) -> None:
        self._path, self.name, self.generation = path, name, generation
        self._space, self._reserved_bytes = space, reserved_bytes
        self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
        self.size_bytes = 0
        self._users = 1
        self._linked = True

    def write(self, data: bytes) -> None:
        """Append. Raises OSError when the disk is full or the object outgrows the capacity; then nothing is added."""
        end = self.size_bytes + len(data)
        if end > self._reserved_bytes:
            least = end - self._reserved_bytes
            more = max(least, GROWTH_BYTES)
            if not self._space.reserve(more):
                more = least
                if not self._space.reserve(more):
                    raise OSError(errno.EFBIG, "the object is larger than the cache")
            self._reserved_bytes += more
        done = 0
        while done < len(data):
            done += os.pwrite(self._fd, memoryview(data)[done:], self.size_bytes + done)
        self.size_bytes = end

    def read(self, start: int, length: int) -> bytes:
        """What has been written there. Raises OSError."""
        return os.pread(self._fd, min(length, self.size_bytes - start), start)

    def sync(self) -> None:
        """Wait until the disk has it. Raises OSError."""
        os.fsync(self._fd)

    def use(self) -> None:
        """One more reader; the descriptor lives until each has called `unuse`."""
        self._users += 1

    def unuse(self) -> None:
        """See `use`."""
        self._users -= 1
        if self._users == 0:
            os.close(self._fd)

    def keep(self) -> None:
        """It has become an object: its space is counted there now."""
        self._linked = False
        self._end()

    def abandon(self) -> None:
        """It will not become an object: the file goes, readers keep what they have open. No effect after `keep`."""
        if self._linked:
            self._path.unlink(missing_ok=True)
            self._linked = False
            self._end()

    def _end(self) -> None:
        self._space.release(self._reserved_bytes)
        self._reserved_bytes = 0
        self.unuse()
