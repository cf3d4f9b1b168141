"""`EVCache`: the cache as an asyncio class. It is a client: the bytes are in memcached, the rows at the source of truth.

    cache = EVCache(parse("APP-NODES=zone0=127.0.0.1:11211;zone1=127.0.0.1:11212"), Settings(local_zone="zone0"), truth)
    await cache.put("tea", b"green")
    await cache.get("tea")
    await cache.close()
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence

from nodes.evcache.node_list import NodeList
from nodes.evcache.reading import Read, Reading
from nodes.evcache.repairing import Repairing
from nodes.evcache.replication.batch import Row
from nodes.evcache.replication.relay import Relay
from nodes.evcache.settings import Settings
from nodes.evcache.truth_client import TruthClient, TruthError
from nodes.evcache.warming import Warming
from nodes.evcache.writing import Writing, Written
from nodes.evcache.zones import Zones
from nodes.http.metrics import Metrics
from nodes.http.origin_address import Origin

MOST_AT_ONCE = 256


class EVCache:
    """Made inside a running loop. Without `truth` it is a cache alone: what no zone has is absent, and nothing is repaired
    but by the next write of the same key."""

    def __init__(
        self, nodes: NodeList, settings: Settings, truth: TruthClient | None, metrics: Metrics | None = None,
        regions: Mapping[str, Origin] | None = None,
    ) -> None:  # fmt: skip
        """`regions` are other regions' caches, which are told of every write. Raises ValueError."""
        self.zones = Zones(nodes, settings, metrics or Metrics("evcache"))
        self._truth = truth
        self._reading, self._writing = Reading(self.zones, truth), Writing(self.zones, truth)
        self._repairing = Repairing(self.zones, truth)
        self.warming = Warming(self.zones, nodes)
        self.relays = {region: Relay(region, where, self.zones, self._reading, truth)
                       for region, where in (regions or {}).items() if truth is not None}  # fmt: skip
        if self.relays:
            self.zones.told = self._tell
        self.read = self._reading.read
        """`await read(key)` gives a `Read`: the value with its version and where it was found."""

    async def get(self, key: str) -> bytes | None:
        """The value, or None when the row is absent. Raises BadKey, TruthError."""
        return (await self.read(key)).value

    async def get_many(self, keys: Iterable[str]) -> dict[str, Read]:
        """Several at once; commands to one node leave together. Raises BadKey, TruthError."""
        distinct, found = list(dict.fromkeys(keys)), {}
        for at in range(0, len(distinct), MOST_AT_ONCE):
            some = distinct[at : at + MOST_AT_ONCE]
            reads = await asyncio.gather(*map(self.read, some), return_exceptions=True)
            for key, read in zip(some, reads, strict=True):
                if isinstance(read, BaseException):
                    raise read
                found[key] = read
        return found

    async def put(self, key: str, value: bytes, ttl_s: float | None = None, policy: str | None = None) -> Written:
        """Returns when the source of truth and the policy's number of zones have it. Raises BadKey, ValueError, TruthError."""
        return await self._writing.write(key, value, ttl_s, policy)

    async def delete(self, key: str, policy: str | None = None) -> Written:
        """As `put`; the zones remember the absence, so that no older write comes back. Raises BadKey, TruthError."""
        return await self._writing.write(key, None, None, policy)

    async def touch(self, key: str, ttl_s: float | None = None) -> int:
        """Let the newest version live on; gives how many zones had it. Raises BadKey, ValueError, TruthError."""
        return await self._writing.touch(key, ttl_s)

    async def accept(self, rows: Sequence[Row]) -> list[str]:
        """Writes of another region: of each whether it was `stored`, `older` than what is here, or `failed`. Raises BadKey."""

        async def one(row: Row) -> str:
            try:
                return "stored" if await self._writing.accept(row.key, row.version, row.value, row.ttl_s) else "older"
            except TruthError:
                return "failed"

        return list(await asyncio.gather(*map(one, rows)))

    def _tell(self, key: str, version: int, ttl_s: float | None) -> None:
        for relay in self.relays.values():
            relay.tell(key, version, ttl_s)

    @property
    def waiting_repairs(self) -> int:
        """Keys that some zone still has to be told of."""
        return sum(map(len, self.zones.repairs.values()))

    async def settled(self) -> None:
        """Wait until no write is under way in any zone: what is durable then is sealed, or waits for repair."""
        await self._writing.close()

    async def close(self) -> None:
        """Finish what is being written, then let go."""
        await self.warming.close()
        await self._writing.close()
        for relay in self.relays.values():
            await relay.close()
        await self._repairing.close()
        await self._reading.close()
        for replica in self.zones.replicas.values():
            replica.close()
        if self._truth is not None:
            self._truth.close()
