"""What is kept about a stored object beside its bytes: a record with a version and a checksum.

It is text in and out; `store.py` reads and writes the files. A record that is not exactly as it was written is refused.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass

from nodes.http.message import Fields

MAGIC = "longhaul-edge-object 1"


class RecordError(ValueError):
    """Bytes that are no whole record of this version."""


@dataclass(frozen=True)
class Record:
    """A stored response. Times are seconds since 1970; `vary` names the request's fields that `key` includes."""

    key: str
    primary: str
    vary: tuple[str, ...]
    body: str
    size_bytes: int
    sha256: str | None
    fields: tuple[tuple[str, str], ...]
    received_s: float
    initial_age_s: float
    lifetime_s: float

    @property
    def headers(self) -> Fields:
        """The response's fields."""
        return Fields(self.fields)


def encode(record: Record) -> bytes:
    """One line of magic and checksum, one line of JSON."""
    payload = json.dumps(asdict(record), separators=(",", ":")).encode()
    return f"{MAGIC} {_checksum(payload)}\n".encode() + payload + b"\n"


def decode(data: bytes) -> Record:
    """The record that `encode` wrote. Raises RecordError."""
    head, _, rest = data.partition(b"\n")
    payload = rest.removesuffix(b"\n")
    if not rest.endswith(b"\n") or head != f"{MAGIC} {_checksum(payload)}".encode():
        raise RecordError("the record is damaged or of another version")
    given = json.loads(payload)
    given["vary"] = tuple(given["vary"])
    given["fields"] = tuple((name, value) for name, value in given["fields"])
    return Record(**given)


def _checksum(payload: bytes) -> str:
    return hashlib.blake2b(payload, digest_size=16).hexdigest()


def secondary_key(primary: str, vary: tuple[str, ...], request: Fields) -> str:
    """The key of one variant: the primary key and the request's values of the fields that Vary names (section 4.1)."""
    if not vary:
        return primary
    return "\n".join([primary, *(f"{name}: {' '.join((request.get(name) or '').split())}" for name in vary)])


def vary_names(response: Fields) -> tuple[str, ...]:
    """The names in Vary, lower case, in alphabetical order."""
    return tuple(sorted(set(response.tokens("vary"))))
