"""Reads of objects by Zipf's law, look-aside: what is not there is stored by the reader. No source of truth is asked."""

from __future__ import annotations

import asyncio
import random
import statistics
from bisect import bisect_left
from dataclasses import dataclass
from typing import Any, Protocol

from nodes.evcache_client.load import zipf_sums

READERS = 8


class Store(Protocol):
    """What may be read so: a cache, or an edge's files."""

    async def get(self, key: str) -> bytes | None:
        """What is there."""
        ...

    async def put(self, key: str, value: bytes, *, policy: str) -> object:
        """Have it there from now on."""
        ...


@dataclass(frozen=True)
class Popular:
    """`requests` reads by `readers` that each wait for their answer. Raises ValueError."""

    requests: int
    objects: int
    zipf: float
    bytes: int = 4096
    key: str = "object"
    readers: int = READERS
    seed: int = 1

    def __post_init__(self) -> None:
        if min(self.requests, self.objects, self.readers) < 1:
            raise ValueError(f"reads of {self} cannot be")


async def popular(cache: Store, wish: Popular) -> dict[str, Any]:
    """How many were there, and the times of those in ms: median and p99."""
    loop, chance, sums = asyncio.get_running_loop(), random.Random(wish.seed), zipf_sums(wish.objects, wish.zipf)
    numbers = iter([bisect_left(sums, chance.random() * sums[-1]) for _ in range(wish.requests)])
    value, times, misses = chance.randbytes(wish.bytes), list[float](), 0

    async def reader() -> None:
        nonlocal misses
        for number in numbers:
            key, began_s = f"{wish.key}-{number}", loop.time()
            if await cache.get(key) is not None:
                times.append((loop.time() - began_s) * 1e3)
            else:
                misses += 1
                await cache.put(key, value, policy="all")

    await asyncio.gather(*(reader() for _ in range(wish.readers)))
    percentiles = statistics.quantiles(times, n=100) if len(times) > 1 else [float("nan")] * 99
    return {"hits": len(times), "misses": misses, "median_ms": percentiles[49], "p99_ms": percentiles[98]}
