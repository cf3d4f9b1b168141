"""The cache as a dialogue with real memcached: write-through, read-through, collapse, repair, faults."""

import asyncio
import contextlib
import os
import time

import pytest

from nodes.evcache.cache import EVCache
from nodes.evcache.keys import BadKey
from nodes.evcache.lifetime import LONGEST_S, Life
from nodes.evcache.memcached.errors import Away, TimedOut
from nodes.evcache.packing import SEAL, pack
from nodes.evcache.replica import Put, Replica
from nodes.evcache.truth_client import TruthClient, TruthError, TruthRow
from nodes.evcache.zones import Zones
from tests.nodes.evcache.zonekit import Stage, until


def minute() -> Life:
    """A minute from now."""
    return Life(60, asyncio.get_running_loop().time())


def test_a_write_is_in_the_truth_and_every_zone_and_is_read_nearby(stage) -> None:
    here: Stage = stage(3, 2)

    async def dialogue(cache: EVCache) -> None:
        for number in range(40):
            written = await cache.put(f"k{number}", b"value %d" % number, policy="all")
            assert (written.copies, written.needed, written.met) == (3, 3, True)
        read = await cache.read("k7")
        assert (read.value, read.source) == (b"value 7", "zone0")
        for zone in here.memcached:
            held = [here.say(zone, b"".join(b"mg t:k%d s\r\n" % n for n in range(40)), node).count(b"HD") for node in (0, 1)]
            assert sum(held) == 40
            assert min(held) > 5
        assert here.truth.get("/rows/k7").fields["longhaul-version"] == str(read.version)
        second = await cache.put("k7", b"newer")
        assert second.version > read.version
        assert await cache.get("k7") == b"newer"
        assert (await cache.delete("k7")).met
        gone = await cache.read("k7")
        assert (gone.value, gone.source) == (None, "zone0")
        assert here.truth.get("/rows/k7").status == 404
        many = await cache.get_many(["k1", "k2", "k1", "k7", "none"])
        assert {key: read.value for key, read in many.items()} == {"k1": b"value 1", "k2": b"value 2", "k7": None, "none": None}

    here.play(dialogue)


def test_a_read_goes_to_the_local_zone_the_others_and_the_truth_and_fills_the_local_one(stage) -> None:
    here: Stage = stage(3)

    async def dialogue(cache: EVCache) -> None:
        here.truth.get("/rows/cold", method="PUT", body=b"cold")
        sources = [(await cache.read("cold")).source for _ in range(2)]
        assert sources == ["truth", "zone0"]
        assert here.say("zone1", b"mg t:cold s\r\n") == b"EN\r\n"
        await cache.put("warm", b"warm", policy="all")
        here.say("zone0", b"md t:warm\r\n")
        assert {(await cache.read("warm")).source for _ in range(4)} == {"zone1", "zone2"}
        assert here.say("zone0", b"mg t:warm s\r\n") == b"EN\r\n"  # it could be a version that zone0 had overwritten
        assert (await cache.read("nobody")).source == "truth"
        assert (await cache.read("nobody")).source == "zone0"  # that it is absent is remembered, for a while

    async def fills_all(cache: EVCache) -> None:
        here.truth.get("/rows/all", method="PUT", body=b"all")
        await cache.read("all")
        assert all(here.say(zone, b"mg t:all s\r\n").startswith(b"HD") for zone in here.memcached)

    here.play(dialogue)
    here.play(fills_all, {"fill_all": True})


@pytest.mark.parametrize("clients", [1, 4])
def test_concurrent_misses_of_one_key_make_one_load(stage, clients: int) -> None:
    here: Stage = stage(1)
    here.truth.get("/rows/hot", method="PUT", body=b"hot")

    async def dialogue(*caches: EVCache) -> None:
        reads = await asyncio.gather(*(cache.get("hot") for cache in caches for _ in range(50)))
        assert set(reads) == {b"hot"}
        loads = here.truth.metrics()
        assert f'longhaul_truth_loads_total{{node="{here.truth.ready["name"]}"}} 1\n' in loads

    here.play(dialogue, *[{}] * clients)


