"""Sending pieces of an entry, at a rate or as fast as the client takes them.

It decides nothing: which pieces these are is said by `app.py`.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence

from nodes.http.pacing import due_s, sleep_until, step_bytes
from nodes.http.reply import JOINED_BYTES, Reply
from nodes.origin import generate
from nodes.origin.catalogue import Entry

CHUNK_BYTES = 256 * 1024


async def send(reply: Reply, entry: Entry, pieces: Sequence[bytes | tuple[int, int]], rate_bps: int | None) -> None:
    """Bytes as they are and (start, length) parts of the entry, in order. Raises ConnectionResetError."""
    began, sent = asyncio.get_running_loop().time(), 0
    for piece in pieces:
        if isinstance(piece, bytes):
            await reply.write(piece)
            continue
        start, length = piece
        if rate_bps is None and entry.file is not None:
            if length:
                await reply.file(entry.file, start, length)
            continue
        end = start + length
        step = CHUNK_BYTES if rate_bps is None else step_bytes(rate_bps)
        while start < end:
            size = min(step if sent else min(step, JOINED_BYTES), end - start)
            data = _read(entry, start, size)
            if rate_bps is not None and sent:
                await sleep_until(began + due_s(sent, rate_bps))
            await reply.write(data)
            start, sent = start + size, sent + size


def _read(entry: Entry, start: int, size: int) -> bytes:
    if entry.name is not None:
        return generate.content(entry.name, entry.size_bytes, start, size)
    assert entry.file is not None
    data = os.pread(entry.file.fileno(), size, start)
    if len(data) < size:
        raise ConnectionResetError("the file became shorter while it was sent")
    return data
