"""The zones of one cache with their replicas, which of them may be read, and what each still has to be told.

It neither reads nor writes; `reading.py`, `writing.py` and `repairing.py` do, and share this.
"""

from __future__ import annotations

import random
import time
from asyncio import Task, get_running_loop
from collections.abc import Callable
from typing import Any

from nodes.evcache.calls import Calls
from nodes.evcache.families import COUNTERS, OTHERS
from nodes.evcache.keys import Keys
from nodes.evcache.lifetime import Life, lifetime_s
from nodes.evcache.near import Near
from nodes.evcache.node_list import NodeList
from nodes.evcache.packing import SEAL, Copy, pack
from nodes.evcache.read_order import ReadOrder
from nodes.evcache.repairs import Repairs
from nodes.evcache.replica import Replica
from nodes.evcache.settings import Settings
from nodes.evcache.version import AHEAD_US, WRITERS, Versions, at_us
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
        metrics.declare(COUNTERS, OTHERS)
        self.replicas = {zone: Replica(zone, some, settings) for zone, some in nodes.zones.items()}
        self.repairs = {zone: Repairs(settings.repairs, settings.bound_s) for zone in nodes.zones}
        self.near: Near[Copy] = Near(settings.near_capacity, settings.near_s, settings.near_reads, settings.near_window_s)
        self.versions = Versions(random.SystemRandom().randrange(1, WRITERS))
        self.sealing: dict[tuple[str, str], Task[Any]] = {}
        """By zone and key: copies that are durable and are being sealed. Whoever reads here what it wrote waits for that."""
        self.told: Callable[[str, int, float | None], None] = lambda key, version, ttl_s: None
        """What is called of each write when it is durable, with the time to live that was asked."""
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

    def serves(self, zone: str) -> bool:
        """Whether a zone is read at all."""
        return zone in self.serving and not self.repairs[zone].shut(self.loop.time())

    def next_version(self) -> int:
        """Above all versions that were given or seen here."""
        return self.versions.next(time.time_ns() // 1000)

    def packed(self, copy: Copy) -> tuple[bytes, list[bytes]]:
        """The item and chunks of a copy. Raises ValueError for a value that is too large."""
        item, chunks = pack(copy.value, copy.version, self.settings.compress_above_bytes)
        return item + SEAL if copy.durable else item, chunks

    def stays(self, copy: Copy | None, version: int, failed: int = 0) -> bool:
        """Whether a zone's copy is left alone when there is a row of `version` to put in its place.

        One that is not durable is its writer's to seal, unless that write failed here (`failed`, or an earlier one) or began
        so long ago that its writer has given up, or is dated as no source of truth allows.
        """
        if copy is None:
            return False
        if copy.durable:
            return copy.version >= version
        age_us = time.time_ns() // 1000 - at_us(copy.version)
        return copy.version > version and copy.version > failed and -AHEAD_US <= age_us < (self.settings.write_s + 1) * 1e6

    def ttl_s(self, asked_s: float | None) -> int:
        """How long memcached may keep it. Raises ValueError."""
        return lifetime_s(asked_s, self.settings.longest_s, self.settings.jitter, random.random())

    def owe(self, zone: str, key: str, version: int) -> None:
        """A zone is to be set right."""
        if self.repairs[zone].add(key, version, self.loop.time()):
            self.metrics.count("evcache_repairs_queued_total", zone=zone)

    async def fill(self, zone: str, key: str, copy: Copy, life: Life, token: int) -> bool:
        """Store a durable copy with its chunks in place of what had the CAS number `token`. Raises Unanswered."""
        replica = self.replicas[zone]
        item, chunks = self.packed(copy)
        if chunks:
            await replica.put_chunks(self.keys, key, copy.version, chunks, life)
        return await replica.fill(self.keys.wire(key), item, life, token)

    def _gauges(self) -> None:
        for zone, replica in self.replicas.items():
            self.metrics.gauge("evcache_repairs_waiting", len(self.repairs[zone]), zone=zone)
            self.metrics.gauge("evcache_commands_waiting", replica.waiting, zone=zone)
            self.metrics.gauge("evcache_bad_copies", replica.bad_copies, zone=zone)
            self.metrics.gauge("evcache_zone_serves", float(self.serves(zone)), zone=zone)
            self.metrics.gauge("evcache_repairs_overflows", self.repairs[zone].overflows, zone=zone)
        self.metrics.gauge("evcache_near_keys", len(self.near))
        self.metrics.gauge("evcache_stale_bound_seconds", self.settings.bound_s)
