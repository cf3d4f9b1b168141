"""An object whose file is open, so that its bytes can be sent; no byte that differs from what was stored is given.

It does not send. Bytes are compared with the digests of their parts before they are first given; after that it is enough
that the file has not changed.
"""

from __future__ import annotations

import asyncio
import bisect
import itertools
import os
import time
from collections.abc import Callable

from nodes.edge.store.digests import digest
from nodes.edge.store.entry import Entry, settled, stamp_of
from nodes.edge.stored import Part

AT_ONCE_BYTES = 256 * 1024
"""So much is compared without a thread: about 0.2 ms."""


class DamagedError(Exception):
    """The bytes on the disk are not those that were stored. The object has been dropped and counted."""


class Opened:
    """`fd` may be read at `offset(start)` for what `check` or `checked` has said is right. `close` ends it.

    `alive` becomes false when the object is removed, replaced or given new metadata; the bytes may still be sent.
    """

    __slots__ = ("_damaged", "_entry", "_left", "_offsets", "_starts", "_used", "alive", "fd", "name", "stored")

    def __init__(self, fd: int, entry: Entry, used: Callable[[int], None], damaged: Callable[[Entry], None],
                 left: Callable[[Opened], None]) -> None:  # fmt: skip
        self.fd, self._entry, self.name, self.stored = fd, entry, entry.name, entry.stored
        self._used, self._damaged, self._left = used, damaged, left
        self._starts = [part.start for part in entry.stored.parts]
        self._offsets = [0, *itertools.accumulate(part.length for part in entry.stored.parts)]
        self.alive = True

    def touch(self) -> None:
        """A use, for the eviction policy."""
        self._used(self.name)

    def offset(self, start: int) -> int:
        """Where a byte of the representation stands in the file. Raises ValueError when it is not kept."""
        number = bisect.bisect_right(self._starts, start) - 1
        if number < 0 or not _holds(self.stored.parts[number], start):
            raise ValueError(f"byte {start} is not kept")
        return self._offsets[number] + start - self._starts[number]

    def unchanged(self) -> bool:
        """Whether the file is as it was when its bytes were last compared; one system call."""
        return stamp_of(os.fstat(self.fd)) == self._entry.stamp

    def known_right(self, start: int, length: int) -> bool:
        """Whether these bytes are right without reading them now: they were compared, and the file has not changed."""
        return not self._todo(start, length)[0]

    def check(self, start: int, length: int) -> bool:
        """Whether these bytes are right. False: they are not, and the object is gone. Raises ValueError."""
        todo, stamp = self._todo(start, length)
        return self._conclude(stamp, todo, [number for number in todo if self._is_right(number)])

    async def checked(self, start: int, length: int) -> bool:
        """As `check`; much is compared in a thread."""
        todo, stamp = self._todo(start, length)
        if sum(self.stored.parts[number].length for number in todo) <= AT_ONCE_BYTES:
            return self._conclude(stamp, todo, [number for number in todo if self._is_right(number)])
        right = await asyncio.to_thread(lambda: [number for number in todo if self._is_right(number)])
        return self._conclude(stamp, todo, right)

    def read(self, start: int, length: int) -> bytes:
        """Bytes of the representation that are right. Raises DamagedError; ValueError for what is not kept."""
        if length == 0:
            return b""
        if not self.check(start, length):
            raise DamagedError(self.stored.uri)
        return self.pread(start, length)

    def pread(self, start: int, length: int) -> bytes:
        """Bytes that `check` or `checked` has said are right. Raises OSError; ValueError for what is not kept."""
        return os.pread(self.fd, length, self.offset(start))

    def close(self) -> None:
        """Close the file. Calling it again has no effect."""
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1
            self._left(self)

    def _todo(self, start: int, length: int) -> tuple[list[int], tuple[int, int, int, int]]:
        """The numbers of the parts that hold a range and are not known to be right, and the file's stamp now."""
        entry, parts = self._entry, self.stored.parts
        stamp = stamp_of(os.fstat(self.fd))
        if stamp != entry.stamp:
            entry.stamp = stamp
            entry.right.clear()
        numbers, end = [], start + length
        number = bisect.bisect_right(self._starts, start) - 1
        while start < end:
            if number < 0 or number >= len(parts) or not _holds(parts[number], start):
                raise ValueError(f"byte {start} is not kept")
            numbers.append(number)
            start = parts[number].start + parts[number].length
            number += 1
        return [number for number in numbers if number not in entry.right], stamp

    def _is_right(self, number: int) -> bool:
        part = self.stored.parts[number]
        try:
            data = os.pread(self.fd, part.length, self._offsets[number])
        except OSError:
            return False  # the disk cannot read its own block
        return len(data) == part.length and digest(data) == part.digest

    def _conclude(self, stamp: tuple[int, int, int, int], todo: list[int], right: list[int]) -> bool:
        if len(right) < len(todo):
            self._damaged(self._entry)
            return False
        if settled(stamp, time.time_ns()) and stamp == self._entry.stamp:
            self._entry.right.update(right)
        return True


def _holds(part: Part, start: int) -> bool:
    return part.start <= start < part.start + part.length

