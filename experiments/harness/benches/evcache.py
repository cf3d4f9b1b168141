"""The cache's client beside pymemcache: gets over loopback from real memcached, the HTTP face, hits on SSD, writes to zones.

Servers have processor 0, the client processor 1. pymemcache is asked one key at a time, which is what its `get` can; its
`get_many`, one command for 64 keys that the caller knows beforehand, stands beside ours without a goal.
"""

from __future__ import annotations

import asyncio
import os
import statistics
import tempfile
import time
import urllib.request
from collections.abc import Awaitable, Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from pymemcache.client.base import Client

from experiments.harness.bench import Row
from experiments.harness.load import wrk
from experiments.harness.load.engine import Engine
from experiments.harness.load.turns import say
from nodes.evcache.cache import EVCache
from nodes.evcache.node_list import NodeList, parse
from nodes.evcache.settings import Settings
from nodes.evcache.truth_client import TruthClient
from nodes.http.origin_address import parse_origin

SERVER, CLIENT = "0", "1"
KEYS = [f"key{number}" for number in range(64)]
VALUE = os.urandom(1024)
SSD_BYTES, SSD_KEYS = 256 * 2**20, 20_000


def measure(repetitions: int) -> list[Row]:
    """The table of docs/evcache.md."""
    return _measure(repetitions, 20_000)


def quick() -> list[Row]:
    """The same with one short run of each."""
    return _measure(1, 4_000)


