"""Reads: the near cache, the local zone, the other zones, the source of truth, which then fills the local zone or all.

It writes nothing that somebody said; `writing.py` does. Of several misses of one key one loads: in this process by a table,
among processes by memcached, whose `mg ... N` makes the first asker the winner (W) and tells the others (Z) to wait.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import NamedTuple

from nodes.evcache.lifetime import Life
from nodes.evcache.memcached.errors import Unanswered
from nodes.evcache.packing import Copy
from nodes.evcache.replica import NOTHING, Held, Replica
from nodes.evcache.staleness import Staleness
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
        self._flags = b"v c t" + (b" R%d" % settings.refresh_s if settings.refresh_s else b"")
        self._lease = b"v c t N%d" % settings.lease_s
        self._near = settings.near_capacity > 0
        self._staleness, self._checks = Staleness(zones, truth), settings.check_reads > 0 and truth is not None

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
            held = await self._look(local, key, wire, 0, self._flags)
            if held.copy is not None and not held.copy.durable and (sealing := zones.sealing.get((local.zone, key))):
                await asyncio.wait((sealing,), timeout=zones.settings.read_s)  # written here: it is durable, and soon says so
                held = await self._look(local, key, wire, 0, self._flags)
            if held.copy is not None and held.copy.durable:
                if held.won:
                    self._load(key, wire, held)
                if self._checks:
                    self._staleness.read(key, held.copy.version, local.zone)
                return self._found(key, held.copy, local.zone)
        return await asyncio.shield(self._load(key, wire, held))

    async def close(self) -> None:
        """End loads that nobody waits for."""
        await self._staleness.close()
        for load in list(self._loads.values()):
            load.cancel()
        await asyncio.gather(*self._loads.values(), return_exceptions=True)

    # -- within --------------------------------------------------------------------------------------------------
    def _load(self, key: str, wire: bytes, held: Held) -> asyncio.Task[Read]:
        """The load of a key that is under way, or a new one."""
        load = self._loads.get(key) if self._zones.settings.collapse else None
        if load is None:
            load = self._loads[key] = self._zones.loop.create_task(self._loading(key, wire, held))
            load.add_done_callback(lambda task: self._loaded(key, task))
        else:
            self._zones.metrics.count("evcache_collapsed_total", where="process")
        return load

    def _loaded(self, key: str, task: asyncio.Task[Read]) -> None:
        if self._loads.get(key) is task:
            del self._loads[key]
        if not task.cancelled() and task.exception() is not None:
            self._zones.metrics.count("evcache_failed_loads_total")  # whoever waits is told; perhaps nobody does

    async def _loading(self, key: str, wire: bytes, held: Held) -> Read:
        """Of what is not durable yet only the source of truth can say what it is; what grows old is loaded anew there."""
        if held.copy is None and (read := await self._others(key, wire)) is not None:
            return read
        if self._truth is None:
            return Read(None, 0, NOWHERE)
        fills = {}
        local = self._zones.local
        if held.won and local is not None:
            fills[local] = held
        elif local is not None and self._zones.repairs[local.zone].serves(key, self._zones.loop.time()):
            held = await self._leased(local, key, wire)
            if held.copy is not None and held.copy.durable:
                return self._found(key, held.copy, local.zone)
            fills[local] = held
        if self._zones.settings.fill_all:
            others = [replica for replica in self._zones.replicas.values() if replica is not local]
            looks = await asyncio.gather(*(self._look(replica, key, wire, 0, self._lease, "LEASE") for replica in others))
            fills |= dict(zip(others, looks, strict=True))
        try:
            return await self._from_truth(key, wire, fills)
        except BaseException:
            for replica, one in fills.items():
                if one.won and one.copy is None and one.cas is not None:
                    await _quietly(replica.release(wire, one.cas))
            raise

    async def _leased(self, local: Replica, key: str, wire: bytes) -> Held:
        """With the sole right to load the key; or what another made meanwhile; NOTHING when that took too long."""
        zones, pause_s = self._zones, _PAUSE_S
        held = await self._look(local, key, wire, 0, self._lease, "LEASE")
        until_s = zones.loop.time() + (zones.settings.collapse_s if zones.settings.collapse else 0.0)
        while held.copy is None and held.being_made and not held.won:
            if zones.loop.time() >= until_s:
                return NOTHING
            zones.metrics.count("evcache_collapsed_total", where="clients")
            await asyncio.sleep(pause_s)
            pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)
            held = await self._look(local, key, wire, 0, self._lease, "LEASE")
        return held

    async def _others(self, key: str, wire: bytes) -> Read | None:
        """The other zones in order. What is found there is not copied here: it may be a version that that zone has from before,
        and older than what this one had."""
        zones = self._zones
        for attempt, zone in enumerate(zones.order.next()):
            replica = zones.replicas[zone]
            if replica is zones.local or not zones.repairs[zone].serves(key, zones.loop.time()):
                continue
            copy = (await self._look(replica, key, wire, attempt, b"v c t")).copy
            if copy is not None and copy.durable:
                if self._checks:
                    self._staleness.read(key, copy.version, zone)
                return self._found(key, copy, zone)
            if copy is not None:
                break
        return None

    async def _from_truth(self, key: str, wire: bytes, fills: dict[Replica, Held]) -> Read:
        """The row, which takes the place of what was held: looked at before the row was read, so it is older."""
        zones, began_s = self._zones, self._zones.loop.time()
        assert self._truth is not None
        try:
            row = await self._truth.get(key)
        except TruthError:
            zones.calls.note("GET", TRUTH, 0, "error", zones.loop.time() - began_s)
            raise
        zones.calls.note("GET", TRUTH, 0, "miss" if row.value is None else "hit", zones.loop.time() - began_s)
        zones.versions.saw(row.version)
        copy = Copy(row.version, row.value)
        found = self._found(key, copy, TRUTH)
        if self._loads.get(key) is asyncio.current_task():  # a fill may take long; who comes meanwhile is not to have this row
            del self._loads[key]
        life = Life(zones.ttl_s(None if row.value is not None else zones.settings.absent_s), began_s)
        await asyncio.gather(*(self._fill(replica, key, copy, life, held.cas) for replica, held in fills.items()
                               if held.cas is not None and (held.won or not zones.stays(held.copy, row.version))))  # fmt: skip
        return found

    async def _fill(self, replica: Replica, key: str, copy: Copy, life: Life, token: int) -> None:
        """A fill that fails leaves a miss, which is counted and harms nobody."""
        zones, began_s = self._zones, self._zones.loop.time()
        try:
            result = "stored" if await zones.fill(replica.zone, key, copy, life, token) else "newer"
        except Unanswered as error:
            result = error.reason
        zones.calls.note("FILL", replica.zone, 0, result, zones.loop.time() - began_s)

    async def _look(self, replica: Replica, key: str, wire: bytes, attempt: int, flags: bytes, operation: str = "GET") -> Held:
        """One zone's copy, whole; NOTHING when the zone does not answer, which is counted."""
        zones = self._zones
        began_s = zones.loop.time()
        try:
            held = replica.held(await replica.ask(wire, flags))
            if held.copy is not None and held.copy.chunks and held.copy.durable:
                held = held._replace(copy=await replica.whole(zones.keys, key, held.copy))
            result = "miss" if held.copy is None else "hit" if held.copy.durable else "unsealed"
        except Unanswered as error:
            held, result = NOTHING, error.reason
        zones.calls.note(operation, replica.zone, attempt, result, zones.loop.time() - began_s)
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
