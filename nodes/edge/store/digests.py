"""Digests of the bytes of an object, in parts of at most 1 MiB, each computed while the bytes pass.

It reads and writes nothing. The digest is SHA-256 cut to 128 bits: the processor's own instructions make it the fastest
of the standard library's that no accident deceives, whether a bit, a block or a whole file was exchanged.
"""

from __future__ import annotations

import hashlib

from nodes.edge.stored import Part

PART_BYTES = 1024 * 1024
DIGEST_BYTES = 16


def digest(data: bytes | memoryview) -> bytes:
    """Of one part."""
    return hashlib.sha256(data).digest()[:DIGEST_BYTES]


class Digests:
    """The parts of bytes that come one after another; the first is byte 0 of the representation until `at` says more."""

    def __init__(self) -> None:
        self.moved = False
        """Whether `at` was called: the bytes are a part of the representation."""
        self._done: list[Part] = []
        self._running = hashlib.sha256()
        self._start = self._length = 0

    def at(self, start: int) -> None:
        """What comes next is this byte of the representation."""
        self.moved = True
        if start != self._start + self._length:
            self._cut()
            self._start = start

    def update(self, data: bytes | memoryview) -> None:
        """The next bytes."""
        view = memoryview(data)
        while view:
            piece = view[: PART_BYTES - self._length]
            self._running.update(piece)
            self._length += len(piece)
            view = view[len(piece) :]
            if self._length == PART_BYTES:
                self._cut()

    def parts(self) -> tuple[Part, ...]:
        """All so far; the last of them ends here."""
        self._cut()
        return tuple(self._done)

    def _cut(self) -> None:
        if self._length:
            self._done.append(Part(self._start, self._length, self._running.digest()[:DIGEST_BYTES]))
        self._start, self._length = self._start + self._length, 0
        self._running = hashlib.sha256()