def _measure(repetitions: int, gets: int) -> list[Row]:
    with tempfile.TemporaryDirectory(prefix="longhaul-bench-") as folder, ExitStack() as stack:
        stack.enter_context(_on(CLIENT))
        zones = [stack.enter_context(Engine("memcached", cpus=SERVER)) for _ in range(3)]
        peer = Client((zones[0].host, zones[0].port), no_delay=True)
        peer.set_many(dict.fromkeys(KEYS, VALUE))
        samples: dict[str, list[float]] = {}
        for number in range(repetitions):
            figures = _peer(peer, gets) | asyncio.run(_gets(zones[:1], gets)) | asyncio.run(_puts(zones, gets // 10))
            for name, value in figures.items():
                samples.setdefault(name, []).append(value)
            say(f"  run {number + 1}: " + ", ".join(f"{name} {values[-1]:.4g}" for name, values in samples.items()))
        face = _face(zones[0], folder, repetitions, stack)
        p50_ms, p99_ms = zip(*_on_ssd(folder, gets, repetitions, stack), strict=True)
        relayed = _relayed(folder, zones, gets // 5, repetitions, stack)
        warmed = tuple(asyncio.run(_warmed(zones[:2], gets)) / 1e3 for _ in range(repetitions))
    several = {name: tuple(values) for name, values in samples.items()}
    return [
        Row("gets of 1 KiB, 64 under way", "1000/s", several["rate"], None, "pymemcache get", several["peer rate"], 30, 0.5),
        Row("get of 64 keys at once, per key", "1000/s", several["many"], None, "pymemcache get_many", several["peer many"]),
        Row("one get after another, median", "us", several["median"], None, "pymemcache get", several["peer median"],
            ratio_at_most=1.3),
        Row("HTTP face, gets of 1 KiB, 64 connections", "1000/s", face, at_least=8),
        Row("hit on SSD, 1 KiB, median", "ms", p50_ms, 0.3),
        Row("hit on SSD, 1 KiB, p99", "ms", p99_ms, 1.0),
        Row("rows that a relay sets in another region", "1000/s", relayed),
        Row("items that warming copies", "1000/s", warmed),
        Row("write to 3 zones beyond its slowest counted zone", "ms", several["beyond"], 0.3),
    ]  # fmt: skip


@contextmanager
def _on(cpus: str) -> Iterator[None]:
    """This process on these processors, and where it was afterwards."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, set(map(int, cpus.split(","))) & before or before)
    yield
    os.sched_setaffinity(0, before)


def _peer(client: Client, gets: int) -> dict[str, float]:
    times, begun = [], time.perf_counter()
    for number in range(gets):
        before = time.perf_counter()
        if client.get(KEYS[number % 64]) != VALUE:
            raise AssertionError("pymemcache did not get what was set")
        times.append(time.perf_counter() - before)
    rate = gets / (time.perf_counter() - begun)
    begun = time.perf_counter()
    for _ in range(gets // 64):
        client.get_many(KEYS)
    return {"peer rate": rate / 1e3, "peer median": statistics.median(times) * 1e6,
            "peer many": gets // 64 * 64 / (time.perf_counter() - begun) / 1e3}  # fmt: skip


async def _gets(zones: list[Engine], gets: int) -> dict[str, float]:
    cache = _cache(zones)
    await asyncio.gather(*(cache.put(key, VALUE) for key in KEYS))
    times = []
    for number in range(gets):
        before = time.perf_counter()
        await cache.get(KEYS[number % 64])
        times.append(time.perf_counter() - before)

    async def worker(key: str) -> None:
        for _ in range(gets // 64):
            if await cache.get(key) != VALUE:
                raise AssertionError(f"the cache did not get {key}")

    rate = gets // 64 * 64 / await _seconds(lambda: asyncio.gather(*map(worker, KEYS)))

    async def many() -> None:
        for _ in range(gets // 64):
            await cache.get_many(KEYS)

    many_rate = gets // 64 * 64 / await _seconds(many)
    await cache.close()
    return {"rate": rate / 1e3, "median": statistics.median(times) * 1e6, "many": many_rate / 1e3}


async def _puts(zones: list[Engine], puts: int) -> dict[str, float]:
    """How much later a write to all zones returns than its slowest zone has answered."""
    cache, stores = _cache(zones), list[float]()
    note = cache.zones.calls.note

    def noted(operation: str, zone: str, attempt: int, result: str, seconds: float) -> None:
        stores.append(seconds)
        note(operation, zone, attempt, result, seconds)

    cache.zones.calls.note = noted  # type: ignore[method-assign]
    beyond = []
    for number in range(puts):
        stores.clear()
        before = time.perf_counter()
        await cache.put(KEYS[number % 64], VALUE, policy="all")
        beyond.append(time.perf_counter() - before - max(stores))
    await cache.close()
    return {"beyond": statistics.median(beyond) * 1e3}


def _face(zone: Engine, folder: str, repetitions: int, stack: ExitStack) -> tuple[float, ...]:
    truth = stack.enter_context(Engine("truth", "--database", str(Path(folder) / "truth.db"), cpus=SERVER))
    nodes = f"BENCH-NODES=zone0={zone.host}:{zone.port}"
    face = stack.enter_context(Engine("evcache", "--nodes", nodes, "--zone", "zone0", "--truth", truth.url, cpus=SERVER))
    put = urllib.request.Request(f"{face.url}/keys/key", data=VALUE, method="PUT")
    urllib.request.urlopen(put, timeout=10).close()
    return tuple(wrk.run(f"{face.url}/keys/key", 64, 1, CLIENT).requests_per_s / 1e3 for _ in range(repetitions))


def _on_ssd(folder: str, gets: int, repetitions: int, stack: ExitStack) -> list[tuple[float, float]]:
    """p50 and p99 of hits that memcached reads from its file."""
    ssd = stack.enter_context(Engine("memcached", "--store", "ssd", "--memory", "32MiB", "--ssd", str(Path(folder) / "ssd"),
                                     "--ssd-size", f"{SSD_BYTES}B", cpus=SERVER))  # fmt: skip

    async def run() -> tuple[float, float]:
        cache, times = _cache([ssd]), []
        for number in range(gets // 4):
            before = time.perf_counter()
            await cache.get(f"ssd{number * 7919 % SSD_KEYS}")
            times.append((time.perf_counter() - before) * 1e3)
        await cache.close()
        percentiles = statistics.quantiles(times, n=100)
        return percentiles[49], percentiles[98]

    async def fill() -> None:
        cache = _cache([ssd])
        for at in range(0, SSD_KEYS, 100):
            await asyncio.gather(*(cache.put(f"ssd{number}", os.urandom(1024)) for number in range(at, at + 100)))
        await cache.close()

    asyncio.run(fill())
    time.sleep(2)  # the last pages are written
    before = _stat(ssd, "get_extstore")
    found = [asyncio.run(run()) for _ in range(repetitions)]
    read = _stat(ssd, "get_extstore") - before
    say(f"  {read} of {repetitions * (gets // 4)} gets were read from the file")
    if read < repetitions * (gets // 4) / 2:
        raise AssertionError(f"only {read} gets came from the file; no figure of it can be given")
    return found


def _relayed(folder: str, zones: list[Engine], rows: int, repetitions: int, stack: ExitStack) -> tuple[float, ...]:
    """How fast rows that wait are in the other region's source of truth and cache."""
    here, there = (stack.enter_context(Engine("truth", "--database", str(Path(folder) / f"{name}.db"), cpus=SERVER))
                   for name in ("here", "there"))  # fmt: skip
    nodes = f"BENCH-NODES=zone0={zones[1].host}:{zones[1].port}"
    face = stack.enter_context(Engine("evcache", "--nodes", nodes, "--zone", "zone0", "--truth", there.url, cpus=SERVER))

    async def run(number: int) -> float:
        truth = TruthClient(parse_origin(here.url), 10.0)
        cache = EVCache(_nodes(zones[:1]), Settings(local_zone="zone0", read_s=0.5), truth,
                        regions={"there": parse_origin(face.url)})  # fmt: skip
        relay = cache.relays["there"]
        versions = {f"{number}-{key}": cache.zones.next_version() for key in range(rows)}
        for at in range(0, rows, 50):
            await asyncio.gather(*(truth.put(key, version, VALUE) for key, version in list(versions.items())[at : at + 50]))

        async def empty() -> None:
            for key, version in versions.items():
                relay.tell(key, version, None)
            while len(relay.queue):
                await asyncio.sleep(0.002)

        took_s = await _seconds(empty)
        sent = cache.zones.metrics.value("evcache_replicated_total", result="stored")
        await cache.close()
        return sent / took_s / 1e3

    return tuple(asyncio.run(run(number)) for number in range(repetitions))


async def _warmed(zones: list[Engine], items: int) -> float:
    """Items a second from one zone into another that is empty."""
    cache = _cache(zones)
    for at in range(0, items, 100):
        await asyncio.gather(*(cache.put(f"warm{number}", VALUE, policy="all") for number in range(at, at + 100)))
    for number in range(items):
        await cache.zones.replicas["zone1"].forget(cache.zones.keys.wire(f"warm{number}"))
    progress = cache.warming.begin("zone1", "zone0", 10**12)

    async def over() -> None:
        while progress.state in ("listing", "copying"):
            await asyncio.sleep(0.002)

    took_s = await _seconds(over)
    await cache.close()
    if progress.state != "done":
        raise AssertionError(f"warming failed: {progress.cause}")
    return progress.copied / took_s


def _stat(engine: Engine, name: str) -> int:
    return int(Client((engine.host, engine.port)).stats()[name.encode()])


def _nodes(zones: list[Engine]) -> NodeList:
    return parse("BENCH-NODES=" + ";".join(f"zone{number}={zone.host}:{zone.port}" for number, zone in enumerate(zones)))


def _cache(zones: list[Engine]) -> EVCache:
    return EVCache(_nodes(zones), Settings(local_zone="zone0", read_s=0.5), None)


async def _seconds(work: Callable[[], Awaitable[Any]]) -> float:
    begun = time.perf_counter()
    await work()
    return time.perf_counter() - begun
