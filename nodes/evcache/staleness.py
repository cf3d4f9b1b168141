"""How stale reads were: some of them are held against the source of truth afterwards, by its versions. It changes no read."""

from __future__ import annotations

import asyncio
import random
import time

from nodes.evcache.truth_client import TruthClient, TruthError
from nodes.evcache.version import at_us
from nodes.evcache.zones import Zones

AT_ONCE = 32
"""More checks than this are not begun: a slow source of truth is not asked by its own measurement alone."""


def stale_s(read_version: int, row_version: int, read_us: int) -> float:
    """How long before a read the newest version was written that it did not give; 0 when it gave that, or it came later."""
    return max(0.0, (read_us - at_us(row_version)) / 1e6) if row_version > read_version else 0.0


class Staleness:
    """`evcache_staleness_seconds` has stale reads alone; `evcache_checked_reads_total` says of how many."""

    def __init__(self, zones: Zones, truth: TruthClient | None) -> None:
        self._zones, self._truth = zones, truth
        self._part = zones.settings.check_reads
        self._running: set[asyncio.Task[None]] = set()

    def read(self, key: str, version: int, zone: str) -> None:
        """A zone gave this version."""
        if random.random() < self._part and len(self._running) < AT_ONCE:
            task = self._zones.loop.create_task(self._check(key, version, zone, time.time_ns() // 1000))
            self._running.add(task)
            task.add_done_callback(self._running.discard)

    async def close(self) -> None:
        """Stop."""
        for task in self._running:
            task.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)

    async def _check(self, key: str, version: int, zone: str, read_us: int) -> None:
        assert self._truth is not None
        try:
            row = await self._truth.get(key, value=False)
        except TruthError:
            self._zones.metrics.count("evcache_checked_reads_total", zone=zone, result="error")
            return
        late_s = stale_s(version, row.version, read_us)
        self._zones.metrics.count("evcache_checked_reads_total", zone=zone, result="stale" if late_s else "fresh")
        if late_s:
            self._zones.metrics.histogram("evcache_staleness_seconds", zone=zone).observe(late_s)
