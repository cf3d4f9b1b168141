"""Content on its way from an origin to any number of readers, through a file while there is one.

It does not talk to the origin or to clients: a fetch feeds it, readers take from it. Without a file (an object that is
not stored, or a disk that became full on the way) the content passes through a window of memory, and the feeder waits
for the slowest reader; but not long while others have all that there is.
"""

from __future__ import annotations

import asyncio
from collections import deque

from nodes.edge.store.spool import Spool
from nodes.http.upstream_error import UpstreamError

WINDOW_BYTES = 512 * 1024
READ_BYTES = 256 * 1024

PATIENCE_S = 2.0
"""How long in all readers who have everything wait for one who is a window behind, before that one is cut off."""


class Transfer:
    """`available_bytes` may be read; more comes until `complete` or `error`."""

    def __init__(self) -> None:
        self._spool: Spool | None = None
        self._in_file = 0
        self._memory: deque[tuple[int, bytes]] = deque()
        self._readers: set[Reader] = set()
        self._changed: asyncio.Future[None] | None = None
        self._taken: asyncio.Future[None] | None = None
        self.available_bytes = 0
        self.complete = False
        self.error: UpstreamError | ConnectionError | None = None
        self._released = False
        self._patience_s = PATIENCE_S

    @property
    def readers(self) -> int:
        """How many there are."""
        return len(self._readers)

    def use_file(self, spool: Spool) -> None:
        """From now on the content is in this file, which stays open until the last reader has left."""
        self._spool = spool
        spool.use()

    async def feed(self, data: bytes, *, stored: bool) -> None:
        """More content, which the file holds when `stored`. Returns when there is room for more."""
        if stored:
            self._in_file += len(data)
        elif self._readers:
            self._memory.append((self.available_bytes, data))
        self.available_bytes += len(data)
        self._notify()
        while self._memory and self.available_bytes - self._slowest() > WINDOW_BYTES:
            await self._room()

    async def _room(self) -> None:
        """Until a reader has moved on; one who holds up others for too long is cut off."""
        loop = asyncio.get_running_loop()
        self._taken = loop.create_future()
        if all(reader.offset < self.available_bytes for reader in self._readers):
            await self._taken  # nobody is held up by another
            return
        began_s = loop.time()
        await asyncio.wait((self._taken,), timeout=self._patience_s)
        self._patience_s -= loop.time() - began_s
        if self._patience_s <= 0 or not self._taken.done():
            self._patience_s = PATIENCE_S
            for reader in [one for one in self._readers if self.available_bytes - one.offset > WINDOW_BYTES]:
                reader.cut = UpstreamError("the client took the content so slowly that others waited for it")
                self.detach(reader)

    def finish(self) -> None:
        """That was all."""
        self.complete = True
        self._notify()

    def fail(self, error: UpstreamError | ConnectionError) -> None:
        """There is no more to come, though there should be."""
        self.error = error
        self._notify()

    def release(self) -> None:
        """The feeder is done with it; the file closes with the last reader."""
        self._released = True
        self._close_file()

    def attach(self) -> Reader:
        """A reader from the first byte; what it has not taken is kept for it."""
        reader = Reader(self)
        self._readers.add(reader)
        return reader

    def detach(self, reader: Reader) -> None:
        """See `Reader.close`."""
        if reader in self._readers:
            self._readers.discard(reader)
            self._trim()
            self._close_file()

    def take(self, offset: int) -> bytes:
        """What is available from `offset` on, some of it."""
        if offset < self._in_file:
            assert self._spool is not None
            return self._spool.read(offset, min(READ_BYTES, self._in_file - offset))
        for start, data in self._memory:
            if start <= offset < start + len(data):
                return data[offset - start :]
        raise AssertionError("a reader asked for bytes that are gone")

    def taken(self) -> None:
        """A reader has moved on."""
        if self._memory:
            self._trim()

    async def wait(self, timeout_s: float | None = None) -> None:
        """Until something changes, or the timeout."""
        loop = asyncio.get_running_loop()
        if self._changed is None or self._changed.done():
            self._changed = loop.create_future()
        if timeout_s is None:
            await asyncio.shield(self._changed)
        else:
            await asyncio.wait((self._changed,), timeout=timeout_s)

    def _close_file(self) -> None:
        if self._released and not self._readers and self._spool is not None:
            self._spool.unuse()
            self._spool = None

    def _slowest(self) -> int:
        return min((reader.offset for reader in self._readers), default=self.available_bytes)

    def _trim(self) -> None:
        slowest = self._slowest()
        while self._memory and self._memory[0][0] + len(self._memory[0][1]) <= slowest:
            self._memory.popleft()
        if self._taken is not None and not self._taken.done():
            self._taken.set_result(None)

    def _notify(self) -> None:
        if self._changed is not None and not self._changed.done():
            self._changed.set_result(None)


class Reader:
    """One reader's place in a transfer."""

    def __init__(self, transfer: Transfer) -> None:
        self._transfer = transfer
        self.offset = 0
        self.cut: UpstreamError | None = None
        """Why there is no more for this reader."""

    async def ready(self, timeout_s: float) -> None:
        """Until there is content, or the end, or the timeout. Raises the transfer's error."""
        transfer = self._transfer
        if transfer.available_bytes <= self.offset and not transfer.complete and transfer.error is None:
            await transfer.wait(timeout_s)
        if transfer.error is not None and transfer.available_bytes <= self.offset:
            raise transfer.error

    async def next(self) -> bytes:
        """Some content, or b"" after the last. Raises the transfer's error, and UpstreamError when it is cut."""
        transfer = self._transfer
        if self.cut is not None:
            raise self.cut
        while transfer.available_bytes <= self.offset:
            if transfer.error is not None:
                raise transfer.error
            if transfer.complete:
                return b""
            await transfer.wait()
        data = transfer.take(self.offset)
        self.offset += len(data)
        transfer.taken()
        return data

    def skip_to(self, offset: int) -> None:
        """What is before is not wanted."""
        self.offset = max(self.offset, offset)
        self._transfer.taken()

    def close(self) -> None:
        """Leave."""
        self._transfer.detach(self)
