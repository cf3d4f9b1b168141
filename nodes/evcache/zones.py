"""The zones of one cache with their replicas, which of them may be read, and what each still has to be told.

It neither reads nor writes; `reading.py`, `writing.py` and `repairing.py` do, and share this.
"""

from __future__ import annotations

import random
import time
from asyncio import get_running_loop

from nodes.evcache.calls import Calls
from nodes.evcache.keys import Keys
from nodes.evcache.lifetime import lifetime_s
from nodes.evcache.near import Near
from nodes.evcache.node_list import NodeList
from nodes.evcache.packing import Copy, pack
from nodes.evcache.read_order import ReadOrder
from nodes.evcache.repairs import Repairs
from nodes.evcache.replica import Replica
from nodes.evcache.settings import Settings
from nodes.evcache.version import WRITERS, Versions
from nodes.http.metrics import Metrics


class Zones:
    """What all parts of one cache have in common. Raises ValueError for zones that are not in the list."""

    def __init__(self, nodes: NodeList, settings: Settings, metrics: Metrics) -> None:
        for zone in settings.write_only:
            if zone not in nodes.zones:
                raise ValueError(f"'{zone}' is none of the zones {', '.join(nodes.zones)}")
        self.settings, self.app = settings, nodes.app
        self.keys = Keys(settings.namespace)
        self.calls = Calls(metrics, nodes.app)
        self.metrics = metrics
        self.replicas = {zone: Replica(zone, some, settings) for zone, some in nodes.zones.items()}
        self.repairs = {zone: Repairs(settings.repairs, settings.longest_s + 1) for zone in nodes.zones}
        self.near: Near[Copy] = Near(settings.near_capacity, settings.near_s, settings.near_reads, settings.near_window_s)
        self.versions = Versions(random.SystemRandom().randrange(1, WRITERS))
        self.loop = get_running_loop()
        self.write_only = set[str]()
        self.serving: list[str] = []
        self.serve_only(set(settings.write_only))
        metrics.before_text(self._gauges)

    def serve_only(self, write_only: set[str]) -> None:
        """Say anew which zones are written and not read; all others serve. Raises ValueError for an unknown one."""
        for zone in write_only:
            if zone not in self.replicas:
                raise ValueError(f"'{zone}' is none of the zones {', '.join(self.replicas)}")
        self.write_only = write_only
        self.serving = [zone for zone in self.replicas if zone not in write_only]
        local = self.settings.local_zone
        if local is not None and local not in self.replicas:
            raise ValueError(f"'{local}' is none of the zones {', '.join(self.replicas)}")
        self.local = self.replicas[local] if local in self.serving and local is not None else None
        self.order = ReadOrder(self.serving, local if self.local else None)

    def next_version(self) -> int:
        """Above all versions that were given or seen here."""
        return self.versions.next(time.time_ns() // 1000)

    def packed(self, copy: Copy) -> tuple[bytes, list[bytes]]:
        """The item and chunks of a copy. Raises ValueError for a value that is too large."""
        return pack(copy.value, copy.version, self.settings.compress_above_bytes)

    def ttl_s(self, asked_s: float | None) -> int:
        """How long memcached may keep it. Raises ValueError."""
        return lifetime_s(asked_s, self.settings.longest_s, self.settings.jitter, random.random())

    def owe(self, zone: str, key: str, version: int, *, undone: bool = False) -> None:
        """A zone is to be set right."""
        if self.repairs[zone].add(key, version, self.loop.time(), undone=undone):
            self.metrics.count("evcache_repairs_queued_total", zone=zone)

    async def store(self, zone: str, key: str, copy: Copy, ttl_s: int, undone: frozenset[int] = frozenset()) -> bool:
        """Store a copy in a zone with its chunks, unless it has as new a one. Raises Unanswered."""
        replica = self.replicas[zone]
        item, chunks = self.packed(copy)
        if chunks:
            await replica.put_chunks(self.keys, key, copy.version, chunks, ttl_s)
        return await replica.put(self.keys.wire(key), item, copy.version, ttl_s, undone)

    def _gauges(self) -> None:
        for zone, replica in self.replicas.items():
            self.metrics.gauge("evcache_repairs_waiting", len(self.repairs[zone]), zone=zone)
            self.metrics.gauge("evcache_commands_waiting", replica.waiting, zone=zone)
            self.metrics.gauge("evcache_bad_copies", replica.bad_copies, zone=zone)
            self.metrics.gauge("evcache_zone_serves", float(zone in self.serving), zone=zone)
        self.metrics.gauge("evcache_near_keys", len(self.near))
        self.metrics.gauge("evcache_stale_bound_seconds", self.settings.bound_s)
