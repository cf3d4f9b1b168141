"""Replication between regions: the queue and the batches as values, and two regions of real caches as a dialogue."""

import json
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nodes.evcache.cache import EVCache
from nodes.evcache.replication.batch import Row, decoded, encoded
from nodes.evcache.replication.queue import Queue
from nodes.http.origin_address import parse_origin
from tests.nodes.evcache.zonekit import Stage, until

rows = st.lists(st.builds(Row, st.text("abé/", min_size=1, max_size=50), st.integers(1, 2**63 - 1),
                          st.none() | st.floats(1, 1e6), st.none() | st.binary(max_size=200)), max_size=8)  # fmt: skip


@given(rows)
def test_a_batch_is_read_as_it_was_written(some: list[Row]) -> None:
    assert decoded(encoded(some)) == some


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"x", "row 1 has no line"),
        (b"x\n", "row 1 has no head"),
        (b'{"key":"a","version":1,"ttl_s":null}\n', "row 1 has no head"),
        (b'{"key":1,"version":1,"ttl_s":null,"bytes":null}\n', "row 1 has no key"),
        (b'{"key":"a b","version":1,"ttl_s":null,"bytes":null}\n', "0x20"),
        (b'{"key":"a","version":0,"ttl_s":null,"bytes":null}\n', "0 is no version"),
        (b'{"key":"a","version":true,"ttl_s":null,"bytes":null}\n', "True is no version"),
        (b'{"key":"a","version":1,"ttl_s":-1,"bytes":null}\n', "-1 is no time to live"),
        (b'{"key":"a","version":1,"ttl_s":0.5,"bytes":null}\n', "0.5 is no time to live"),
        (b'{"key":"a","version":1,"ttl_s":null,"bytes":99999999999}\n', "is no size"),
        (b'{"key":"a","version":1,"ttl_s":null,"bytes":5}\nabc', "row 1 has 3 of 5 bytes"),
        (encoded([Row("a", 1, None, None)]) * 1025, "more than 1024"),
    ],
)
def test_a_batch_that_is_none_says_which_row_is_wrong(data: bytes, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        decoded(data)


@given(st.binary(max_size=300))
def test_any_bytes_are_a_batch_or_refused(data: bytes) -> None:
    try:
        decoded(data)
    except ValueError:
        return


def test_a_key_waits_once_with_its_newest_version_and_is_sent_by_one() -> None:
    queue = Queue(10)
    for version in (5, 7, 6):
        queue.add("a", version, None, 1.0)
    queue.add("b", 1, 60.0, 2.0)
    assert [(key, one.version, one.ends_s) for key, one in queue.take(10)] == [("a", 7, None), ("b", 1, 62.0)]
    assert queue.take(10) == []
    queue.add("a", 8, None, 3.0)
    queue.done("a", 7, 4.0)  # and 8 waits on
    assert [(key, one.version, one.since_s) for key, one in queue.take(10)] == [("a", 8, 4.0)]
    queue.again(["b"])
    assert [key for key, _ in queue.take(10)] == ["b"]
    assert queue.age_s(10.0) == 8.0
    queue.done("a", 8, 5.0)
    queue.done("b", 2, 5.0)
    assert (len(queue), queue.age_s(9.0), queue.lost) == (0, 0.0, 0)


def test_what_is_not_taken_waits_behind_the_others() -> None:
    queue = Queue(10)
    for key in "abc":
        queue.add(key, 1, None, 0.0)
    assert [key for key, _ in queue.take(1)] == ["a"]
    queue.again(["a"])
    assert [key for key, _ in queue.take(10)] == ["b", "c", "a"]


def test_a_full_queue_loses_its_oldest_and_counts_it() -> None:
    queue = Queue(2)
    for key in "abc":
        queue.add(key, 1, None, 0.0)
    assert ([key for key, _ in queue.take(10)], queue.lost) == (["b", "c"], 1)


@pytest.fixture
def two(stage, start, tmp_path):
    """Two regions: a stage with a daemon that receives in front of it, and another one."""
    west: Stage = stage(1)
    with ThreadPoolExecutor() as at_once:
        rows = at_once.submit(start, "truth", "--database", str(tmp_path / "east.db"))
        memcached = at_once.submit(start, "memcached")
        east = Stage({"zone0": [memcached.result()]}, rows.result(), start)
        return west, east, list(at_once.map(_face, (west, east)))


def _face(here: Stage):
    return here.start("evcache", "--nodes", here.nodes, "--truth", here.truth.url, "--zone", "zone0", "--namespace", "t")


def test_a_write_is_in_the_other_region_and_the_newest_wins_in_both(two) -> None:
    west, east, faces = two

    async def dialogue(here: EVCache) -> None:
        there = east.cache(regions={"west": parse_origin(faces[0].url)})
        await here.put("k", b"from the west", ttl_s=300)
        await until(lambda: faces[1].get("/keys/k").body == b"from the west")
        left_s = int(east.say("zone0", b"mg t:k t\r\n").removeprefix(b"HD t"))
        assert 260 < left_s <= 301, "what it was given, less a tenth of jitter at most"
        await here.put("long", b"v", ttl_s=1e12)
        await until(lambda: not len(here.relays["east"].queue))
        assert east.truth.get("/rows/long").body == b"v"
        newer = await there.put("k", b"from the east")
        assert newer.version > int(west.truth.get("/rows/k").fields["longhaul-version"])
        await until(lambda: west.truth.get("/rows/k").body == b"from the east")
        assert await here.get("k") == b"from the east"
        for number in range(300):
            await here.put(f"n{number}", b"%d" % number)
        await here.delete("k")
        await until(lambda: not len(here.relays["east"].queue))
        assert east.truth.get("/rows/n299").body == b"299"
        assert faces[1].get("/keys/k").status == 404
        text = here.zones.metrics.text()
        assert 'evcache_replicated_total{node="evcache",region="east",result="stored"}' in text
        assert 'evcache_replication_waiting{node="evcache",region="east"} 0\n' in text
        assert 'evcache_replication_seconds_count{node="evcache",region="east"}' in text
        for number in range(30):  # of these its queue knows nothing
            west.truth.get(f"/rows/lost{number}", method="PUT", body=b"%d" % number)
        east.truth.get("/rows/lost7", method="PUT", body=b"newer")
        relay = here.relays["east"]
        relay.resend()
        await until(lambda: relay._resending.done() and not len(relay.queue), 20)
        assert [east.truth.get(f"/rows/lost{number}").body for number in (0, 7, 29)] == [b"0", b"newer", b"29"]
        await there.close()

    west.play(dialogue, {"regions": {"east": parse_origin(faces[1].url)}})


def test_what_the_other_region_does_not_take_waits_and_comes_when_it_is_back(two) -> None:
    west, east, faces = two
    listen = faces[1].ready["listen"]

    async def dialogue(here: EVCache) -> None:
        faces[1].process.kill()
        faces[1].process.wait(10)
        for number in range(3):
            await here.put("k", b"%d" % number)
        relay = here.relays["east"]
        await until(lambda: relay.queue.age_s(here.zones.loop.time()) > 0.1)
        assert len(relay.queue) == 1
        assert 'evcache_replication_errors_total{node="evcache",region="east",reason="region"}' in here.zones.metrics.text()
        east.start("evcache", "--nodes", east.nodes, "--truth", east.truth.url, "--namespace", "t", "--listen", listen)
        await until(lambda: not len(relay.queue))
        assert east.truth.get("/rows/k").body == b"2"

    west.play(dialogue, {"regions": {"east": parse_origin(faces[1].url)}})


def test_the_receiving_face_says_what_became_of_each_row_and_refuses_nonsense(stage) -> None:
    west: Stage = stage(1)
    face = _face(west)
    version = int(west.truth.get("/rows/k", method="PUT", body=b"newer").fields["longhaul-version"])
    sent = encoded([Row("k", version - 1, None, b"older"), Row("l", version, 60.0, b"new"), Row("gone", version, None, None)])
    assert json.loads(face.get("/replicate", method="POST", body=sent).body) == ["older", "stored", "stored"]
    assert face.get("/keys/l").body == b"new"
    assert json.loads(face.get("/-/regions").body) == {}
    assert face.get("/-/regions/east/resend", method="POST").status == 404
    refused = face.get("/replicate", method="POST", body=b"nonsense")
    assert (refused.status, b"row 1" in refused.body) == (400, True)
    west.truth.process.kill()
    assert json.loads(face.get("/replicate", method="POST", body=sent).body) == ["failed"] * 3
