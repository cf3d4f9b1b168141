"""A file that a response is being written to while others read from it.

It is not an object yet: until `Store.commit` it has a name nobody looks for, and a crash leaves only bytes that the next
start deletes.
"""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Protocol

from nodes.edge.store.digests import Digests

FIRST_BYTES = 64 * 1024
MOST_BYTES = 1024 * 1024
"""A response of unknown length reserves its room in steps that double from the first to the second."""


class Room(Protocol):
    """Where a spool gets its bytes of capacity from."""

    def reserve(self, size_bytes: int) -> bool:
        """Whether so many bytes more may be written."""
        ...

    def release(self, size_bytes: int) -> None:
        """They are not needed any more."""
        ...

    def discard(self, path: Path) -> None:
        """Delete a file; a disk that refuses is counted, not raised."""
        ...


class Spool:
    """`size_bytes` have been written and may be read at any offset. Either `keep` or `abandon` ends it."""

    def __init__(self, path: Path, purges: int, room: Room, reserved_bytes: int, *, admitted: bool = True) -> None:
        """Raises OSError. Once it is made, the reserved bytes are given back by it."""
        self.path, self.purges, self.admitted = path, purges, admitted
        self.digests = Digests()
        self.size_bytes = 0
        self.reserved_bytes = reserved_bytes
        self._room = room
        self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
        self._users = 1
        self._linked = True

    @property
    def live(self) -> bool:
        """Whether it was neither kept nor abandoned."""
        return self._linked

    def at(self, start: int) -> None:
        """What is written next is this byte of the representation; said before the first write of a partial response."""
        self.digests.at(start)

    def write(self, data: bytes | memoryview) -> None:
        """Append. Raises OSError when the disk is full or the object outgrows the capacity; then nothing is added."""
        if not self._linked:
            raise OSError(errno.ECANCELED, "the spool was given up")
        end = self.size_bytes + len(data)
        if end > self.reserved_bytes:
            self._grow(end - self.reserved_bytes)
        self._put(data)
        self.digests.update(data)
        self.size_bytes = end

    def finish(self, tail: bytes) -> None:
        """Write what stands behind the body; it is not part of what readers see. Raises OSError."""
        end = self.size_bytes + len(tail)
        if end > self.reserved_bytes and not self._reserve(end - self.reserved_bytes):
            raise OSError(errno.EFBIG, "the object is larger than the cache")
        self._put(tail)

    def read(self, start: int, length: int) -> bytes:
        """What has been written there. Raises OSError."""
        return os.pread(self._fd, min(length, self.size_bytes - start), start)

    def sync(self) -> None:
        """Wait until the disk has it. Raises OSError."""
        os.fsync(self._fd)

    def stat(self) -> os.stat_result:
        """Of the file. Raises OSError."""
        return os.fstat(self._fd)

    def use(self) -> None:
        """One more reader; the descriptor lives until each has called `unuse`."""
        self._users += 1

    def unuse(self) -> None:
        """See `use`."""
        self._users -= 1
        if self._users == 0:
            os.close(self._fd)

    def keep(self) -> None:
        """It has become an object: its room is counted there now."""
        if self._linked:
            self._linked = False
            self._end()

    def abandon(self) -> None:
        """It will not become an object: the file goes, readers keep what they have open. No effect after `keep`."""
        if self._linked:
            self._linked = False
            self._room.discard(self.path)
            self._end()

    def _put(self, data: bytes | memoryview) -> None:
        done = 0
        while done < len(data):
            done += os.pwrite(self._fd, memoryview(data)[done:], self.size_bytes + done)

    def _grow(self, least_bytes: int) -> None:
        step = min(MOST_BYTES, max(FIRST_BYTES, self.reserved_bytes))
        if not self._reserve(max(step, least_bytes)) and not self._reserve(least_bytes):
            raise OSError(errno.EFBIG, "the object is larger than the cache")

    def _reserve(self, size_bytes: int) -> bool:
        if not self._room.reserve(size_bytes):
            return False
        self.reserved_bytes += size_bytes
        return True

    def _end(self) -> None:
        self._room.release(self.reserved_bytes)
        self.reserved_bytes = 0
        self.unuse()
