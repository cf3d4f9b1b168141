"""Rows in a file of SQLite, in WAL mode with every commit on the disk (`synchronous=FULL`).

With the `NORMAL` that is usual in WAL mode a power cut may take the last commits back
(sqlite.org/pragma.html#pragma_synchronous).
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from nodes.http.failure import Failure
from nodes.truth.rows import DatabaseError, Row

BUSY_S = 1.0
"""So long another process may hold the file before a write is refused."""

_KEYS_AT_ONCE = 500
_PUT = """INSERT INTO rows (key, version, value) VALUES (?, ?, ?) ON CONFLICT (key) DO UPDATE
SET version = excluded.version, value = excluded.value WHERE excluded.version > rows.version"""


class SQLite:
    """One connection."""

    def __init__(self, path: str) -> None:
        """Raises Failure."""
        self._path = path
        try:
            self._connection = sqlite3.connect(path, timeout=BUSY_S, isolation_level=None, check_same_thread=False)
            (mode,) = self._connection.execute("PRAGMA journal_mode=WAL").fetchone()
            self._connection.execute("PRAGMA synchronous=FULL")
            self._connection.execute(
                "CREATE TABLE IF NOT EXISTS rows (key TEXT PRIMARY KEY, version INTEGER NOT NULL, value BLOB) WITHOUT ROWID"
            )
        except sqlite3.Error as error:
            raise Failure(f"open the database {path}", str(error), "give --database a file that may be written") from error
        if mode != "wal":
            raise Failure(f"open the database {path}", f"its journal is {mode}, not a write-ahead log",
                          "give --database a file on a local disk")  # fmt: skip

    def get(self, keys: Sequence[str]) -> dict[str, Row]:
        found: dict[str, Row] = {}
        try:
            for at in range(0, len(keys), _KEYS_AT_ONCE):
                some = keys[at : at + _KEYS_AT_ONCE]
                marks = ",".join("?" * len(some))
                for row in self._connection.execute(f"SELECT key, version, value FROM rows WHERE key IN ({marks})", some):
                    found[row[0]] = Row(*row)
        except sqlite3.Error as error:
            raise DatabaseError(f"the database {self._path} cannot be read: {error}") from error
        return found

    def versions(self, after: str, most: int) -> list[tuple[str, int]]:
        try:
            found = self._connection.execute("SELECT key, version FROM rows WHERE key > ? ORDER BY key LIMIT ?", (after, most))
            return [(row[0], int(row[1])) for row in found]
        except sqlite3.Error as error:
            raise DatabaseError(f"the database {self._path} cannot be read: {error}") from error

    def put(self, rows: Sequence[Row]) -> dict[str, Row]:
        try:
            self._connection.execute("BEGIN IMMEDIATE")
            self._connection.executemany(_PUT, [(row.key, row.version, row.value) for row in rows])
            stand = self.get([row.key for row in rows])
            self._connection.execute("COMMIT")
        except (sqlite3.Error, DatabaseError) as error:
            self._undo()
            raise DatabaseError(f"the database {self._path} did not take the write: {error}") from error
        return stand

    def close(self) -> None:
        self._connection.close()

    def _undo(self) -> None:
        try:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
        except sqlite3.Error as error:
            raise DatabaseError(f"the database {self._path} cannot undo a write: {error}", unsure=True) from error
