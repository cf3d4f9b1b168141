"""A value as memcached holds it: a header with version and kind, then the bytes, compressed or cut into chunks.

It knows no keys and no network. The header is what makes staleness measurable: a copy without a sound one is no copy.
Behind the bytes stands a seal, once the value is durable at the source of truth; without it nobody may be given the value.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from struct import Struct

_HEAD = Struct("<4sBqII")
"""Mark, kind, version, size of the value, and CRC-32 of the value (of the whole value for a manifest)."""
_PARTS = Struct("<II")
MARK = b"EVC2"
PLAIN, ZLIB, MANIFEST, ABSENT = range(4)
HEAD_BYTES = _HEAD.size
SEAL = b"."
"""One byte, so that a copy of any size is made readable by appending it."""
CHUNK_BYTES = 1_000_000
"""memcached's items are at most 1 MiB with key and header."""
LARGEST_VALUE_BYTES = 64 * 2**20
CHECKED_BYTES = 64 * 1024
"""Up to here TCP's own checksum is enough and the CRC is left at zero; above, or compressed, it is checked."""


class BadCopy(ValueError):
    """Bytes that are no copy of ours."""


@dataclass(frozen=True, slots=True)
class Copy:
    """What was in memcached. `value` is None for an absent row; a manifest has `chunks` of `chunk_bytes` elsewhere.

    `durable`: it was sealed. One that is not may become durable, or never be.
    """

    version: int
    value: bytes | None
    chunks: int = 0
    size_bytes: int = 0
    crc: int = 0
    durable: bool = True


def pack(value: bytes | None, version: int, compress_above_bytes: int) -> tuple[bytes, list[bytes]]:
    """The item without a seal, and the chunks that go before it. Raises ValueError for a value above 64 MiB."""
    if value is None:
        return _HEAD.pack(MARK, ABSENT, version, 0, 0), []
    size = len(value)
    if size > LARGEST_VALUE_BYTES:
        raise ValueError(f"a value of {size} bytes is above {LARGEST_VALUE_BYTES}; cut it into several keys")
    if size > compress_above_bytes:
        packed = zlib.compress(value, 1)
        if len(packed) < size and len(packed) <= CHUNK_BYTES:
            return _HEAD.pack(MARK, ZLIB, version, size, zlib.crc32(value)) + packed, []
    if size <= CHUNK_BYTES:
        crc = zlib.crc32(value) if size > CHECKED_BYTES else 0
        return _HEAD.pack(MARK, PLAIN, version, size, crc) + value, []
    chunks = [value[at : at + CHUNK_BYTES] for at in range(0, size, CHUNK_BYTES)]
    head = _HEAD.pack(MARK, MANIFEST, version, size, zlib.crc32(value))
    return head + _PARTS.pack(len(chunks), CHUNK_BYTES), chunks


def unpack(item: bytes) -> Copy:
    """The copy in an item. Raises BadCopy when it is none, is cut short or damaged."""
    if len(item) < HEAD_BYTES:
        raise BadCopy(f"{len(item)} bytes are too few for a header")
    mark, kind, version, size, crc = _HEAD.unpack_from(item)
    if mark != MARK:
        raise BadCopy(f"it begins with {bytes(mark)!r}")
    end = HEAD_BYTES + size
    if kind == PLAIN:
        body = item[HEAD_BYTES:end]
        if len(body) != size or (size > CHECKED_BYTES and zlib.crc32(body) != crc):
            raise BadCopy(f"{len(body)} bytes do not match a header of {size}")
        rest = item[end:]
        return Copy(version, body, durable=rest == SEAL or _sealed(rest))
    if kind == ABSENT:
        return Copy(version, None, durable=_sealed(item[HEAD_BYTES:]))
    if kind == ZLIB:
        value, rest = _decompressed(item[HEAD_BYTES:], size, crc)
        return Copy(version, value, durable=_sealed(rest))
    if kind == MANIFEST and len(item) >= HEAD_BYTES + _PARTS.size:
        chunks, chunk_bytes = _PARTS.unpack_from(item, HEAD_BYTES)
        if chunk_bytes == CHUNK_BYTES and chunks == -(-size // CHUNK_BYTES) and size <= LARGEST_VALUE_BYTES:
            return Copy(version, None, chunks, size, crc, _sealed(item[HEAD_BYTES + _PARTS.size :]))
    raise BadCopy(f"kind {kind} with {len(item) - HEAD_BYTES} bytes is not known")


def joined(copy: Copy, chunks: list[bytes]) -> Copy:
    """The copy of a manifest with its chunks. Raises BadCopy when they are not its own."""
    value = b"".join(chunks)
    if len(value) != copy.size_bytes or zlib.crc32(value) != copy.crc:
        raise BadCopy(f"its {len(chunks)} chunks are not the value")
    return Copy(copy.version, value, durable=copy.durable)


def _sealed(rest: bytes) -> bool:
    """What stands behind the bytes of a value. Raises BadCopy."""
    if rest and rest != SEAL:
        raise BadCopy(f"{len(rest)} bytes behind the value are no seal")
    return bool(rest)


def _decompressed(body: bytes, size: int, crc: int) -> tuple[bytes, bytes]:
    """The value, and what stands behind it. Raises BadCopy."""
    reader = zlib.decompressobj()
    try:
        value = reader.decompress(body, size + 1)
    except zlib.error as error:
        raise BadCopy(f"it cannot be decompressed: {error}") from error
    if len(value) != size or zlib.crc32(value) != crc or not reader.eof:
        raise BadCopy("its decompressed bytes are not the value")
    return value, reader.unused_data
