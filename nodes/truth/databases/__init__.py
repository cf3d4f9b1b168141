"""One file per kind of database, and the choice among them by DSN: a path is SQLite's, `postgresql://` PostgreSQL's."""

from __future__ import annotations

from nodes.truth.rows import Database

POSTGRESQL = ("postgresql://", "postgres://")


def opened(dsn: str) -> Database:
    """Raises Failure when it cannot be opened."""
    if dsn.startswith(POSTGRESQL):
        from nodes.truth.databases.postgresql import PostgreSQL  # libpq is loaded only where it is asked for

        return PostgreSQL(dsn)
    from nodes.truth.databases.sqlite import SQLite

    return SQLite(dsn)
