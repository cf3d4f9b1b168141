"""A row and what became of a write, as values; and what a database must do with them. It stores nothing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol


class Row(NamedTuple):
    """One key's newest value; `value` is None when it was deleted, which keeps its version so that nothing older comes back."""

    key: str
    version: int
    value: bytes | None


class DatabaseError(Exception):
    """The database did not do it; what it had begun it has undone, or it cannot say (`unsure`)."""

    def __init__(self, cause: str, *, unsure: bool = False) -> None:
        super().__init__(cause)
        self.unsure = unsure


class Database(Protocol):
    """Blocking calls, each from one thread at a time."""

    def get(self, keys: Sequence[str]) -> dict[str, Row]:
        """The rows there are. Raises DatabaseError."""
        ...

    def versions(self, after: str, most: int) -> list[tuple[str, int]]:
        """So many keys behind `after`, in order, with their rows' versions. Raises DatabaseError."""
        ...

    def put(self, rows: Sequence[Row]) -> dict[str, Row]:
        """Store, in one durable transaction, each row that is newer than what is there; keys must differ.

        Gives for each key the row that stands now: the row itself, or that which refused it, which is newer or has the same
        version by chance. Raises DatabaseError.
        """
        ...

    def close(self) -> None:
        """No more calls."""
        ...
