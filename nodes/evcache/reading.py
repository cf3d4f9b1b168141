"""Reads: the near cache, the local zone, the other zones, the source of truth, which then fills the local zone or all.

It writes nothing that somebody said; `writing.py` does. Of several misses of one key one loads: in this process by a table,
among processes by memcached, whose `mg ... N` makes the first asker the winner (W) and tells the others (Z) to wait.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import NamedTuple

from nodes.evcache.memcached.errors import Unanswered
from nodes.evcache.packing import Copy
from nodes.evcache.replica import NOTHING, Held, Replica
from nodes.evcache.truth_client import TruthClient, TruthError
from nodes.evcache.zones import Zones

TRUTH, NEAR, NOWHERE = "truth", "near", "nowhere"
_PAUSE_S, _LONGEST_PAUSE_S = 0.001, 0.05


class Read(NamedTuple):
    """What was read; `value` is None for an absent row. `source` is a zone, `near`, `truth`, or `nowhere` without a truth."""

    value: bytes | None
    version: int
    source: str


class Reading:
    """`read` is the whole of it."""

    def __init__(self, zones: Zones, truth: TruthClient | None) -> None:
        self._zones, self._truth = zones, truth
        self._loads: dict[str, asyncio.Task[Read]] = {}
        settings = zones.settings
        self._lease = b"v c t N%d" % settings.lease_s + (b" R%d" % settings.refresh_s if settings.refresh_s else b"")
        self._near = settings.near_capacity > 0

    async def read(self, key: str) -> Read:
        """Raises BadKey; TruthError when no zone has it and the source of truth does not answer."""
        zones = self._zones
        wire = zones.keys.wire(key)
        if self._near:
            near = zones.near.get(key, zones.loop.time())
            if near is not None:
                zones.calls.note("GET", NEAR, 0, "hit", 0.0)
                return Read(near.value, near.version, NEAR)
        local, held = zones.local, NOTHING
        if local is not None and zones.repairs[local.zone].serves(key, zones.loop.time()):
            held = await self._look(local, key, wire, 0, self._lease)
            if held.copy is not None:
                if held.won:
                    self._load(key, wire, held)
                return self._found(key, held.copy, local.zone)
        return await asyncio.shield(self._load(key, wire, held))

    async def close(self) -> None:
        """End loads that nobody waits for."""
        for load in list(self._loads.values()):
            load.cancel()
        await asyncio.gather(*self._loads.values(), return_exceptions=True)

    # -- within --------------------------------------------------------------------------------------------------
    def _load(self, key: str, wire: bytes, held: Held) -> asyncio.Task[Read]:
        """The load of a key that is under way, or a new one."""
        load = self._loads.get(key)
        if load is None:
            load = self._loads[key] = self._zones.loop.create_task(self._loading(key, wire, held))
            load.add_done_callback(lambda task: self._loaded(key, task))
        else:
            self._zones.metrics.count("evcache_collapsed_total", where="process")
        return load

    def _loaded(self, key: str, task: asyncio.Task[Read]) -> None:
        del self._loads[key]
        if not task.cancelled() and task.exception() is not None:
            self._zones.metrics.count("evcache_failed_loads_total")  # whoever waits is told; perhaps nobody does

    async def _loading(self, key: str, wire: bytes, held: Held) -> Read:
        local = self._zones.local
        if local is not None and held.being_made and not held.won:
            held = await self._wait(local, key, wire)
            if held.copy is not None:
                return self._found(key, held.copy, local.zone)
        token = held.cas if held.won and held.cas is not None else None
        try:
            if held.copy is None and (read := await self._others(key, wire, token)) is not None:
                return read
            return await self._from_truth(key, wire, token)
        except BaseException:
            if token is not None and local is not None and held.copy is None:
                await _quietly(local.release(wire, token))
            raise

    async def _wait(self, local: Replica, key: str, wire: bytes) -> Held:
        """Until the winner has filled the zone, or its right to do so ends and this process wins."""
        zones, pause_s = self._zones, _PAUSE_S
        until_s = zones.loop.time() + zones.settings.collapse_s
        while zones.loop.time() < until_s:
            zones.metrics.count("evcache_collapsed_total", where="clients")
            await asyncio.sleep(pause_s)
            pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)
            held = await self._look(local, key, wire, 0, self._lease)
            if held.copy is not None or held.won or not held.being_made:
                return held
        return NOTHING

    async def _others(self, key: str, wire: bytes, token: int | None) -> Read | None:
        """The other zones in order; a find fills the local zone for as long as that copy may still live."""
        zones, local = self._zones, self._zones.local
        order = zones.order.next()
        for attempt, zone in enumerate(order):
            replica = zones.replicas[zone]
            if replica is local or not zones.repairs[zone].serves(key, zones.loop.time()):
                continue
            held = await self._look(replica, key, wire, attempt, b"v c t")
            if held.copy is None:
                continue
            if token is not None and local is not None and held.left_s > 0:
                await self._fill(local, key, wire, held.copy, min(held.left_s, zones.settings.longest_s), token)
            return self._found(key, held.copy, zone)
        return None

    async def _from_truth(self, key: str, wire: bytes, token: int | None) -> Read:
        zones, local, began_s = self._zones, self._zones.local, self._zones.loop.time()
        if self._truth is None:
            if token is not None and local is not None:
                await _quietly(local.release(wire, token))
            return Read(None, 0, NOWHERE)
        try:
            row = await self._truth.get(key)
        except TruthError:
            zones.calls.note("GET", TRUTH, 0, "error", zones.loop.time() - began_s)
            raise
        zones.calls.note("GET", TRUTH, 0, "miss" if row.value is None else "hit", zones.loop.time() - began_s)
        zones.versions.saw(row.version)
        copy, ttl_s = Copy(row.version, row.value), zones.ttl_s(None if row.value is not None else zones.settings.absent_s)
        if token is not None and local is not None:
            await self._fill(local, key, wire, copy, ttl_s, token)
        if zones.settings.fill_all:
            await asyncio.gather(*(_quietly(zones.store(zone, key, copy, ttl_s))
                                   for zone, replica in zones.replicas.items() if replica is not local))  # fmt: skip
        return self._found(key, copy, TRUTH)

    async def _fill(self, local: Replica, key: str, wire: bytes, copy: Copy, ttl_s: int, token: int) -> None:
        """A fill that fails leaves a miss, which is counted and harms nobody."""
        zones, began_s = self._zones, self._zones.loop.time()
        try:
            item, chunks = zones.packed(copy)
            if chunks:
                await local.put_chunks(zones.keys, key, copy.version, chunks, ttl_s)
            result = "stored" if await local.fill(wire, item, ttl_s, token) else "newer"
        except Unanswered as error:
            result = error.reason
        zones.calls.note("FILL", local.zone, 0, result, zones.loop.time() - began_s)

    async def _look(self, replica: Replica, key: str, wire: bytes, attempt: int, flags: bytes) -> Held:
        """One zone's copy, whole; NOTHING when the zone does not answer, which is counted."""
        zones = self._zones
        began_s = zones.loop.time()
        try:
            held = replica.held(await replica.ask(wire, flags))
            if held.copy is not None and held.copy.chunks:
                held = held._replace(copy=await replica.whole(zones.keys, key, held.copy))
        except Unanswered as error:
            zones.calls.note("GET", replica.zone, attempt, error.reason, zones.loop.time() - began_s)
            return NOTHING
        zones.calls.note("GET", replica.zone, attempt, "miss" if held.copy is None else "hit", zones.loop.time() - began_s)
        return held

    def _found(self, key: str, copy: Copy, source: str) -> Read:
        if self._near:
            self._zones.near.read(key, copy, self._zones.loop.time())
        return Read(copy.value, copy.version, source)


async def _quietly(call: Awaitable[object]) -> None:
    """Something whose failure only costs a later miss."""
    try:
        await call
    except Unanswered:
        return
