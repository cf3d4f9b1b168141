"""Calls of a blocking database from an event loop: writes that wait are committed together, reads go beside them.

It knows no SQL. What waits is bounded; more is refused at once.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from nodes.truth.rows import Database, DatabaseError, Row

Found = TypeVar("Found")
Writes = list[tuple[Row, asyncio.Future[Row]]]
MOST_WAITING = 4096
MOST_BYTES = 512 * 2**20
"""Of values that wait or are being committed."""
MOST_TOGETHER = 256


class Batches:
    """Two threads, each with a connection of its own: one commits, one reads."""

    def __init__(self, open_database: Callable[[], Database]) -> None:
        """Raises Failure when the database cannot be opened."""
        self._writer, self._reader = open_database(), open_database()
        self._writing, self._reading = ThreadPoolExecutor(1, "truth-write"), ThreadPoolExecutor(1, "truth-read")
        self._waiting: Writes = []
        self._reads = self._bytes = 0
        self._commits: asyncio.Task[None] | None = None
        self.commits_total = 0

    @property
    def waiting(self) -> int:
        """Writes that are not being committed yet."""
        return len(self._waiting)

    async def get(self, keys: Sequence[str]) -> dict[str, Row]:
        """Raises DatabaseError."""
        return await self._read(lambda: self._reader.get(keys))

    async def versions(self, after: str, most: int) -> list[tuple[str, int]]:
        """Raises DatabaseError."""
        return await self._read(lambda: self._reader.versions(after, most))

    async def _read(self, call: Callable[[], Found]) -> Found:
        if self._reads >= MOST_WAITING:
            raise DatabaseError(f"{self._reads} reads wait already")
        self._reads += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._reading, call)
        finally:
            self._reads -= 1

    async def put(self, row: Row) -> Row:
        """The row that stands once it is durable. Raises DatabaseError."""
        if len(self._waiting) >= MOST_WAITING:
            raise DatabaseError(f"{len(self._waiting)} writes wait already")
        size = _bytes(row)
        if self._bytes and self._bytes + size > MOST_BYTES:
            raise DatabaseError(f"{self._bytes} bytes wait already")
        self._bytes += size
        done: asyncio.Future[Row] = asyncio.get_running_loop().create_future()
        self._waiting.append((row, done))
        if self._commits is None:
            self._commits = asyncio.get_running_loop().create_task(self._commit())
        return await done

    async def close(self) -> None:
        """Commit what waits, then let go."""
        if self._commits is not None:
            await self._commits
        for pool, database in ((self._writing, self._writer), (self._reading, self._reader)):
            pool.shutdown()
            database.close()

    async def _commit(self) -> None:
        """Until nothing waits: what came during one commit is the next."""
        loop = asyncio.get_running_loop()
        while self._waiting:
            batch, self._waiting = _distinct(self._waiting)
            try:
                stand = await loop.run_in_executor(self._writing, self._writer.put, [row for row, _ in batch])
            except Exception as error:  # noqa: BLE001 - whatever it is, whoever waits hears of it, and the next are tried
                unsure = not isinstance(error, DatabaseError) or error.unsure
                for _, done in batch:
                    if not done.done():
                        done.set_exception(DatabaseError(str(error) or repr(error), unsure=unsure))
                continue
            finally:
                self._bytes -= sum(_bytes(row) for row, _ in batch)
            self.commits_total += 1
            for row, done in batch:
                if not done.done():
                    done.set_result(stand[row.key])
        self._commits = None


def _bytes(row: Row) -> int:
    return len(row.value or b"")


def _distinct(waiting: Writes) -> tuple[Writes, Writes]:
    """The first writes of different keys, and the others: two of one key are told apart only in two transactions."""
    found: dict[str, tuple[Row, asyncio.Future[Row]]] = {}
    others: Writes = []
    for one in waiting:
        if len(found) == MOST_TOGETHER or one[0].key in found:
            others.append(one)
        else:
            found[one[0].key] = one
    return list(found.values()), others
