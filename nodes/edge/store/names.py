"""What the file of a stored response is called, and the number by which the index knows it.

It touches no disk. A name is 128 bits: the first half says the primary key, so that all variants of one resource lie in
one folder under one prefix and are found by listing it; the second half says the key. Names of different keys may be
equal by an accident that the metadata reveals, because it holds the key itself.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

NAME_LENGTH = 32


def variant_key(primary: str, vary: Sequence[tuple[str, str]]) -> str:
    """The key of one variant: the primary key, then a line for each field that chose it (RFC 9111, section 4.1)."""
    return "\n".join([primary, *(f"{name}: {value}" for name, value in vary)])


def primary_of(key: str) -> str:
    """The primary key that `variant_key` was given; a primary key has no line feed."""
    return key.partition("\n")[0]


def name_of(key: str) -> int:
    """The number of a key."""
    own = _digest(key)
    return int.from_bytes(own if "\n" not in key else _digest(primary_of(key))[:8] + own[8:], "big")


def prefix_of(primary: str) -> str:
    """How the file names of all variants of a primary key begin."""
    return _digest(primary)[:8].hex()


def file_name(name: int) -> str:
    """The file's name in its folder."""
    return f"{name:032x}"


def folder_of(file: str) -> str:
    """The folder of a file, or of a prefix of its name: two levels of 256."""
    return f"{file[:2]}/{file[2:4]}"


def _digest(text: str) -> bytes:
    # surrogatepass: whatever text a request can make into a key must have a name
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()
