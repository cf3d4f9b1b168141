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
MOST_WAITING = 4096
MOST_TOGETHER = 256


class Batches:
    """Two threads, each with a connection of its own: one commits, one reads."""

    def __init__(self, open_database: Callable[[], Database]) -> None:
        """Raises Failure when the database cannot be opened."""
        self._writer, self._reader = open_database(), open_database()
        self._writing, self._reading = ThreadPoolExecutor(1, "truth-write"), ThreadPoolExecutor(1, "truth-read")
        self._waiting: list[tuple[Row, asyncio.Future[int]]] = []
        self._reads = 0
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

    async def put(self, row: Row) -> int:
        """The version that stands once it is durable. Raises DatabaseError."""
        if len(self._waiting) >= MOST_WAITING:
            raise DatabaseError(f"{len(self._waiting)} writes wait already")
        done: asyncio.Future[int] = asyncio.get_running_loop().create_future()
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
            except DatabaseError as error:
                for _, done in batch:
                    if not done.done():
                        done.set_exception(DatabaseError(str(error), unsure=error.unsure))
                continue
            self.commits_total += 1
            for row, done in batch:
                if not done.done():
                    done.set_result(stand[row.key])
        self._commits = None


Writes = list[tuple[Row, asyncio.Future[int]]]


def _distinct(waiting: Writes) -> tuple[Writes, Writes]:
    """The first writes of different keys, and the others: two of one key are told apart only in two transactions."""
    found: dict[str, tuple[Row, asyncio.Future[int]]] = {}
    others: Writes = []
    for one in waiting:
        if len(found) == MOST_TOGETHER or one[0].key in found:
            others.append(one)
        else:
            found[one[0].key] = one
    return list(found.values()), others
