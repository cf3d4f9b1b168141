"""Warming: a zone that is written and not read is filled from a peer's copies, under a rate limit, and then serves.

It asks the source of truth nothing. What is newer than the peer's copy stays, and no copy lives longer than the peer's.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass
from functools import partial
from typing import TypeVar

from nodes.evcache.lifetime import Life
from nodes.evcache.memcached import metadump
from nodes.evcache.memcached.errors import Unanswered
from nodes.evcache.memcached.meta import Garbage
from nodes.evcache.node_list import Address, NodeList
from nodes.evcache.packing import BadCopy, unpack
from nodes.evcache.replica import Replica
from nodes.evcache.zones import Zones
from nodes.http.pacing import due_s

TOGETHER = 32
DUMP_S, BUSY_S = 30.0, 0.2
TRIES = 5
RATE_BPS = 80_000_000
Found = TypeVar("Found")
_ITEM_BYTES = 50
"""What an item costs on the wire beside its key and value."""


class WarmingError(Exception):
    """The peer could not be read, or the zone not be written; the message says which and why."""


@dataclass
class Progress:
    """How far it is. `state` is `listing`, `copying`, `done` or `failed`, with `cause`."""

    peer: str
    rate_bps: int
    state: str = "listing"
    listed: int = 0
    copied: int = 0
    skipped: int = 0
    copied_bytes: int = 0
    cause: str = ""


class Warming:
    """One zone at a time for each name; a zone that failed stays write-only, and may be warmed again."""

    def __init__(self, zones: Zones, nodes: NodeList) -> None:
        self._zones, self._nodes = zones, nodes
        self.progress: dict[str, Progress] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}

    def begin(self, zone: str, peer: str | None = None, rate_bps: int = RATE_BPS) -> Progress:
        """Fill a zone from a peer, by default the local zone or the first that serves. Raises ValueError."""
        zones = self._zones
        local = zones.local.zone if zones.local is not None else None
        others = [one for one in dict.fromkeys((local, *zones.serving)) if one is not None and one != zone]
        if zone not in zones.replicas:
            raise ValueError(f"'{zone}' is none of the zones {', '.join(zones.replicas)}")
        if peer is not None and peer not in others:
            raise ValueError(f"'{peer}' is no zone that serves beside {zone}; choose from {', '.join(others) or 'none'}")
        if not others:
            raise ValueError(f"no zone serves beside {zone}, so that none can fill it")
        if zone in self._tasks:
            raise ValueError(f"zone {zone} is being warmed already")
        zones.serve_only(zones.write_only | {zone})
        found = self.progress[zone] = Progress(peer or others[0], rate_bps)
        task = self._tasks[zone] = zones.loop.create_task(self._warm(zone, found))
        task.add_done_callback(lambda _: self._tasks.pop(zone, None))
        return found

    def told(self, zone: str) -> dict[str, object] | None:
        """The progress as JSON has it, or None where nobody warmed."""
        found = self.progress.get(zone)
        return None if found is None else asdict(found)

    async def close(self) -> None:
        """Stop; a zone that is not done stays write-only."""
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _warm(self, zone: str, progress: Progress) -> None:
        zones = self._zones
        for key, version in zones.repairs[progress.peer].some(len(zones.repairs[progress.peer])):
            zones.owe(zone, key, version)  # what the peer has missed it gives away as it is
        try:
            for node in self._nodes.zones[progress.peer]:
                keys = await _keys(node, zones.keys.mine)
                progress.state, progress.listed = "copying", progress.listed + len(keys)
                await self._copy(zones.replicas[progress.peer], zones.replicas[zone], keys, progress)
        except WarmingError as error:
            progress.state, progress.cause = "failed", str(error)
            zones.metrics.count("evcache_warmings_total", zone=zone, result="failed")
            return
        progress.state = "done"
        zones.metrics.count("evcache_warmings_total", zone=zone, result="done")
        zones.serve_only(zones.write_only - {zone})

    async def _copy(self, peer: Replica, replica: Replica, keys: list[bytes], progress: Progress) -> None:
        """Batch after batch, each when the rate allows. Raises WarmingError."""
        loop = self._zones.loop
        began_s, began_bytes = loop.time(), progress.copied_bytes
        for at in range(0, len(keys), TOGETHER):
            some = keys[at : at + TOGETHER]
            looks, looked_s = await _persistently(partial(_looked, peer, some))
            items = [(wire, item, Life(left_s - 1, looked_s)) for wire, (item, left_s) in zip(some, looks, strict=True)
                     if item is not None and left_s > 1 and self._whole(wire, item)]  # fmt: skip
            stored = await _persistently(partial(replica.add_raw, items))
            progress.copied += stored
            progress.skipped += len(some) - stored
            progress.copied_bytes += sum(len(wire) + len(item) + _ITEM_BYTES for wire, item, _ in items)
            self._zones.metrics.count("evcache_warmed_items_total", stored, zone=replica.zone)
            wait_s = began_s + due_s(progress.copied_bytes - began_bytes, progress.rate_bps) - loop.time()
            if wait_s > 0:
                await asyncio.sleep(wait_s)

    def _whole(self, wire: bytes, item: bytes) -> bool:
        """A copy that may be read, or a chunk of one."""
        if self._zones.keys.is_chunk(wire):
            return True
        try:
            return unpack(item).durable
        except BadCopy:
            return False


async def _looked(peer: Replica, wires: list[bytes]) -> tuple[list[tuple[bytes | None, int]], float]:
    """Items, and when they were asked for. Raises Unanswered."""
    asked_s = asyncio.get_running_loop().time()
    return await peer.raw(wires), asked_s


async def _persistently(call: Callable[[], Awaitable[Found]]) -> Found:
    """Again after a rest when a memcached does not answer. Raises WarmingError."""
    for pause_s in (0.1, 0.3, 1.0, None):
        try:
            return await call()
        except Unanswered as error:
            if pause_s is None:
                raise WarmingError(str(error)) from error
            await asyncio.sleep(pause_s)
    raise AssertionError("the last try returns or raises")


async def _keys(node: Address, mine: Callable[[bytes], bool]) -> list[bytes]:
    """All keys of a memcached that are ours, read without rest: a crawler that is not read from holds up others.

    Raises WarmingError.
    """
    for _ in range(TRIES):
        try:
            async with asyncio.timeout(DUMP_S):
                return await _dumped(node, mine)
        except metadump.Busy:
            await asyncio.sleep(BUSY_S)
        except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, Garbage) as error:
            raise WarmingError(f"memcached {node.where} could not list its keys: {error or type(error).__name__}") from error
    raise WarmingError(f"memcached {node.where} lists keys for somebody else; ask again later")


async def _dumped(node: Address, mine: Callable[[bytes], bool]) -> list[bytes]:
    reader, writer = await asyncio.open_connection(node.host, node.port)
    found = []
    try:
        writer.write(metadump.COMMAND)
        while (line := (await reader.readuntil(b"\n")).rstrip(b"\r\n")) != metadump.END:
            wire = metadump.key(line)
            if mine(wire):
                found.append(wire)
    finally:
        writer.close()
    return found
