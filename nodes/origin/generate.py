"""Objects whose every byte follows from their name and size, so that a digest can be checked without a copy.

The bytes are not secret and not for cryptography: they are made to be unlike each other, incompressible to gzip across
blocks that are rotated differently, and fast to make at any offset.
"""

from __future__ import annotations

import hashlib
from functools import lru_cache

BLOCK_BYTES = 32 * 1024
_STAMP_BYTES = 16
_DIGEST_STEP_BYTES = 1024 * 1024


def content(name: str, size_bytes: int, start: int, length: int) -> bytes:
    """Bytes `start` to `start + length` of the object, cut at its end. Raises ValueError below zero.

    The object is a row of blocks. Each is a stamp of 16 bytes, unlike all others, and then the object's tile of 32 KiB
    of pseudo-random bytes, rotated by what the stamp says: a block that is lost, doubled or misplaced shows.
    """
    if start < 0 or length < 0 or size_bytes < 0:
        raise ValueError("start, length and size must not be below zero")
    end = min(start + length, size_bytes)
    if end <= start:
        return b""
    first, last = start // BLOCK_BYTES, (end - 1) // BLOCK_BYTES
    key, tile = _tile(name, size_bytes)
    parts: list[bytes] = []
    for block in range(first, last + 1):
        stamp = hashlib.blake2b(block.to_bytes(8, "big"), digest_size=_STAMP_BYTES, key=key).digest()
        turn = int.from_bytes(stamp[:2], "big") % BLOCK_BYTES
        parts += (stamp, tile[turn : turn + BLOCK_BYTES - _STAMP_BYTES])
    skip = start - first * BLOCK_BYTES
    whole = b"".join(parts)
    return whole if not skip and len(whole) == end - start else whole[skip : skip + end - start]


@lru_cache(maxsize=1024)
def sha256(name: str, size_bytes: int) -> bytes:
    """The digest of the whole object; about a second for each GiB the first time it is asked for."""
    running = hashlib.sha256()
    for start in range(0, size_bytes, _DIGEST_STEP_BYTES):
        running.update(content(name, size_bytes, start, _DIGEST_STEP_BYTES))
    return running.digest()


def etag(name: str, size_bytes: int) -> str:
    """A strong entity tag: it changes with name, size and the way the bytes are made."""
    return '"' + hashlib.blake2b(_identity(name, size_bytes), digest_size=12).hexdigest() + '"'


def _identity(name: str, size_bytes: int) -> bytes:
    return b"longhaul object 1\n%d\n%b" % (size_bytes, name.encode("utf-8", "surrogateescape"))


@lru_cache(maxsize=256)
def _tile(name: str, size_bytes: int) -> tuple[bytes, bytes]:
    """Key of the stamps, and the tile twice in a row so that a rotation is one slice."""
    seed = hashlib.shake_128(_identity(name, size_bytes)).digest(32 + BLOCK_BYTES)
    return seed[:32], seed[32:] * 2