def test_a_reader_does_not_share_a_load_that_has_its_row_and_only_fills(stage, monkeypatch) -> None:
    here: Stage = stage(1)
    here.truth.get("/rows/k", method="PUT", body=b"old")
    fill = Zones.fill

    async def slow(self: Zones, *what: object) -> bool:
        await asyncio.sleep(0.5)
        return await fill(self, *what)

    async def dialogue(cache: EVCache) -> None:
        monkeypatch.setattr(Zones, "fill", slow)
        first = asyncio.create_task(cache.get("k"))
        await asyncio.sleep(0.2)
        here.truth.get("/rows/k", method="PUT", body=b"new")
        assert await cache.get("k") == b"new"
        assert await first == b"old"

    here.play(dialogue, {"collapse_s": 0.05})


def test_the_winner_that_dies_is_succeeded(stage) -> None:
    here: Stage = stage(1)
    here.truth.get("/rows/k", method="PUT", body=b"v")

    async def dialogue(cache: EVCache) -> None:
        assert b" W" in here.say("zone0", b"mg t:k v N1\r\n")  # somebody wins, and never fills
        begun = time.monotonic()
        assert await cache.get("k") == b"v"
        assert 0.2 < time.monotonic() - begun < 2.5

    here.play(dialogue, {"collapse_s": 0.3})


def test_large_and_compressible_values(stage) -> None:
    here: Stage = stage(2)

    async def dialogue(cache: EVCache) -> None:
        large, flat = os.urandom(3_500_000), bytes(2_000_000)
        assert (await cache.put("large", large, policy="all")).met
        assert (await cache.read("large")) == (large, (await cache.read("large")).version, "zone0")
        assert (await cache.put("flat", flat, policy="all")).met
        assert await cache.get("flat") == flat
        size = here.say("zone0", b"mg t:flat s\r\n")
        assert int(size.split(b" s")[1]) < 20_000
        newer = os.urandom(2_500_000)
        await cache.put("large", newer)
        assert await cache.get("large") == newer
        with pytest.raises(ValueError, match="above 67108864"):
            await cache.put("larger", bytes(2**26 + 1))

    here.play(dialogue, {"read_s": 0.5})


def test_a_chunk_that_is_gone_is_a_miss(stage) -> None:
    here: Stage = stage(1)

    async def dialogue(cache: EVCache) -> None:
        large = os.urandom(2_100_000)
        written = await cache.put("large", large)
        wire = cache.zones.keys.chunk("large", written.version, 1)
        assert here.say("zone0", b"md %b\r\n" % wire) == b"HD\r\n"
        assert (await cache.read("large")).source == "truth"
        assert await cache.get("large") == large

    here.play(dialogue, {"read_s": 0.5})


def test_a_zone_that_missed_a_write_is_repaired_and_not_read_meanwhile(stage) -> None:
    here: Stage = stage(3)

    async def dialogue(cache: EVCache) -> None:
        await cache.put("k", b"old", policy="all")
        here.pause("zone0")
        written = await cache.put("k", b"new")
        assert (written.copies, written.needed) == (2, 2)
        await until(lambda: cache.waiting_repairs == 1)
        read = await cache.read("k")
        assert (read.value, read.source != "zone0") == (b"new", True)
        here.go_on("zone0")
        await until(lambda: cache.waiting_repairs == 0)
        assert (await cache.read("k")) == (b"new", written.version, "zone0")

    here.play(dialogue, {"write_s": 0.4, "longest_s": 60})


def test_what_is_not_durable_is_neither_acknowledged_nor_read(stage) -> None:
    here: Stage = stage(2)

    async def dialogue(cache: EVCache, other: EVCache) -> None:
        await cache.put("k", b"old", policy="all")
        await cache.put("calm", b"old", policy="all")
        assert (await other.read("k")).value == b"old"
        here.pause_truth()
        writing = asyncio.create_task(cache.put("k", b"never"))
        await asyncio.sleep(0.1)
        with pytest.raises(TruthError):
            await other.get("k")  # the zones have what is not durable, and it is not read
        with pytest.raises(TruthError, match=r"did not answer within 0\.4 s"):
            await writing
        await until(lambda: cache.waiting_repairs == 2)
        here.truth_goes_on()
        await asyncio.sleep(0.5)  # it reads the write that it was told while it was paused, or does not
        await until(lambda: cache.waiting_repairs == 0)
        read = await cache.read("k")
        now = here.truth.get("/rows/k")
        assert (read.value, str(read.version)) == (now.body, now.fields["longhaul-version"])
        here.truth.process.kill()
        here.truth.process.wait()
        with pytest.raises(TruthError, match="the source of truth"):
            await cache.put("k", b"never more")
        with pytest.raises(TruthError):
            await cache.put("calm", b"never either")  # zones are left alone while the truth is known to be away
        assert (await cache.get("calm"), await other.get("calm")) == (b"old", b"old")
        with contextlib.suppress(TruthError):  # what is in the zones may not be durable, and is then not read
            assert await cache.get("k") == read.value
        await asyncio.to_thread(here.restart_truth)
        await until(lambda: cache.waiting_repairs == 0)
        again = await cache.read("k")
        assert (again.value, again.version, again.source) == (read.value, read.version, "zone0")

    here.play(dialogue, {"write_s": 0.4, "longest_s": 60}, {"write_s": 0.2, "longest_s": 60})


