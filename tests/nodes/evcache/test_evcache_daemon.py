"""The cache's daemon as a dialogue: its HTTP face, metrics and log, what it refuses, and memcached that talks nonsense."""

import base64
import contextlib
import json
import socket
import threading

import pytest

from tests.nodes.evcache.zonekit import Stage
from tests.nodes.wirekit import Daemon


@pytest.fixture
def both(stage, start, tmp_path):
    here: Stage = stage(2)
    daemon = start("evcache", "--nodes", here.nodes, "--truth", here.truth.url, "--zone", "zone0", "--name", "ev",
                   "--zone-read-timeout", "200ms", "--log", str(tmp_path / "ev.jsonl"))  # fmt: skip
    return here, daemon


def test_the_http_face(both) -> None:
    here, daemon = both
    stored = daemon.get("/keys/a%2Fb?ttl=60s&policy=all", method="PUT", body=b"\0value")
    assert (stored.status, stored.fields["longhaul-copies"]) == (204, "2/2")
    read = daemon.get("/keys/a%2Fb")
    assert (read.status, read.body, read.fields["cache-status"]) == (200, b"\0value", "ev; hit; detail=zone0")
    assert read.fields["longhaul-version"] == stored.fields["longhaul-version"]
    here.truth.get("/rows/cold", method="PUT", body=b"cold")
    assert daemon.get("/keys/cold").fields["cache-status"] == "ev; fwd=uri-miss; detail=truth"
    many = json.loads(daemon.get("/keys", method="POST", body=json.dumps(["a/b", "cold", "none"]).encode()).body)
    assert {key: (base64.b64decode(one["value"]), one["source"]) for key, one in many.items()} == {
        "a/b": (b"\0value", "zone0"), "cold": (b"cold", "zone0"),
    }  # fmt: skip
    assert daemon.get("/touch/a%2Fb?ttl=100s", method="POST").body == b'{"zones": 2}'
    assert daemon.get("/touch/none", method="POST").status == 404
    assert daemon.get("/keys/a%2Fb", method="DELETE").status == 204
    gone = daemon.get("/keys/a%2Fb")
    assert (gone.status, gone.fields["cache-status"]) == (404, "ev; hit; detail=zone0")
    assert json.loads(daemon.get("/-/zones", method="PUT", body=b'["zone0"]').body)["zone0"]["serves"] is False
    assert daemon.get("/keys/cold").fields["cache-status"] == "ev; fwd=uri-miss; detail=truth"
    metrics = daemon.metrics()
    tags = 'evcache_client_call_total{node="ev",cache="TEST",op="GET",zone="zone0",attempt="initial",hit="yes",result="hit"'
    assert f'{tags},status="success"}}' in metrics
    assert 'evcache_client_call_seconds_count{node="ev",cache="TEST",op="SET",zone="zone1",attempt="initial"} 1' in metrics
    assert 'evcache_stale_bound_seconds{node="ev"} 605.5' in metrics
    node = f'{{node="ev",zone="zone1",memcached="{here.memcached["zone1"][0].ready["listen"]}"}}'
    assert f"evcache_memcached_up{node} 1\n" in metrics
    assert f"evcache_evictions{node} 0\n" in metrics
    assert f"evcache_ram_bytes{node} " in metrics
    assert daemon.stop()[0] == 0
    log = [json.loads(line) for line in daemon.log.read_text().splitlines()]
    assert [(one["method"], one["result"], one.get("zone")) for one in log[:3]] == [
        ("PUT", "EVCACHE_STORED", None), ("GET", "EVCACHE_HIT", "zone0"), ("GET", "EVCACHE_MISS", "truth"),
    ]  # fmt: skip


