"""The sha-256 of entries, computed beside the event loop when it is long work, and remembered.

It does not write the field; `nodes/http/digest.py` does.
"""

from __future__ import annotations

import asyncio
import hashlib
import os

from nodes.http.digest import wants_sha256
from nodes.origin import generate
from nodes.origin.catalogue import Entry

CHEAP_BYTES = 256 * 1024
"""Up to this size every response states its digest; above, a digest would delay the first byte, so it is stated when
`Want-Repr-Digest: sha-256=1` asks for it (RFC 9530)."""

MOST_REMEMBERED = 4096


class Digests:
    """Digests of files are remembered by entity tag and size; those of generated objects by `generate`."""

    def __init__(self) -> None:
        self._files: dict[tuple[str, int], bytes] = {}

    async def of(self, entry: Entry, wanted: str | None) -> bytes | None:
        """The digest to state for a request whose Want-Repr-Digest is `wanted`, or None to state none."""
        if entry.name is not None and entry.size_bytes <= CHEAP_BYTES:
            return generate.sha256(entry.name, entry.size_bytes)
        if not wants_sha256(wanted):
            return None
        if entry.name is not None:
            return await asyncio.to_thread(generate.sha256, entry.name, entry.size_bytes)
        if entry.file is None:
            return None
        key = (entry.etag, entry.size_bytes)
        if key not in self._files:
            if len(self._files) >= MOST_REMEMBERED:
                self._files.clear()
            self._files[key] = await asyncio.to_thread(_hash_file, entry.file.fileno())
        return self._files[key]


def _hash_file(descriptor: int) -> bytes:
    running, offset = hashlib.sha256(), 0
    while data := os.pread(descriptor, 1024 * 1024, offset):
        running.update(data)
        offset += len(data)
    return running.digest()
