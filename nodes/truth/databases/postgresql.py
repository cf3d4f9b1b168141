"""Rows in a table of PostgreSQL, through psycopg. A connection that broke is made again at the next call.

It sets `synchronous_commit`, so that an acknowledged commit is on the disk whatever the default of the server is; it refuses
a server with `fsync` off, where nothing is. Source: PostgreSQL's manual, "Write Ahead Log".
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import psycopg

from nodes.http.failure import Failure
from nodes.truth.rows import DatabaseError, Row

CONNECT_S = 3
STATEMENT_MS = 2000
"""A lock or a slow disk may hold a call up so long."""
SILENT_MS = 4000
"""A server that acknowledges no packet for so long is away; TCP alone would wait for a quarter of an hour."""

_SETTINGS = f"SET synchronous_commit = on; SET statement_timeout = {STATEMENT_MS}"
_TABLE = """CREATE TABLE IF NOT EXISTS longhaul_rows
(key text COLLATE "C" PRIMARY KEY, version bigint NOT NULL, value bytea)"""
_GET = "SELECT key, version, value FROM longhaul_rows WHERE key = ANY(%s)"
_PUT = """INSERT INTO longhaul_rows (key, version, value) VALUES (%s, %s, %s) ON CONFLICT (key) DO UPDATE
SET version = excluded.version, value = excluded.value WHERE excluded.version > longhaul_rows.version"""


class PostgreSQL:
    """One connection. It is made when the database is opened, so that a wrong DSN is an error at the start."""

    def __init__(self, dsn: str) -> None:
        """Raises Failure."""
        self._dsn = dsn
        self._connection: psycopg.Connection[Any] | None = None
        try:
            if self._connected().execute("SHOW fsync").fetchone() != ("on",):
                raise Failure("open the PostgreSQL database", "its server has fsync off, so that nothing is durable there",
                              "set fsync = on in its configuration")  # fmt: skip
            self._connected().execute(_TABLE)
        except psycopg.errors.UniqueViolation:
            pass  # another process makes the table at the same moment, and the loser is told so
        except psycopg.Error as error:
            raise Failure("open the PostgreSQL database", _words(error),
                          "see that the server runs and --database names it") from error  # fmt: skip

    def get(self, keys: Sequence[str]) -> dict[str, Row]:
        try:
            return _rows(self._connected().execute(_GET, (list(keys),)).fetchall())
        except psycopg.Error as error:
            self._forget()
            raise DatabaseError(f"PostgreSQL cannot be read: {_words(error)}") from error

    def versions(self, after: str, most: int) -> list[tuple[str, int]]:
        try:
            found = self._connected().execute(
                "SELECT key, version FROM longhaul_rows WHERE key > %s ORDER BY key LIMIT %s", (after, most)
            ).fetchall()
        except psycopg.Error as error:
            self._forget()
            raise DatabaseError(f"PostgreSQL cannot be read: {_words(error)}") from error
        return [(row[0], int(row[1])) for row in found]

    def put(self, rows: Sequence[Row]) -> dict[str, Row]:
        committing = False
        try:
            connection = self._connected()
            with connection.transaction(), connection.cursor() as cursor:
                ordered = sorted(rows)  # in one order everywhere: two writers of several rows cannot lock each other out
                cursor.executemany(_PUT, [(row.key, row.version, row.value) for row in ordered])
                stand = _rows(cursor.execute(_GET, ([row.key for row in rows],)).fetchall())
                committing = True
        except psycopg.Error as error:
            self._forget()
            unsure = committing and isinstance(error, psycopg.OperationalError)
            raise DatabaseError(f"PostgreSQL did not take the write: {_words(error)}", unsure=unsure) from error
        return stand

    def close(self) -> None:
        self._forget()

    def _connected(self) -> psycopg.Connection[Any]:
        if self._connection is None or self._connection.closed:
            self._connection = psycopg.connect(
                self._dsn, autocommit=True, connect_timeout=CONNECT_S, application_name="longhaul",
                tcp_user_timeout=SILENT_MS,
            )  # fmt: skip
            self._connection.execute(_SETTINGS)
        return self._connection

    def _forget(self) -> None:
        """After any error: what state the connection is in is not worth finding out."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def _rows(found: Sequence[Sequence[Any]]) -> dict[str, Row]:
    return {row[0]: Row(row[0], int(row[1]), None if row[2] is None else bytes(row[2])) for row in found}


def _words(error: psycopg.Error) -> str:
    return " ".join(str(error).split()) or type(error).__name__