def test_what_cannot_be_is_refused_in_words(both) -> None:
    here, daemon = both
    for method, path, body, status, words in (
        ("GET", "/keys/a%20b", b"", 400, b"0x20"),
        ("GET", "/keys/" + "x" * 256, b"", 400, b"256 bytes"),
        ("GET", "/keys/", b"", 400, b"empty"),
        ("GET", "/keys/%FF", b"", 400, b"UTF-8"),
        ("PUT", "/keys/a?ttl=60", b"x", 400, b"no unit"),
        ("PUT", "/keys/a?ttl=0s", b"x", 400, b"time to live"),
        ("PUT", "/keys/a?policy=two", b"x", 400, b"no write policy"),
        ("PUT", "/keys/a?colour=red", b"x", 400, b"'colour' is not known"),
        ("PATCH", "/keys/a", b"", 405, b"GET, PUT and DELETE"),
        ("POST", "/keys", b"{}", 400, b"JSON list"),
        ("PUT", "/-/zones", b'["zone9"]', 400, b"'zone9' is none"),
        ("GET", "/", b"", 404, b"keys are at"),
    ):
        answer = daemon.get(path, method=method, body=body)
        assert (answer.status, words in answer.body) == (status, True), (path, answer.raw)
    here.truth.process.kill()
    answer = daemon.get("/keys/a", method="PUT", body=b"x")
    assert (answer.status, b"nothing was acknowledged" in answer.body) == (503, True)


@pytest.mark.parametrize("said", [b"HTTP/1.1 400 Bad Request\r\n", b"VA 9\r\nabc", b"VA 3\r\nabcdefgh\r\n", b"\xff" * 4000,
                                  b"HD cX\r\n", b"VA 3 c t1\r\nabc\r\n"])
def test_a_zone_that_talks_nonsense_or_half_a_line_is_passed_over(stage, start, said: bytes) -> None:
    here: Stage = stage(1)

    listening = socket.create_server(("127.0.0.1", 0))

    def talk() -> None:
        with contextlib.suppress(OSError):
            while True:
                sock, _ = listening.accept()
                sock.recv(1000)
                sock.sendall(said)

    threading.Thread(target=talk, daemon=True).start()
    nodes = here.nodes + f";zone1=127.0.0.1:{listening.getsockname()[1]}"
    daemon: Daemon = start("evcache", "--nodes", nodes, "--truth", here.truth.url, "--zone", "zone1", "--longest-ttl", "60s",
                           "--zone-read-timeout", "50ms", "--zone-write-timeout", "300ms")  # fmt: skip
    stored = daemon.get("/keys/k?policy=one", method="PUT", body=b"v")
    assert stored.status == 204
    assert daemon.get("/keys/k").body == b"v"
    assert "evcache_repairs_queued_total" in daemon.metrics()
    listening.close()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--nodes", "APP-NODES=a="), "zone a is empty"),
        (("--zone", "b"), "'b' is none of the zones a"),
        (("--write-only", "b"), "'b' is none of the zones a"),
        (("--longest-ttl", "1500ms"), "no whole number of seconds"),
        (("--longest-ttl", "800h"), "beyond what memcached counts"),
        (("--refresh", "400ms"), "no whole number of seconds"),
        (("--longest-ttl", "2s"), "could end before a write does"),
        (("--namespace", "a b"), "is no namespace"),
        (("--workers", "2"), "start several daemons instead"),
        (("--warm", "b"), "'b' is none of the zones a"),
        (("--warm", "a"), "no zone serves beside it"),
        (("--warm-rate", "0bit"), "--warm-rate"),
        (("--check-reads", "200%"), "not from 0 to 1"),
        (("--replicate", "mumbai"), "is not REGION=URL"),
        (("--replicate", "m=http://h:1", "--replicate", "m=http://h:2"), "a region stands twice"),
        (("--absent-ttl", "3s"), "could end before a write does"),
        (("--policy", "two"), "choose from"),
        (("--truth", "ftp://x"), "http://"),
    ],
)
def test_a_configuration_error_of_the_cache_says_what_is_allowed(capsys, options: tuple[str, ...], words: str) -> None:
    from nodes.evcache.main import main

    with pytest.raises(SystemExit) as caught:
        main(["--nodes", "APP-NODES=a=127.0.0.1:1", "--truth", "http://127.0.0.1:1", *options])
    assert caught.value.code == 2
    assert words in capsys.readouterr().err
