"""Repairs: what a zone missed is written again, from the source of truth, as soon as the zone can be reached.

It decides nothing about order: `repairs.py` keeps the queue. A row is rewritten rather than deleted, because a late command of
before may store again where nothing is. The zone is looked at before the row is read: what came meanwhile is newer, and stays.
"""

from __future__ import annotations

import asyncio

from nodes.evcache.lifetime import Life
from nodes.evcache.memcached.errors import Unanswered
from nodes.evcache.packing import Copy
from nodes.evcache.truth_client import TruthClient, TruthError
from nodes.evcache.zones import Zones

TOGETHER = 32
EVERY_S, SLOWEST_S = 0.05, 1.0


class Repairing:
    """One task for each zone, so that a zone that is away holds up no other."""

    def __init__(self, zones: Zones, truth: TruthClient | None) -> None:
        self._zones, self._truth = zones, truth
        self._tasks = [zones.loop.create_task(self._keep(zone)) for zone in zones.replicas] if truth is not None else []

    async def close(self) -> None:
        """Stop; what waits is lost with this process, and ends with its copies' lives."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _keep(self, zone: str) -> None:
        pause_s = EVERY_S
        while True:
            await asyncio.sleep(pause_s)
            some = self._zones.repairs[zone].some(TOGETHER)
            if not some:
                pause_s = EVERY_S
                continue
            done = await asyncio.gather(*(self._repair(zone, key, version) for key, version in some))
            pause_s = 0 if any(done) else min(SLOWEST_S, 2 * max(pause_s, EVERY_S))

    async def _repair(self, zone: str, key: str, version: int) -> bool:
        zones, began_s = self._zones, self._zones.loop.time()
        try:
            result = await self._written(zone, key, version)
        except Unanswered as error:
            result = error.reason
        except TruthError:
            result = "truth"
        zones.calls.note("REPAIR", zone, 0, result, zones.loop.time() - began_s)
        if result not in ("stored", "newer"):
            zones.repairs[zone].again(key)
            return False
        zones.repairs[zone].done(key, version)
        zones.metrics.count("evcache_repaired_total", zone=zone)
        return True

    async def _written(self, zone: str, key: str, version: int) -> str:
        """Write the row of now, unless the zone has what it missed. Raises Unanswered, TruthError."""
        zones = self._zones
        assert self._truth is not None
        began_s = zones.loop.time()
        held = await zones.replicas[zone].leased(zones.keys.wire(key), zones.settings.lease_s)
        if held.copy is not None and held.copy.durable and held.copy.version >= version:
            return "newer"
        row = await self._truth.get(key)
        if zones.stays(held.copy, row.version, version):
            return "newer"
        life = Life(zones.ttl_s(None) if row.value is not None else zones.settings.longest_s, began_s)
        filled = held.cas is not None and await zones.fill(zone, key, Copy(row.version, row.value), life, held.cas)
        return "stored" if filled else "raced"
