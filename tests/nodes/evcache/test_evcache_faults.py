"""Random faults by a seed, and clients broken on purpose: the checker finds nothing in the one and what is wrong in the other.

A longer run: LONGHAUL_FAULT_SECONDS=600 LONGHAUL_FAULT_SEED=7 longhaul test tests/nodes/evcache/test_evcache_faults.py
The seed also chooses settings of the cache, and with 4, 8, 12, ... values that are cut into chunks.
"""

import asyncio
import os
import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest

from nodes.evcache.cache import EVCache
from nodes.evcache.lifetime import Life
from nodes.evcache.memcached import meta
from nodes.evcache.memcached.errors import Away
from nodes.evcache.packing import SEAL
from nodes.evcache.reading import Reading
from nodes.evcache.repairs import Repairs
from nodes.evcache.replica import Held, Put, Replica
from nodes.evcache.truth_client import TruthClient
from nodes.evcache.write_policy import POLICIES
from results.history import BACKWARDS, LOST, STALE, check, parse
from tests.nodes.evcache.recorder import KEYS, Recorder
from tests.nodes.evcache.zonekit import Stage, until

KINDS = ("kill", "pause", "cut", "slow", "pause truth", "kill truth")
SECONDS = float(os.environ.get("LONGHAUL_FAULT_SECONDS", "2"))
SEED = int(os.environ.get("LONGHAUL_FAULT_SEED", "1"))
CHUNKED = SEED % 4 == 0
SIZE = 1_200_000 if CHUNKED else 0
FAST = {"read_s": 0.02, "write_s": 0.3, "longest_s": 2, "absent_s": 2, "lease_s": 1, "collapse_s": 0.2}


def test_under_kills_pauses_cuts_and_slow_ways_every_invariant_holds(stage) -> None:
    here: Stage = stage(3)

    async def dialogue(second: EVCache) -> None:
        ways = await here.ways()  # only the first client's are cut: the second one reads what that one cannot write
        first = here.cache(**FAST, **by_seed(), ways=ways)
        recorder = Recorder(here, max(one.zones.settings.bound_s for one in (first, second)), SEED, SIZE)
        until_s = time.monotonic() + SECONDS
        working = (recorder.work(cache, until_s) for cache in (first, second) for _ in range(4))
        faults, *_ = await asyncio.gather(recorder.faults(until_s, KINDS, ways), *working)
        await asyncio.sleep(0.4)
        await until(lambda: not first.waiting_repairs + second.waiting_repairs)
        for cache in (first, second):
            for key in KEYS:
                await recorder.get(cache, key)
        recorder.truth()
        history = parse(recorder.text)
        assert check(history) == [], faults
        acknowledged = sum(one.ok and one.op == "put" for one in history.operations)
        zones = sum(one.source.startswith("zone") for one in history.operations if one.op == "get")
        if not CHUNKED:  # so much takes its time
            assert acknowledged > 4 * SECONDS  # the source of truth is away for much of the time
            assert zones > 20 * SECONDS
        assert len(faults) >= SECONDS / 2
        await first.close()
        for way in ways.values():
            await way.close()

    here.play(dialogue, FAST | by_seed() | {"local_zone": "zone1"})


def by_seed() -> dict[str, object]:
    """Settings that the invariants may not depend on; those of seed 1 are the defaults."""
    if SEED == 1:
        return {}
    chance = random.Random(SEED)
    return {"fill_all": chance.random() < 0.5, "refresh_s": chance.choice((0, 1)), "near_capacity": chance.choice((0, 3)),
            "near_reads": 3, "policy": chance.choice(list(POLICIES)), "collapse": chance.random() < 0.8,
            "jitter": chance.choice((0.0, 0.2)), "compress_above_bytes": 10**9}  # fmt: skip


async def no_faults(_here: Stage) -> None:
    return


def violations(here: Stage, bound_s: float, settings: dict[str, object], seconds: float, cut: list[str] | None = None,
               faults: Callable[[Stage], Awaitable[None]] = no_faults) -> set[str]:  # fmt: skip
    """What the checker finds; while a zone is in `cut` nothing reaches it."""
    found: set[str] = set()

    async def dialogue(first: EVCache, second: EVCache) -> None:
        recorder = Recorder(here, bound_s, SEED)
        for key in KEYS:
            await recorder.put(first, key)
        if cut is not None:
            cut.append("zone0")
            for key in KEYS:
                await recorder.put(first, key)
            await asyncio.sleep(0.05)
            cut.clear()
            await asyncio.sleep(bound_s)
            for key in KEYS:
                await recorder.get(first, key)
        until_s = time.monotonic() + seconds
        working = (recorder.work(cache, until_s) for cache in (first, second) for _ in range(4))
        reading = (recorder.work(cache, until_s, reads_only=True) for cache in (first, second))  # a writer may have to wait
        await asyncio.gather(faults(here), *working, *reading)
        await until(lambda: not first.waiting_repairs + second.waiting_repairs)
        for key in KEYS:
            await recorder.get(second, key)
        recorder.truth()
        found.update(one.invariant for one in check(parse(recorder.text)))

    here.play(dialogue, settings, settings)
    return found


def test_a_client_that_acknowledges_what_is_not_durable_is_caught(stage, monkeypatch) -> None:
    async def put(self: TruthClient, key: str, version: int, value: bytes | None) -> None:
        return

    monkeypatch.setattr(TruthClient, "put", put)
    assert LOST in violations(stage(1), 10.0, {}, 0.1)


def test_a_client_that_stores_whatever_is_there_is_caught(stage, monkeypatch) -> None:
    late = iter(range(10**9))

    async def put(self: Replica, wire: bytes, item: bytes, version: int, life: Life) -> Put:
        await asyncio.sleep(0.02 * (next(late) % 3))  # as on a way that is sometimes long
        await self._write(wire).ask(meta.put(wire, item + SEAL, b"T%d" % life.whole_s))
        return Put(None)

    monkeypatch.setattr(Replica, "put", put)
    assert BACKWARDS in violations(stage(1), 10.0, {"policy": "none"}, 0.5)


def test_a_client_that_lets_what_is_not_durable_be_read_is_caught(stage, monkeypatch) -> None:
    async def dies(here: Stage) -> None:
        await asyncio.sleep(0.1)
        here.pause_truth()
        await asyncio.sleep(0.3)  # the last writes are over by then, and never done
        await asyncio.to_thread(here.restart_truth)

    look = Reading._look

    async def credulous(self: Reading, *what: object) -> Held:
        held = await look(self, *what)
        return held if held.copy is None else held._replace(copy=replace(held.copy, durable=True))

    monkeypatch.setattr(Reading, "_look", credulous)
    assert BACKWARDS in violations(stage(1), 10.0, FAST | {"write_s": 0.1}, 0.2, faults=dies)


@pytest.mark.parametrize("forgets", [True, False])
def test_a_client_that_forgets_its_repairs_is_caught_and_one_that_repairs_is_not(stage, monkeypatch, forgets: bool) -> None:
    cut: list[str] = []
    store = Replica.put

    async def put(self: Replica, *what: object) -> Put:
        if self.zone in cut:
            raise Away(self.zone, "cannot be reached")
        return await store(self, *what)

    monkeypatch.setattr(Replica, "put", put)
    if forgets:
        monkeypatch.setattr(Repairs, "add", lambda self, *_, **__: False)
    assert (STALE in violations(stage(2), 0.5, {"policy": "one"}, 0.1, cut)) is forgets
