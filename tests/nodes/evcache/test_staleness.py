"""How stale reads are: as a table, and measured against the source of truth."""

from nodes.evcache.cache import EVCache
from nodes.evcache.staleness import stale_s
from tests.nodes.evcache.zonekit import Stage, until


def version(second: float) -> int:
    return int(second * 1e6) << 11


def test_a_read_is_stale_since_the_newest_version_that_it_did_not_give() -> None:
    assert stale_s(version(10), version(10), 15_000_000) == 0
    assert stale_s(version(10), version(12), 15_000_000) == 3
    assert stale_s(version(10), version(16), 15_000_000) == 0  # written after the read
    assert stale_s(0, version(14), 15_000_000) == 1


def test_reads_are_held_against_the_truth_when_that_is_asked_for(stage) -> None:
    here: Stage = stage(1)

    async def dialogue(cache: EVCache) -> None:
        await cache.put("k", b"old")
        assert (await cache.read("k")).source == "zone0"
        here.truth.get("/rows/k", method="PUT", body=b"newer, past the cache")
        assert (await cache.read("k")).value == b"old"

        def checked(result: str) -> float:
            return cache.zones.metrics.value("evcache_checked_reads_total", zone="zone0", result=result)

        await until(lambda: (checked("fresh"), checked("stale")) == (1, 1))
        assert 0 < cache.zones.metrics.histogram("evcache_staleness_seconds", zone="zone0").sum_s < 5

    here.play(dialogue, {"check_reads": 1.0})
