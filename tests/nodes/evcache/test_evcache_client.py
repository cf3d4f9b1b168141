"""The cache's client as a dialogue of orders and results, with real memcached."""

import json
import subprocess
import sys

import pytest

from results.history import check, parse
from tests.nodes.evcache.zonekit import Stage
from tests.nodes.wirekit import ENV


@pytest.fixture
def client(request):
    """A worker; `ask` gives an order and waits for its result."""
    process = subprocess.Popen([sys.executable, "-m", "nodes.evcache_client", "--name", "c"], env=ENV, text=True,
                               stdin=subprocess.PIPE, stdout=subprocess.PIPE)  # fmt: skip
    assert json.loads(process.stdout.readline()) == {"event": "ready", "name": "c"}

    def ask(op: str, **order: object) -> dict[str, object]:
        process.stdin.write(json.dumps({"op": op, "cache": "a", "id": 7, **order}) + "\n")
        process.stdin.flush()
        done = json.loads(process.stdout.readline())
        assert done["id"] == 7
        return done

    yield ask
    process.stdin.close()
    assert process.wait(10) == 0
    process.stdout.close()


def test_orders_have_results(stage, client, tmp_path) -> None:
    here: Stage = stage(2)
    assert client("open", nodes=here.nodes, truth=here.truth.url, settings={"local_zone": "zone0", "read_s": 0.5})["ok"]
    put = client("put", key="k", count=3, bytes=100, policy="all")
    assert [(call["key"], call["copies"], call["needed"]) for call in put["calls"]] == [(f"k-{n}", 2, 2) for n in range(3)]
    got = client("get", key="k", count=3)
    assert [(call["source"], call["bytes"], call["version"]) for call in got["calls"]] == [
        ("zone0", 100, call["version"]) for call in put["calls"]
    ]
    assert len(client("get", key="k-0", at_once=20)["calls"]) == 20
    assert client("forget", key="k", count=1, zones=["zone0"])["ok"]
    assert client("get", key="k-0")["calls"][0]["source"] == "zone1"
    assert client("stats")["stats"]["evcache_items"] == 5
    assert client("warm", zone="zone0", peer="zone1") == {
        "id": 7, "ok": True, "error": "", "state": "done", "cause": "", "copied": 1,
    }  # fmt: skip
    popular = client("popular", requests=300, objects=20, zipf=1.0)
    assert (popular["hits"] + popular["misses"], 10 < popular["misses"] <= 40) == (300, True)
    history = tmp_path / "history.jsonl"
    load = client("load", seconds=0.5, rate=200, keys=10, writes=0.3, bytes=50, history=str(history))
    assert 50 < len(load["calls"]) < 160
    assert {call["op"] for call in load["calls"]} == {"get", "put"}
    assert all(call["ok"] and call["ms"] > 0 for call in load["calls"])
    assert load["calls"] == sorted(load["calls"], key=lambda call: call["at_s"])
    operations = parse(['{"bound_s": 10}', *history.read_text().splitlines()])
    assert len(operations.operations) == len(load["calls"])
    assert not [one for one in check(operations) if "missing" not in one.invariant]


def test_an_edge_is_read_and_filled_as_a_cache_is(start, client, tmp_path) -> None:
    origin = start("origin")
    edge = start("edge", "--origin", origin.url, "--cache", str(tmp_path / "cache"), "--capacity", "100KiB")
    assert client("edge", url=edge.url, bytes=2000)["ok"]
    assert client("fill", key="object", count=10, bytes=2000)["missing"] == 10
    assert client("fill", key="object", count=10, bytes=2000)["missing"] == 0
    stats = client("stats")["stats"]
    assert (stats["edge_objects"], 20_000 < stats["edge_used_bytes"] < 100 * 1024) == (10, True)
    popular = client("popular", requests=300, objects=10, zipf=1.0, bytes=2000)
    assert (popular["hits"], popular["misses"], 0 < popular["median_ms"] < 50) == (300, 0, True)
    small = client("popular", requests=600, objects=200, zipf=1.0, bytes=2000)
    assert small["misses"] > 150, "not all of them have room"
    wrong = client("fill", key="object", count=1, bytes=1999)
    assert wrong["ok"], "it is there, so that nothing is put"
    wrong = client("fill", key="other", count=1, bytes=1999)
    assert (wrong["ok"], "no object of 2000" in wrong["error"]) == (False, True), wrong
    edge.process.kill()
    gone = client("fill", key="object", count=1, bytes=2000)
    assert (gone["ok"], "could not carry out fill" in gone["error"]) == (False, True), gone


def test_an_order_that_cannot_be_is_answered_with_its_reason(client) -> None:
    for op, order, words in (
        ("jump", {}, "KeyError('jump')"),
        ("get", {"key": "k"}, "KeyError('a')"),
        ("open", {"nodes": "APP-NODES=a="}, "zone a is empty"),
        ("open", {"nodes": "APP-NODES=a=h:1", "settings": {"colour": 1}}, "colour"),
    ):
        done = client(op, **order)
        assert (done["ok"], words in done["error"]) == (False, True), done
