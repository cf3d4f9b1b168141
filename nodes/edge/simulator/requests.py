"""Requests as the simulator takes them: numbers in columns, a few hundred thousand at a time.

It reads no file; `text.py` and `oracle_general.py` do.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nodes.edge.policies.belady import NEVER

CHUNK = 1 << 18
"""Requests in one chunk at most."""


class TraceError(Exception):
    """A trace that cannot be read; the message names the place and the cause."""


@dataclass(frozen=True)
class Chunk:
    """Requests in order. `sizes` are in bytes; `next_uses` are numbers of requests, or None when the trace has none."""

    keys: list[int]
    sizes: list[int]
    next_uses: list[int] | None = None

    def __len__(self) -> int:
        return len(self.keys)


def resized(chunk: Chunk) -> tuple[int, int, int, int] | None:
    """The first request whose object had another size before: its number from 1, key, size before and now; or None."""
    sizes: dict[int, int] = {}
    for number, (key, size) in enumerate(zip(chunk.keys, chunk.sizes, strict=True), start=1):
        before = sizes.setdefault(key, size)
        if before != size:
            return number, key, before, size
    return None


def with_next_uses(chunks: Iterator[Chunk]) -> Iterator[Chunk]:
    """The same requests, each with the number of the request that asks for its key next; the whole is held in memory."""
    columns = [(np.array(chunk.keys, np.uint64), np.array(chunk.sizes, np.int64)) for chunk in chunks]
    if not columns:
        return
    keys, sizes = (np.concatenate(column) for column in zip(*columns, strict=True))
    following = next_uses(keys)
    for start in range(0, len(keys), CHUNK):
        end = start + CHUNK
        yield Chunk(keys[start:end].tolist(), sizes[start:end].tolist(), following[start:end].tolist())


def next_uses(keys: NDArray[np.uint64]) -> NDArray[np.int64]:
    """For each request the number of the next one of the same key, or NEVER."""
    order = np.argsort(keys, kind="stable")
    following = np.full(len(keys), NEVER, np.int64)
    same = keys[order[:-1]] == keys[order[1:]]
    following[order[:-1][same]] = order[1:][same]
    return following