def test_a_killed_zone_costs_no_acknowledged_write(stage) -> None:
    here: Stage = stage(2)

    async def dialogue(cache: EVCache) -> None:
        await cache.put("k", b"one", policy="all")
        here.kill("zone0")
        assert await cache.get("k") == b"one"
        assert (await cache.put("k", b"two")).met
        unmet = await cache.put("k", b"three", policy="all")
        assert (unmet.copies, unmet.needed, unmet.met) == (1, 2, False)
        assert await cache.get("k") == b"three"
        here.revive("zone0")
        await until(lambda: cache.waiting_repairs == 0)
        assert await cache.read("k") == (b"three", unmet.version, "zone0")

    here.play(dialogue)


def test_writers_whose_clocks_differ_agree_and_no_copy_goes_back(stage) -> None:
    here: Stage = stage(2)

    async def dialogue(ahead: EVCache, behind: EVCache) -> None:
        ahead.zones.versions.saw((time.time_ns() // 1000 + 60_000_000) << 11)  # a minute ahead
        first = await ahead.put("k", b"ahead", policy="all")
        second = await behind.put("k", b"behind", policy="all")
        assert second.version > first.version
        assert await ahead.get("k") == b"behind"
        await asyncio.gather(*((ahead, behind)[n % 2].put("race", b"%d" % n, policy="all") for n in range(30)))
        await until(lambda: not ahead.waiting_repairs + behind.waiting_repairs)
        row = here.truth.get("/rows/race")
        for cache in (ahead, behind):
            read = await cache.read("race")
            assert (read.value, str(read.version)) == (row.body, row.fields["longhaul-version"])

    here.play(dialogue, {}, {"local_zone": "zone1"})


def test_a_clock_that_jumps_hours_ahead_is_told_and_writes_go_on_when_it_is_set_right(stage, monkeypatch) -> None:
    here: Stage = stage(2)
    clock = time.time_ns

    async def dialogue(cache: EVCache) -> None:
        await cache.put("k", b"before", policy="all")
        monkeypatch.setattr(time, "time_ns", lambda: clock() + 7200 * 10**9)
        for _ in range(2):
            with pytest.raises(TruthError, match=r"2\.0 hours ahead of this clock; set the writer's clock"):
                await cache.put("k", b"never")
        assert await cache.get("k") == b"before"
        monkeypatch.setattr(time, "time_ns", clock)
        written = await cache.put("k", b"after")
        await until(lambda: cache.waiting_repairs == 0)
        assert await cache.read("k") == (b"after", written.version, "zone0")

    here.play(dialogue)


def test_a_copy_from_hours_ahead_whose_writer_died_is_replaced_by_a_reader(stage) -> None:
    here: Stage = stage(1)

    async def dialogue(cache: EVCache) -> None:
        replica, wire = cache.zones.replicas["zone0"], cache.zones.keys.wire("k")
        version = int(here.truth.get("/rows/k", method="PUT", body=b"row").fields["longhaul-version"])
        ahead = time.time_ns() // 1000 + 7_200_000_000 << 11
        assert await replica.put(wire, pack(b"never durable", ahead, 10**6)[0], ahead, minute())
        assert await cache.read("k") == (b"row", version, "truth")
        assert await cache.read("k") == (b"row", version, "zone0")

    here.play(dialogue)


def test_without_a_truth_a_key_that_a_zone_missed_is_read_there_again_after_the_next_write(stage) -> None:
    here: Stage = stage(1, truth=False)

    async def dialogue(cache: EVCache) -> None:
        here.pause("zone0")
        assert not (await cache.put("k", b"missed")).met
        await cache.settled()
        here.go_on("zone0")
        assert (await cache.read("k")).source == "nowhere"
        assert (await cache.put("k", b"v")).met
        assert (await cache.read("k"))[::2] == (b"v", "zone0")

    here.play(dialogue, {"write_s": 0.3})


def test_a_write_waits_for_its_zones_no_longer_than_a_write_may_take(stage, monkeypatch) -> None:
    here: Stage = stage(2)
    store = Replica.put

    async def put(self: Replica, *what: object) -> Put:
        await asyncio.sleep(2.0 if self.zone == "zone1" else 0)  # several commands, each just in time
        return await store(self, *what)

    async def dialogue(cache: EVCache) -> None:
        begun = time.monotonic()
        written = await cache.put("k", b"v", policy="all")
        assert (written.copies, written.needed) == (1, 2)
        assert 0.35 < time.monotonic() - begun < 1.5
        await cache.settled()
        assert here.say("zone1", b"mg t:k s\r\n").startswith(b"HD")

    monkeypatch.setattr(Replica, "put", put)
    here.play(dialogue, {"write_s": 0.4})


def test_write_only_zones_are_written_and_not_read_until_they_serve(stage) -> None:
    here: Stage = stage(2)

    async def dialogue(cache: EVCache) -> None:
        written = await cache.put("k", b"v", policy="all")
        assert (written.copies, written.needed) == (1, 1)
        await until(lambda: here.say("zone0", b"mg t:k s\r\n").startswith(b"HD"))
        assert (await cache.read("k")).source == "zone1"
        cache.zones.serve_only(set())
        assert (await cache.read("k")).source == "zone0"
        with pytest.raises(ValueError, match="'zone9' is none"):
            cache.zones.serve_only({"zone9"})

    here.play(dialogue, {"write_only": frozenset({"zone0"})})


def test_touch_lets_only_the_newest_version_live_on(stage) -> None:
    here: Stage = stage(2)

    async def dialogue(cache: EVCache) -> None:
        await cache.put("k", b"v", ttl_s=5, policy="all")
        assert b"t5" in here.say("zone0", b"mg t:k t\r\n")
        assert await cache.touch("k", 100) == 2
        assert here.say("zone0", b"mg t:k t\r\n") in (b"HD t100\r\n", b"HD t99\r\n")
        here.truth.get("/rows/k", method="PUT", body=b"newer, past the cache")
        assert await cache.touch("k", 200) == 0
        assert b"t200" not in here.say("zone0", b"mg t:k t\r\n")

    here.play(dialogue)


def test_a_large_value_may_live_as_long_as_memcached_counts(stage) -> None:
    here: Stage = stage(1)

    async def dialogue(cache: EVCache) -> None:
        large = os.urandom(1_100_000)
        await cache.put("large", large)
        assert (await cache.read("large"))[::2] == (large, "zone0")

    here.play(dialogue, {"longest_s": LONGEST_S, "read_s": 0.5})


def test_touch_lets_the_chunks_of_a_large_value_live_on_too(stage) -> None:
    here: Stage = stage(2)

    async def dialogue(cache: EVCache) -> None:
        written = await cache.put("large", os.urandom(2_100_000), ttl_s=20, policy="all")
        assert await cache.touch("large", 300) == 2
        chunks = [cache.zones.keys.chunk("large", written.version, number) for number in range(3)]
        for zone in here.memcached:
            left = [here.say(zone, b"mg %b t\r\n" % wire) for wire in (b"t:large", *chunks)]
            assert all(250 < int(one.removeprefix(b"HD t")) <= 302 for one in left), left
        here.say("zone1", b"md %b\r\n" % chunks[1])
        assert await cache.touch("large", 300) == 1, "what has a chunk missing is no copy"

    here.play(dialogue)


def test_a_copys_life_begins_with_its_write_or_load_however_late_it_is_stored(stage, monkeypatch) -> None:
    here: Stage = stage(1)
    get = TruthClient.get

    async def late(self: TruthClient, key: str, *, value: bool = True) -> TruthRow:
        row = await get(self, key, value=value)
        await asyncio.sleep(1.2)
        return row

    async def dialogue(cache: EVCache) -> None:
        replica, loop = cache.zones.replicas["zone0"], asyncio.get_running_loop()
        old = Life(60, loop.time() - 10.5)
        assert (await replica.put(b"t:a", pack(b"v", 1, 99)[0], 1, old)).cas
        assert await replica.add_raw([(b"t:b", pack(b"v", 1, 99)[0] + SEAL, old)]) == 1
        for key in (b"a", b"b"):
            assert here.say("zone0", b"mg t:%b t\r\n" % key) in (b"HD t50\r\n", b"HD t49\r\n")
        over = Life(60, loop.time() - 60)
        with pytest.raises(TimedOut, match="took longer than the 60 s that the copy may live"):
            await replica.put(b"t:c", pack(b"v", 1, 99)[0], 1, over)
        assert await replica.add_raw([(b"t:c", b"", over)]) == 0
        here.truth.get("/rows/d", method="PUT", body=b"v")
        monkeypatch.setattr(TruthClient, "get", late)
        assert (await cache.read("d")).source == "truth"
        assert here.say("zone0", b"mg t:d t\r\n") in (b"HD t59\r\n", b"HD t58\r\n")

    here.play(dialogue, {"longest_s": 60})


def test_a_write_behind_one_that_is_never_durable_is_not_taken_for_stored(stage) -> None:
    here: Stage = stage(1)

    async def dialogue(cache: EVCache) -> None:
        replica, wire = cache.zones.replicas["zone0"], cache.zones.keys.wire("k")
        here.truth.get("/rows/k", "Longhaul-Version: 7", method="PUT", body=b"seven")
        never = time.time_ns() // 1000 + 5_000_000 << 11
        assert (await replica.put(wire, pack(b"never durable", never, 10**6)[0], never, minute())).cas
        looked = await replica.leased(wire, 5)  # its writer will repair it, and reads the row of before
        written = await cache.put("k", b"eight")
        assert (written.copies, written.met) == (0, False)
        await cache.settled()
        await until(lambda: cache.waiting_repairs == 0)
        assert not await replica.fill(wire, pack(b"seven", 7, 10**6)[0] + SEAL, minute(), looked.cas or 0)
        assert await cache.read("k") == (b"eight", written.version, "zone0")

    here.play(dialogue)


def test_keys_of_a_node_that_is_away_hold_up_no_others_repair(stage) -> None:
    here: Stage = stage(2, 2)

    async def dialogue(cache: EVCache) -> None:
        keys = [f"k{number}" for number in range(150)]
        here.kill("zone0")  # the first of its nodes
        await asyncio.gather(*(cache.put(key, b"v", policy="none") for key in keys))
        await cache.settled()
        repairs = cache.zones.repairs["zone0"]
        assert len(repairs) > 33, "more than are tried together"
        alive = next(key for key in keys if repairs.serves(key, 0.0))
        written = await cache.put(alive, b"newer")
        await cache.settled()
        cache.zones.owe("zone0", alive, written.version)
        await until(lambda: repairs.serves(alive, 0.0))
        assert len(repairs) > 33

    here.play(dialogue)


def test_a_zone_that_missed_more_than_can_wait_is_not_read_and_that_is_told(stage) -> None:
    here: Stage = stage(2)

    async def dialogue(cache: EVCache) -> None:
        await cache.put("k", b"v", policy="all")
        assert (await cache.read("k")).source == "zone0"
        for number in range(3):
            cache.zones.owe("zone0", f"other{number}", 1)
        assert (await cache.read("k")).source == "zone1"
        told = cache.zones.metrics.text()
        assert 'evcache_zone_serves{node="evcache",zone="zone0"} 0\n' in told
        assert 'evcache_repairs_overflows{node="evcache",zone="zone0"} 1\n' in told

    here.play(dialogue, {"repairs": 2})


def test_hot_keys_are_kept_near(stage) -> None:
    here: Stage = stage(1)

    async def dialogue(cache: EVCache) -> None:
        await cache.put("hot", b"1")
        sources = [(await cache.read("hot")).source for _ in range(15)]
        assert sources == ["zone0"] * 10 + ["near"] * 5
        await cache.put("hot", b"2")
        assert await cache.get("hot") == b"2"
        on_its_way_s, near_s = 1 + 1, 1 + 0.1  # each with its limit
        assert cache.zones.settings.bound_s == 600 + 2 + on_its_way_s + near_s

    here.play(dialogue, {"near_capacity": 10, "near_reads": 10})


def test_a_copy_with_little_time_left_is_loaded_anew_by_one_reader_while_it_serves(stage) -> None:
    here: Stage = stage(1)

    async def dialogue(cache: EVCache) -> None:
        await cache.put("k", b"v", ttl_s=4)
        assert (await cache.read("k")).source == "zone0"
        await until(lambda: here.say("zone0", b"mg t:k t\r\n") in (b"HD t60\r\n", b"HD t59\r\n"))

    here.play(dialogue, {"refresh_s": 30, "longest_s": 60})


def test_foreign_bytes_under_our_keys_are_a_miss(stage) -> None:
    here: Stage = stage(1)

    async def dialogue(cache: EVCache) -> None:
        await cache.put("k", b"v")
        await cache.settled()
        here.say("zone0", b"ms t:k 7 T0\r\ngarbage\r\n")
        assert await cache.get("k") == b"v"
        assert cache.zones.replicas["zone0"].bad_copies
        assert (await cache.read("k")).source == "zone0"  # they were replaced
        for key in ("a b", "", "x" * 256):
            with pytest.raises(BadKey):
                await cache.get(key)
            with pytest.raises(BadKey):
                await cache.put(key, b"")

    here.play(dialogue)


def test_a_zone_that_missed_a_write_but_answers_reads_is_passed_over_until_it_is_repaired(stage, monkeypatch) -> None:
    here: Stage = stage(2)
    cut = True
    store = Replica.put

    async def put(self: Replica, *what: object) -> Put:
        if self.zone == "zone0" and cut:
            raise Away(self.zone, "cannot be reached")
        return await store(self, *what)

    async def dialogue(cache: EVCache) -> None:
        nonlocal cut
        cut = False
        await cache.put("k", b"old", policy="all")
        cut = True
        await cache.put("k", b"new", policy="one")
        assert (await cache.read("k"))[::2] == (b"new", "zone1")
        cut = False
        await until(lambda: cache.waiting_repairs == 0)
        assert (await cache.read("k"))[::2] == (b"new", "zone0")

    monkeypatch.setattr(Replica, "put", put)
    here.play(dialogue)


def test_a_copy_whose_writer_died_is_judged_by_the_truth_and_sealed_or_replaced_by_a_reader(stage, monkeypatch) -> None:
    here: Stage = stage(1)

    async def never(self: Replica, *what: object) -> bool:
        await asyncio.sleep(60)
        return True

    async def dialogue(cache: EVCache) -> None:
        replica, wire = cache.zones.replicas["zone0"], cache.zones.keys.wire("k")
        here.truth.get("/rows/k", "Longhaul-Version: 1", method="PUT", body=b"old")
        for age_s, source in ((0, "truth"), (3, "zone0")):  # a writer gives up after a second
            here.say("zone0", b"md t:k\r\n")
            version = time.time_ns() // 1000 - age_s * 1_000_000 << 11
            assert await replica.put(wire, pack(b"not durable", version, 10**6)[0], version, minute())
            assert (await cache.read("k"))[::2] == (b"old", "truth")
            assert (await cache.read("k"))[::2] == (b"old", source)
        monkeypatch.setattr(Replica, "seal", never)
        written = await cache.put("k", b"durable, not sealed")
        for task in list(cache._writing._running):
            task.cancel()
        await asyncio.sleep(0)
        assert await cache.read("k") == (b"durable, not sealed", written.version, "truth")
        assert await cache.read("k") == (b"durable, not sealed", written.version, "zone0")

    here.play(dialogue)


def test_a_write_behind_another_of_the_same_client_is_sealed_in_order(stage) -> None:
    here: Stage = stage(2)

    async def dialogue(cache: EVCache) -> None:
        for number in range(50):
            written = await cache.put("k", b"%d" % number)
            assert await cache.read("k") == (b"%d" % number, written.version, "zone0")
        await asyncio.gather(*(cache.put("k", b"%d" % number) for number in range(50)), return_exceptions=True)
        await cache.settled()
        await until(lambda: cache.waiting_repairs == 0)
        row, read = here.truth.get("/rows/k"), await cache.read("k")
        assert (read.value, str(read.version)) == (row.body, row.fields["longhaul-version"])

    here.play(dialogue)


def test_a_fill_that_comes_after_a_write_changes_nothing(stage) -> None:
    here: Stage = stage(1)

    async def dialogue(cache: EVCache) -> None:
        replica, wire = cache.zones.replicas["zone0"], cache.zones.keys.wire("k")
        missed = await replica.leased(wire, 5)
        assert missed.won
        written = await cache.put("k", b"new")
        assert not await replica.fill(wire, pack(b"old", 1, 10**6)[0], minute(), missed.cas or 0)
        assert (await replica.put(wire, pack(b"old", 1, 10**6)[0], 1, minute())) == Put(None)
        assert await cache.read("k") == (b"new", written.version, "zone0")

    here.play(dialogue)
