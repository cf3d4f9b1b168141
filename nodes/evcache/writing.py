"""Writes: to the source of truth and all zones at the same time; a write returns when the truth has it and as many zones
as its policy says.

It repairs nothing itself: what a zone missed is queued for `repairing.py`. A write that is not durable is undone in the zones.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from nodes.evcache.memcached.errors import Unanswered
from nodes.evcache.packing import Copy
from nodes.evcache.truth_client import Superseded, TruthClient, TruthError
from nodes.evcache.write_policy import needed
from nodes.evcache.zones import Zones

TRIES = 4
"""How often a write takes a higher version because another writer's clock is ahead."""


@dataclass(frozen=True)
class Written:
    """A durable write. `copies` of the `needed` serving zones had it when the call returned."""

    version: int
    copies: int
    needed: int

    @property
    def met(self) -> bool:
        """Whether the policy was satisfied; what is missing is repaired."""
        return self.copies >= self.needed


class Writing:
    """`write` and `touch`."""

    def __init__(self, zones: Zones, truth: TruthClient | None) -> None:
        self._zones, self._truth = zones, truth
        self._running: set[asyncio.Task[None]] = set()

    async def write(self, key: str, value: bytes | None, ttl_s: float | None, policy: str | None) -> Written:
        """Store, or delete with None. Raises BadKey, ValueError; TruthError, after which nothing is acknowledged."""
        zones = self._zones
        zones.keys.wire(key)
        wanted = needed(policy or zones.settings.policy, len(zones.serving))
        life_s = zones.ttl_s(ttl_s) if value is not None else zones.settings.longest_s
        zones.packed(Copy(1, value))
        for last in (False,) * (TRIES - 1) + (True,):
            version = zones.next_version()
            try:
                copies = await self._once(key, Copy(version, value), life_s, wanted)
            except Superseded as error:
                zones.versions.saw(error.version)
                zones.metrics.count("evcache_superseded_total")
                if last:
                    raise TruthError(f"others wrote '{key}' before this did {TRIES} times", unsure=False) from error
                continue
            return Written(version, copies, wanted)
        raise AssertionError("the last try returns or raises")

    async def touch(self, key: str, ttl_s: float | None) -> int:
        """Let the newest version live on in all zones; gives how many had it. Raises BadKey, ValueError, TruthError."""
        zones = self._zones
        wire, life_s = zones.keys.wire(key), zones.ttl_s(ttl_s)
        if self._truth is None:
            raise TruthError("there is no source of truth that says which version is the newest", unsure=False)
        row = await self._truth.get(key, value=False)
        if row.value is None:
            return 0
        results = await asyncio.gather(*(self._touch(zone, key, wire, row.version, life_s) for zone in zones.replicas))
        return sum(results)

    async def close(self) -> None:
        """Wait for zones that are still being written."""
        if self._running:
            await asyncio.wait(list(self._running))

    # -- within --------------------------------------------------------------------------------------------------
    async def _once(self, key: str, copy: Copy, life_s: int, wanted: int) -> int:
        """One version to everybody; gives how many serving zones had it. Raises Superseded, TruthError."""
        zones, loop = self._zones, self._zones.loop
        zones.near.drop(key)
        durable = loop.create_task(self._truth.put(key, copy.version, copy.value)) if self._truth is not None else None
        stores = {zone: loop.create_task(self._store(zone, key, copy, life_s)) for zone in zones.replicas}
        for zone, store in stores.items():
            settled = loop.create_task(self._settle(zone, key, copy.version, store, durable))
            self._running.add(settled)
            settled.add_done_callback(self._running.discard)
        if durable is not None:
            try:
                await asyncio.shield(durable)
            except (Superseded, TruthError):
                for zone in zones.replicas:  # now: the caller's next read shall not find it
                    zones.owe(zone, key, copy.version, undone=True)
                raise
        counted = [stores[zone] for zone in zones.serving]
        pending = {task for task in counted if not task.done()}
        while pending and sum(task.done() and task.result() for task in counted) < wanted:
            _, pending = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
        return sum(task.done() and task.result() for task in counted)

    async def _settle(
        self, zone: str, key: str, version: int, store: asyncio.Task[bool], durable: asyncio.Task[None] | None
    ) -> None:  # fmt: skip
        """Also for a caller that has left: what is not durable is not read from the zone, and undone once it was stored."""
        error: BaseException | None = None
        if durable is not None:
            await asyncio.wait((durable,))
            error = durable.exception()
            if error is not None:
                self._zones.owe(zone, key, version, undone=True)
        await asyncio.wait((store,))
        self._zones.near.drop(key)  # a read may have put the version of before there meanwhile
        if error is not None:
            self._zones.owe(zone, key, version, undone=True)
            if isinstance(error, TruthError) and error.unsure:  # it may still be done: look once more when that is over
                self._zones.loop.call_later(self._zones.settings.write_s, self._zones.owe, zone, key, version)

    async def _store(self, zone: str, key: str, copy: Copy, life_s: int) -> bool:
        """Whether the zone has this version or a newer one."""
        zones, began_s = self._zones, self._zones.loop.time()
        operation = "DELETE" if copy.value is None else "SET"
        try:
            result = "stored" if await zones.store(zone, key, copy, life_s) else "newer"
        except Unanswered as error:
            result = error.reason
            zones.owe(zone, key, copy.version)
        zones.calls.note(operation, zone, 0, result, zones.loop.time() - began_s)
        return result in ("stored", "newer")

    async def _touch(self, zone: str, key: str, wire: bytes, version: int, life_s: int) -> bool:
        zones, began_s = self._zones, self._zones.loop.time()
        try:
            had = await zones.replicas[zone].touch(wire, version, life_s)
            result = "hit" if had else "miss"
        except Unanswered as error:
            had, result = False, error.reason
        zones.calls.note("TOUCH", zone, 0, result, zones.loop.time() - began_s)
        return had
