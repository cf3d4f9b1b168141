"""What stands behind the body in the file of a stored response: metadata, padding, and a footer with a checksum.

It is bytes in and out; `shelf.py` reads and writes the files. What is not exactly as it was written is refused.

    body | JSON, padded with spaces | magic and version, length of the body, length of the metadata, checksum

The checksum is over the rest of the footer and the metadata; the bytes of the body have digests in the metadata.
"""

from __future__ import annotations

import hashlib
import json
import struct
import sys
from dataclasses import dataclass
from functools import partial
from typing import Any, NoReturn, TypeVar

from nodes.edge.store.digests import DIGEST_BYTES, PART_BYTES
from nodes.edge.stored import Part, Stored

MAGIC = b"LhEdge\x00\x02"
"""The last byte is the version of the format."""

_FOOTER = struct.Struct("<8sQQ16s")
FOOTER_BYTES = _FOOTER.size
PAD_BYTES = 128
"""Files end at a multiple of this behind the body, so that a 304 mostly finds room for the metadata it renews."""

MAX_METADATA_BYTES = 64 * 1024 * 1024


_T = TypeVar("_T")


class RecordError(ValueError):
    """Bytes that are no whole record of this version."""


@dataclass(frozen=True, slots=True)
class Footer:
    """The last bytes of a file. Lengths are in bytes."""

    body_bytes: int
    metadata_bytes: int
    checksum: bytes

    @property
    def tail_bytes(self) -> int:
        """All that is not body."""
        return self.metadata_bytes + FOOTER_BYTES


def encode(stored: Stored, purges: int, at_least_bytes: int = 0) -> bytes:
    """The tail of a file. `purges` is how many purges had been ordered before its bytes were asked for."""
    value = {
        "key": stored.key, "primary": stored.primary, "uri": stored.uri, "method": stored.method,
        "status": stored.status, "reason": stored.reason, "fields": stored.fields, "vary": stored.vary,
        "requested_s": stored.requested_s, "received_s": stored.received_s, "size_bytes": stored.size_bytes,
        "parts": [(part.start, part.length, part.digest.hex()) for part in stored.parts], "purges": purges,
    }  # fmt: skip
    text = json.dumps(value, separators=(",", ":"), allow_nan=False).encode()
    length = max(len(text) + FOOTER_BYTES, at_least_bytes)
    text = text.ljust(-(-length // PAD_BYTES) * PAD_BYTES - FOOTER_BYTES)
    body = sum(part.length for part in stored.parts)
    return text + _FOOTER.pack(MAGIC, body, len(text), _checksum(body, text))


def footer(data: bytes, file_bytes: int) -> Footer:
    """The footer at the end of `data`, which is the end of a file of this length. Raises RecordError."""
    if len(data) < FOOTER_BYTES:
        raise RecordError("the file is too short")
    magic, body, length, checksum = _FOOTER.unpack(data[-FOOTER_BYTES:])
    if magic != MAGIC:
        raise RecordError("the file does not end as an object of this version")
    if body + length + FOOTER_BYTES != file_bytes or length > MAX_METADATA_BYTES:
        raise RecordError("the file's length is not what its footer says")
    return Footer(body, length, checksum)


def decode(tail: bytes, file_bytes: int) -> tuple[Stored, int]:
    """What `encode` was given, from the last bytes of a file, at least its whole tail. Raises RecordError."""
    end = footer(tail, file_bytes)
    if len(tail) < end.tail_bytes:
        raise RecordError("the metadata is not all there")
    text = tail[len(tail) - end.tail_bytes : len(tail) - FOOTER_BYTES]
    if _checksum(end.body_bytes, text) != end.checksum:
        raise RecordError("the metadata is damaged")
    try:
        stored, purges = _value(json.loads(text, parse_constant=_no_number))
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise RecordError(f"the metadata is not of this version: {error!r}") from error
    if sum(part.length for part in stored.parts) != end.body_bytes:
        raise RecordError("the parts are not as long as the body")
    return stored, purges


def _value(given: dict[str, Any]) -> tuple[Stored, int]:
    size = given["size_bytes"]
    stored = Stored(
        key=_is(str, given["key"]), primary=_is(str, given["primary"]), uri=_is(str, given["uri"]),
        method=sys.intern(_is(str, given["method"])), status=_is(int, given["status"]), reason=_is(str, given["reason"]),
        fields=_pairs(given["fields"]), vary=_pairs(given["vary"]),
        requested_s=_seconds(given["requested_s"]), received_s=_seconds(given["received_s"]),
        size_bytes=None if size is None else _is(int, size),
        parts=tuple(Part(_is(int, start), _is(int, length), bytes.fromhex(digest))
                    for start, length, digest in map(partial(_is, list), _is(list, given["parts"]))),
    )  # fmt: skip
    end = 0
    for part in stored.parts:
        if part.start < end or not 0 < part.length <= PART_BYTES or len(part.digest) != DIGEST_BYTES:
            raise ValueError("its parts are not in order")
        end = part.start + part.length
    if size is not None and end > size:
        raise ValueError("its parts are longer than the whole")
    return stored, _is(int, given["purges"])


def _pairs(given: object) -> tuple[tuple[str, str], ...]:
    # interned: all objects have a few dozen names between them
    return tuple((sys.intern(_is(str, name)), _is(str, value)) for name, value in map(partial(_is, list), _is(list, given)))


def _is(kind: type[_T], value: Any) -> _T:
    if type(value) is not kind:
        raise TypeError(f"{value!r} is no {kind.__name__}")
    return value


def _seconds(value: Any) -> float:
    return value if type(value) is float else _is(int, value)


def _no_number(word: str) -> NoReturn:
    raise ValueError(f"{word} is no number")


def _checksum(body_bytes: int, text: bytes) -> bytes:
    return hashlib.blake2b(MAGIC + struct.pack("<QQ", body_bytes, len(text)) + text, digest_size=16).digest()
