"""Writes: to the source of truth and all zones at the same time; a write returns when the truth has it and as many zones
as its policy says.

It repairs nothing itself: what a zone missed is queued for `repairing.py`. A zone may have a copy before it is durable; nobody
reads it until it is sealed, which happens when the truth has answered. One that is never durable is never read.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from nodes.evcache.lifetime import Life
from nodes.evcache.memcached.errors import Unanswered
from nodes.evcache.packing import Copy
from nodes.evcache.replica import Put
from nodes.evcache.truth_client import Ahead, Superseded, TruthClient, TruthError
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


@dataclass(frozen=True)
class _Write:
    """What goes to every zone."""

    copy: Copy
    item: bytes
    chunks: list[bytes]
    life: Life


class Writing:
    """`write` and `touch`."""

    def __init__(self, zones: Zones, truth: TruthClient | None) -> None:
        self._zones, self._truth = zones, truth
        self._running: set[asyncio.Task[None]] = set()
        self._doubt = False
        """The source of truth did not answer last time: zones are then written after it, because what they have may be all that
        can be read for a while."""

    async def write(self, key: str, value: bytes | None, ttl_s: float | None, policy: str | None) -> Written:
        """Store, or delete with None. Raises BadKey, ValueError; TruthError, after which nothing is acknowledged."""
        zones = self._zones
        zones.keys.wire(key)
        wanted = needed(policy or zones.settings.policy, len(zones.serving))
        life_s = zones.ttl_s(ttl_s) if value is not None else zones.settings.longest_s
        for last in (False,) * (TRIES - 1) + (True,):
            version = zones.next_version()
            try:
                copies = await self._once(key, Copy(version, value, durable=self._truth is None), life_s, wanted,
                                          partial(zones.told, key, version, ttl_s))  # fmt: skip
            except Superseded as error:
                zones.versions.saw(error.version)
                zones.metrics.count("evcache_superseded_total")
                if last:
                    raise TruthError(f"others wrote '{key}' before this did {TRIES} times", unsure=False) from error
                continue
            except Ahead:
                zones.versions.refused()
                raise
            zones.versions.saw(version)
            return Written(version, copies, wanted)
        raise AssertionError("the last try returns or raises")

    async def accept(self, key: str, version: int, value: bytes | None, ttl_s: float | None) -> bool:
        """A write of another region, which is not told of it again. False when a newer one stands here. Raises BadKey,
        ValueError; TruthError, after which it is to be sent again."""
        zones = self._zones
        zones.keys.wire(key)
        life_s = zones.ttl_s(ttl_s) if value is not None else zones.settings.longest_s
        try:
            await self._once(key, Copy(version, value, durable=False), life_s, 0, lambda: None)
        except Superseded as error:
            zones.versions.saw(error.version)
            return False
        zones.versions.saw(version)
        return True

    async def touch(self, key: str, ttl_s: float | None) -> int:
        """Let the newest version live on in all zones; gives how many had it. Raises BadKey, ValueError, TruthError."""
        zones = self._zones
        zones.keys.wire(key)
        life = Life(zones.ttl_s(ttl_s), zones.loop.time())
        if self._truth is None:
            raise TruthError("there is no source of truth that says which version is the newest", unsure=False)
        row = await self._truth.get(key, value=False)
        if row.value is None:
            return 0
        results = await asyncio.gather(*(self._touch(zone, key, row.version, life) for zone in zones.replicas))
        return sum(results)

    async def close(self) -> None:
        """Wait for zones that are still being written."""
        if self._running:
            await asyncio.wait(list(self._running))

    # -- within --------------------------------------------------------------------------------------------------
    async def _once(self, key: str, copy: Copy, life_s: int, wanted: int, durably: Callable[[], None]) -> int:
        """One version to everybody; gives how many serving zones had it. `durably` is called when the source of truth has it,
        also when the caller has left. Raises Superseded, TruthError."""
        zones, loop = self._zones, self._zones.loop
        zones.near.drop(key)
        item, chunks = zones.packed(copy)
        write = _Write(copy, item, chunks, Life(life_s, loop.time()))
        durable = loop.create_task(self._truth.put(key, copy.version, copy.value)) if self._truth is not None else None
        stored: dict[str, asyncio.Future[bool]] = {zone: loop.create_future() for zone in zones.replicas}
        for zone, told in stored.items():
            one = loop.create_task(self._zone(zone, key, write, durable, told))
            self._running.add(one)
            one.add_done_callback(self._running.discard)
        if durable is not None:
            durable.add_done_callback(lambda task: self._answered(task, durably))
            await asyncio.shield(durable)
        counted = [stored[zone] for zone in zones.serving]
        pending = {told for told in counted if not told.done()}
        until_s = loop.time() + zones.settings.write_s + zones.settings.read_s  # a zone that is silent is known to be by then
        while pending and sum(told.done() and told.result() for told in counted) < wanted:
            done, pending = await asyncio.wait(pending, timeout=until_s - loop.time(), return_when=asyncio.FIRST_COMPLETED)
            if not done:  # a zone that answers each of many commands just in time; it is written all the same
                break
        return sum(told.done() and told.result() for told in counted)

    def _answered(self, durable: asyncio.Task[None], durably: Callable[[], None]) -> None:
        error = durable.exception()
        self._doubt = isinstance(error, TruthError)
        if error is None:
            durably()
        elif isinstance(error, TruthError) and error.unsure:
            self._zones.loop.call_later(self._zones.settings.write_s, durably)

    async def _zone(
        self, zone: str, key: str, write: _Write, durable: asyncio.Task[None] | None, told: asyncio.Future[bool]
    ) -> None:  # fmt: skip
        """Store in one zone, `told` whether it has this version or a durable newer one, and seal the copy when it is durable.
        It goes on for a caller that has left."""
        zones, version, doubt = self._zones, write.copy.version, self._doubt
        if durable is not None and doubt:
            await asyncio.wait((durable,))
        stored = Put(None)
        if durable is None or not doubt or durable.exception() is None:
            stored = await self._store(zone, key, write, told)
        else:
            told.set_result(False)
        if durable is not None:
            await asyncio.wait((durable,))
            error = durable.exception()
            unsure = isinstance(error, TruthError) and error.unsure
            if error is not None and (unsure or not doubt or isinstance(error, Superseded)):
                zones.owe(zone, key, version)
            if error is None and not told.result():  # a repair of before found the row of before, or what is there is in doubt
                zones.owe(zone, key, max(version, stored.doubtful))
            if unsure:  # it may still be done: look once more when that is over
                zones.loop.call_later(zones.settings.write_s, zones.owe, zone, key, version)
            if error is None and stored.cas is not None:
                await self._seal(zone, key, write, stored.cas)
        zones.near.drop(key)  # a read may have put the version of before there meanwhile

    async def _store(self, zone: str, key: str, write: _Write, told: asyncio.Future[bool]) -> Put:
        """What became of it; as if something newer were there where the zone did not answer."""
        zones, replica, began_s, stored = self._zones, self._zones.replicas[zone], self._zones.loop.time(), Put(None)
        try:
            if write.chunks:
                await replica.put_chunks(zones.keys, key, write.copy.version, write.chunks, write.life)
            stored = await replica.put(zones.keys.wire(key), write.item, write.copy.version, write.life)
            result = "newer" if stored.cas is None else "stored"
            if self._truth is None:  # nobody repairs, so the next write has to
                zones.repairs[zone].written(key, write.copy.version)
        except Unanswered as error:
            result = error.reason
            zones.owe(zone, key, write.copy.version)
        told.set_result(result in ("stored", "newer") and not stored.doubtful)
        operation = "DELETE" if write.copy.value is None else "SET"
        zones.calls.note(operation, zone, 0, result, zones.loop.time() - began_s)
        return stored

    async def _seal(self, zone: str, key: str, write: _Write, cas: int) -> None:
        zones, began_s, task = self._zones, self._zones.loop.time(), asyncio.current_task()
        assert task is not None
        zones.sealing[(zone, key)] = task
        try:
            sealed = await zones.replicas[zone].seal(zones.keys.wire(key), write.item, write.copy.version, write.life, cas)
            result = "stored" if sealed else "gone"
        except Unanswered as error:
            result = error.reason
        finally:
            if zones.sealing.get((zone, key)) is task:
                del zones.sealing[(zone, key)]
        if result != "stored":
            zones.owe(zone, key, write.copy.version)
        zones.calls.note("SEAL", zone, 0, result, zones.loop.time() - began_s)

    async def _touch(self, zone: str, key: str, version: int, life: Life) -> bool:
        zones, began_s = self._zones, self._zones.loop.time()
        try:
            had = await zones.replicas[zone].touch(zones.keys, key, version, life)
            result = "hit" if had else "miss"
        except Unanswered as error:
            had, result = False, error.reason
        zones.calls.note("TOUCH", zone, 0, result, zones.loop.time() - began_s)
        return had
