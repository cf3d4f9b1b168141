"""Warming as a dialogue with real memcached: a new zone is filled from a peer, written and not read meanwhile, then read."""

import json
import os

import pytest

from nodes.evcache.cache import EVCache
from nodes.evcache.lifetime import Life
from nodes.evcache.memcached import metadump
from nodes.evcache.memcached.meta import Garbage
from nodes.evcache.packing import pack
from tests.nodes.evcache.zonekit import Stage, until


def test_a_line_of_a_dump_names_a_key() -> None:
    assert metadump.key(b"key=t%3Aa%2Fb exp=1700000000 la=1700000000 cas=5 fetch=no cls=1 size=63") == b"t:a/b"
    with pytest.raises(metadump.Busy):
        metadump.key(b"BUSY currently processing crawler request")
    for wrong in (b"", b"key=", b"ERROR", b"\xff\xff"):
        with pytest.raises(Garbage):
            metadump.key(wrong)


def test_a_zone_is_filled_from_its_peer_and_then_read(stage) -> None:
    here: Stage = stage(2, 2)

    async def dialogue(cache: EVCache) -> None:
        large = os.urandom(2_100_000)
        await cache.put("large", large, policy="all")
        for number in range(200):
            await cache.put(f"k{number}", b"value %d" % number, ttl_s=300, policy="all")
        await cache.settled()
        other, version = cache.zones.keys.wire("foreign"), cache.zones.next_version()
        await cache.zones.replicas["zone1"].put(other, pack(b"not durable", version, 10**6)[0], version,
                                                  Life(60, cache.zones.loop.time()))
        here.say("zone1", b"ms other:k 1 T60\r\nx\r\n")
        for node in (0, 1):
            here.say("zone0", b"flush_all\r\n", node)
        progress = cache.warming.begin("zone0")
        with pytest.raises(ValueError, match="being warmed already"):
            cache.warming.begin("zone0")
        assert (await cache.read("k1")).source == "zone1"
        newer = await cache.put("k7", b"newer")
        await until(lambda: progress.state in ("done", "failed"))
        assert (progress.state, progress.cause, progress.peer) == ("done", "", "zone1")
        assert progress.copied >= 200 + 4 - 1
        for number in range(200):
            read = await cache.read(f"k{number}")
            assert (read.value, read.source) == (b"newer" if number == 7 else b"value %d" % number, "zone0")
        assert (await cache.read("k7")).version == newer.version
        assert (await cache.read("large"))[::2] == (large, "zone0")
        assert here.say("zone0", b"mg t:foreign s\r\n") == here.say("zone0", b"mg other:k s\r\n") == b"EN\r\n"
        left = here.say("zone0", b"mg t:k3 t\r\n", 0) + here.say("zone0", b"mg t:k3 t\r\n", 1)
        assert b"t29" in left  # no longer than the peer's own

    here.play(dialogue, {"read_s": 0.5})


def test_what_the_peer_has_missed_is_not_taken_from_it(stage) -> None:
    here: Stage = stage(2)

    async def dialogue(cache: EVCache) -> None:
        await cache.put("k", b"old", policy="all")
        await cache.settled()
        row = here.truth.get("/rows/k", method="PUT", body=b"new, and missed by both")
        cache.zones.owe("zone1", "k", int(row.fields["longhaul-version"]))
        here.say("zone0", b"flush_all\r\n")
        progress = cache.warming.begin("zone0", "zone1")
        await until(lambda: progress.state == "done" and not cache.waiting_repairs)
        assert (await cache.read("k"))[::2] == (b"new, and missed by both", "zone0")

    here.play(dialogue)


def test_a_zone_is_filled_no_faster_than_the_rate(stage) -> None:
    here: Stage = stage(2)

    async def dialogue(cache: EVCache) -> None:
        for number in range(64):
            await cache.put(f"k{number}", os.urandom(1000), policy="all")
        await cache.settled()
        here.say("zone0", b"flush_all\r\n")
        begun_s = cache.zones.loop.time()
        progress = cache.warming.begin("zone0", "zone1", 1_600_000)
        await until(lambda: progress.state == "done")
        took_s = cache.zones.loop.time() - begun_s
        assert progress.copied_bytes > 64_000
        assert took_s >= progress.copied_bytes * 8 / 1_600_000

    here.play(dialogue)


def test_a_zone_whose_peer_dies_stays_write_only_and_says_why(stage) -> None:
    here: Stage = stage(2)

    async def dialogue(cache: EVCache) -> None:
        await cache.put("k", b"v", policy="all")
        here.kill("zone1")
        progress = cache.warming.begin("zone0")
        await until(lambda: progress.state == "failed")
        assert "could not list its keys" in progress.cause
        assert cache.zones.serving == ["zone1"]
        for zone, peer, words in (("zone9", None, "is none of"), ("zone0", "zone0", "no zone that serves"),
                                  ("zone1", None, "no zone serves beside")):  # fmt: skip
            with pytest.raises(ValueError, match=words):
                cache.warming.begin(zone, peer)

    here.play(dialogue)


def test_the_daemon_warms_at_its_start_and_by_order(stage) -> None:
    here: Stage = stage(2)

    async def fill(cache: EVCache) -> None:
        for number in range(20):
            await cache.put(f"k{number}", b"v", policy="all")

    here.play(fill, {"namespace": "evcache"})
    here.say("zone0", b"flush_all\r\n")
    daemon = here.start("evcache", "--nodes", here.nodes, "--truth", here.truth.url, "--zone", "zone0", "--warm", "zone0")

    def warming() -> dict[str, object]:
        return json.loads(daemon.get("/-/zones").body)["zone0"]

    while warming()["warming"]["state"] in ("listing", "copying"):
        pass
    assert (warming()["serves"], warming()["warming"]["copied"]) == (True, 20)
    assert daemon.get("/keys/k3").fields["cache-status"].endswith("hit; detail=zone0")
    begun = daemon.get("/-/zones/zone1/warm?from=zone0&rate=10mbit", method="POST")
    assert (begun.status, json.loads(begun.body)["rate_bps"]) == (202, 10_000_000)
    for query, words in (("?rate=10", b"rate"), ("?red=1", b"'red' is not known"), ("?from=zone9", b"no zone that serves")):
        refused = daemon.get(f"/-/zones/zone0/warm{query}", method="POST")
        assert (refused.status, words in refused.body) == (400, True), refused.raw
    assert "evcache_warmed_items_total" in daemon.metrics()
