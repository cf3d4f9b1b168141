"""nginx as an edge, as a dialogue: hits, misses, followers, its log, its control calls, and what it refuses."""

import json
import os
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest

from nodes.client.fetch import Fetcher
from nodes.client.order import Order
from nodes.http.failure import Failure
from nodes.http.steered import parse
from nodes.nginx_edge.process import program
from nodes.page.load import load
from nodes.page.plan import Item
from tests.nodes.wirekit import ENV, Daemon, hear, ok

try:
    program()
except Failure:
    pytest.skip("nginx is not here: sudo ./provision.sh --peers", allow_module_level=True)

FRESH = "Cache-Control: max-age=60"


@pytest.fixture
def nginx_for(start, tmp_path):
    """nginx in front of an origin's URL; its folders have names too long for a unix socket."""

    def make(url: str, *more: str, name: str = "edge1") -> Daemon:
        cache = tmp_path / ("a" * 60) / ("b" * 60)
        return start("nginx_edge", "--origin", url, "--cache", str(cache), "--capacity", "64MiB", "--name", name, *more)

    return make


def processes_of(daemon: Daemon) -> list[int]:
    """nginx's master and workers, by the folder they run in."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdecimal() and (entry / "cmdline").read_bytes().startswith(b"nginx:"):
                parents = (entry / "stat").read_text().rpartition(")")[2].split()[1]
                if int(parents) == daemon.process.pid or int(parents) in found:
                    found.append(int(entry.name))
        except OSError:
            continue
    return found


def test_miss_then_hit_and_both_say_so_and_the_log_has_our_fields(script, nginx_for, start, tmp_path):
    said = ok(b"data", FRESH, "X-Unknown: kept", "Date: Mon, 01 Jan 2024 00:00:00 GMT")
    behind = script(lambda head, sock: sock.sendall(said))
    ours = start("edge", "--origin", behind.url, "--cache", str(tmp_path / "c"), "--capacity", "1MiB", "--name", "edge1",
                 "--log", str(tmp_path / "ours"))  # fmt: skip
    edge = nginx_for(behind.url, "--log", str(tmp_path / "log"))
    miss, hit, _ = edge.get("/x?y=1"), edge.get("/x?y=1"), ours.get("/x?y=1")
    assert miss.body == hit.body == b"data"
    assert miss.fields["cache-status"] == "edge1; fwd=uri-miss; fwd-status=200"
    assert hit.fields["cache-status"] == "edge1; hit"
    assert (hit.fields["via"], hit.fields["x-unknown"]) == ("1.1 edge1", "kept")
    assert hit.fields["date"] == "Mon, 01 Jan 2024 00:00:00 GMT"
    assert len(behind.heads) == 2, "one for each edge"
    assert "CDN-Loop: edge1" in behind.heads[0]
    assert f"Host: 127.0.0.1:{behind.port}" in behind.heads[0]
    assert edge.stop()[0] == 0
    ours.stop()
    records = [json.loads(line) for line in (tmp_path / "log").read_text().splitlines()]
    wanted = set(json.loads((tmp_path / "ours").read_text().splitlines()[0]))
    assert wanted - set(records[0]) <= {"worker", "scheme"}, "nginx's log lacks fields of ours"
    assert [record["result"] for record in records] == ["TCP_MISS", "TCP_HIT"]
    assert [record["upstream_ms"] is None for record in records] == [False, True]
    assert (records[1]["target"], records[1]["bytes"], records[1]["status"]) == ("/x?y=1", 4, 200)
    assert records[1]["cache_status"] == "edge1; hit"
    assert records[1]["finished"] is True
    assert isinstance(records[1]["ts_ns"], int)
    assert abs(records[1]["ts_ns"] / 1e9 - time.time()) < 60


SAID = ["0", "1;miss=content;site=singapore", "2; site=a.b-c", "07;miss=health", "00", "12;miss=health;site=x;miss=content",
        "1;miss=other;miss=content", "", "x", "100", "-1", "1;miss=other", "1;miss=Content", "1;miss", '1;site="a"', "1;x=y z"]


def test_what_a_ranked_client_says_of_its_choice_is_logged_as_by_our_edge(script, nginx_for, tmp_path):
    behind = script(lambda head, sock: sock.sendall(ok(b"data", FRESH)))
    edge = nginx_for(behind.url, "--log", str(tmp_path / "log"))
    for value in SAID:
        assert edge.get("/x", f"X-Longhaul-Steered: {value}").status == 200
    assert edge.get("/x").status == 200
    assert edge.stop()[0] == 0
    records = [json.loads(line) for line in (tmp_path / "log").read_text().splitlines()]
    expected = [said.as_dict() if (said := parse(value)) else None for value in SAID]
    assert [record.get("steered") for record in records] == [*expected, None]
    assert records[1]["steered"] == {"rank": 1, "miss": "content", "site": "singapore"}


def test_simultaneous_requests_make_one_fetch(script, nginx_for):
    begun = threading.Event()

    def slowly(head: str, sock: socket.socket) -> None:
        begun.set()
        time.sleep(0.3)
        sock.sendall(ok(b"data", FRESH))

    behind = script(slowly)
    edge = nginx_for(behind.url)
    bodies: list[bytes] = []
    asking = [threading.Thread(target=lambda: bodies.append(edge.get("/x").body)) for _ in range(8)]
    for one in asking:
        one.start()
    for one in asking:
        one.join()
    assert bodies == [b"data"] * 8
    assert len(behind.heads) == 1


def test_what_states_no_lifetime_is_not_stored(script, nginx_for):
    behind = script(lambda head, sock: sock.sendall(ok(b"data", 'ETag: "a"')))
    edge = nginx_for(behind.url)
    edge.get("/x"), edge.get("/x")
    assert len(behind.heads) == 2


def test_a_stale_object_is_revalidated(script, nginx_for):
    def answer(head: str, sock: socket.socket) -> None:
        if 'If-None-Match: "v"' in head:
            sock.sendall(b'HTTP/1.1 304 Not Modified\r\nETag: "v"\r\nCache-Control: max-age=60\r\n\r\n')
        else:
            sock.sendall(ok(b"data", 'ETag: "v"', "Cache-Control: max-age=1"))

    edge = nginx_for(script(answer).url)
    edge.get("/x")
    time.sleep(2.1)
    second = edge.get("/x")
    assert (second.status, second.body) == (200, b"data")
    assert second.fields["cache-status"] == "edge1; fwd=stale; fwd-status=304"


def test_the_cache_tells_what_it_holds_and_is_emptied(script, nginx_for):
    behind = script(lambda head, sock: sock.sendall(ok(b"data", FRESH)))
    edge = nginx_for(behind.url, "--workers", "2")
    for name in "abc":
        edge.get(f"/{name}")
    held = edge.stats()
    assert (held["objects"], held["capacity_bytes"], held["engine"]) == (3, 64 * 2**20, "nginx")
    assert json.loads(edge.get("/-/cache", method="DELETE").body) == {"dropped_objects": 3}
    assert edge.stats()["objects"] == 0
    assert "fwd=uri-miss" in edge.get("/a").fields["cache-status"]
    assert "; hit" in edge.get("/a").fields["cache-status"]


def test_connections_to_the_origin_are_kept_and_closed_when_told(script, nginx_for):
    behind = script(lambda head, sock: sock.sendall(ok(b"data", FRESH)))
    edge = nginx_for(behind.url)
    edge.get("/a"), edge.get("/b")
    assert behind.connections == 1
    assert edge.get("/-/connections", method="DELETE").status == 200
    assert "; hit" in edge.get("/a").fields["cache-status"], "the cache is as it was"
    edge.get("/c")
    assert behind.connections == 2


def test_what_was_stored_is_there_after_a_restart(script, nginx_for):
    behind = script(lambda head, sock: sock.sendall(ok(b"data", FRESH)))
    edge = nginx_for(behind.url)
    edge.get("/-/cache", method="DELETE")
    edge.get("/a")
    edge.stop()
    again = nginx_for(behind.url)
    deadline = time.monotonic() + 5
    while "; hit" not in again.get("/a").fields["cache-status"] and time.monotonic() < deadline:
        time.sleep(0.05)
    assert len(behind.heads) == 1


def test_health_metrics_and_what_is_unknown(script, nginx_for):
    edge = nginx_for(script(lambda head, sock: None).url)
    assert edge.get("/-/healthz").body == b"ok\n"
    assert b'longhaul_requests_total{node="edge1"}' in edge.get("/-/metrics").body
    assert edge.get("/-/purge?url=http://a/x", method="POST").status == 404
    assert edge.get("/-/cache", method="POST").status == 405
    assert edge.get("/-/nothing").status == 404


def test_every_path_that_is_not_its_own_is_the_origins(script, nginx_for):
    edge = nginx_for(script(lambda head, sock: sock.sendall(ok(b"of the origin"))).url)
    assert {edge.get(path).body for path in ("/healthz", "/metrics")} == {b"of the origin"}


def test_an_origin_that_is_not_there_is_502(nginx_for):
    with socket.create_server(("127.0.0.1", 0)) as held:
        port = held.getsockname()[1]
    assert nginx_for(f"http://127.0.0.1:{port}").get("/x").status == 502


def test_nothing_is_left_when_the_node_is_killed(script, nginx_for):
    edge = nginx_for(script(lambda head, sock: None).url, "--workers", "2")
    left = processes_of(edge)
    assert left
    os.kill(edge.process.pid, signal.SIGKILL)
    deadline = time.monotonic() + 5
    while any(Path(f"/proc/{pid}").exists() for pid in left) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not [pid for pid in left if Path(f"/proc/{pid}").exists()]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--rules", "x"], ["--rules", "leave out --rules"]),
        (["--policy", "lru"], ["--policy", "least recently used"]),
        (["--congestion-control", "bbr"], ["--congestion-control", "routes"]),
        (["--origin-connections", "9"], ["--origin-connections", "turns requests away"]),
        (["--fsync", "always"], ["--fsync", "use --fsync never"]),
        (["--name", "a$b"], ["'a$b'", "letters, digits and . - _"]),
        (["--origin", "https://127.0.0.1:9"], ["127.0.0.1", "not addresses", "--origin-insecure"]),
        (["--log", "/nowhere/log"], ["/nowhere/log", "--log"]),
    ],
)
def test_what_nginx_cannot_do_is_refused_and_never_ignored(arguments, words, tmp_path):
    command = [sys.executable, "-m", "nodes.nginx_edge", "--origin", "http://127.0.0.1:9", "--cache", str(tmp_path),
               "--capacity", "1MiB", *arguments]  # fmt: skip
    done = subprocess.run(command, env=ENV, capture_output=True, text=True, timeout=10, check=False)
    assert done.returncode in (1, 2)
    assert done.stderr.startswith("longhaul: could not ")
    for word in words:
        assert word in done.stderr


def test_a_port_in_use_says_so(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as held:
        port = held.getsockname()[1]
        command = [sys.executable, "-m", "nodes.nginx_edge", "--origin", "http://127.0.0.1:9", "--cache", str(tmp_path),
                   "--capacity", "1MiB", "--listen", f"127.0.0.1:{port}"]  # fmt: skip
        done = subprocess.run(command, env=ENV, capture_output=True, text=True, timeout=10, check=False)
    assert "address already in use" in done.stderr


def test_it_speaks_tls_with_a_certificate_of_the_labs_authority(script, start, tmp_path):
    behind = script(lambda head, sock: sock.sendall(ok(b"data", FRESH)))
    edge = start("nginx_edge", "--origin", behind.url, "--cache", str(tmp_path / "c"), "--capacity", "1MiB", "--name", "e1",
                 "--tls-authority", str(tmp_path / "ca"))  # fmt: skip
    (trusted,) = (tmp_path / "ca").glob("ca.pem")
    context = ssl.create_default_context(cafile=str(trusted))
    with socket.create_connection(("127.0.0.1", edge.port), timeout=5) as plain, \
            context.wrap_socket(plain, server_hostname="127.0.0.1") as sock:  # fmt: skip
        sock.sendall(b"GET /x HTTP/1.1\r\nHost: e1\r\nConnection: close\r\n\r\n")
        assert sock.version() == "TLSv1.3"
        assert hear(sock).endswith(b"data")


def test_it_speaks_http_2_under_tls_to_who_asks_for_it(script, start, tmp_path):
    behind = script(lambda head, sock: sock.sendall(ok(b"data", FRESH)))
    edge = start("nginx_edge", "--origin", behind.url, "--cache", str(tmp_path / "c"), "--capacity", "1MiB",
                 "--tls-authority", str(tmp_path / "ca"))  # fmt: skip
    fetcher = Fetcher()
    for version in ("1.1", "2"):
        order = Order(f"https://127.0.0.1:{edge.port}/x", http_version=version, cacert=str(tmp_path / "ca" / "ca.pem"))
        found = fetcher.fetch(order)
        assert (found.ok, found.http_version, found.size_bytes) == (True, version, 4), found.error
    items = [Item(name, f"https://127.0.0.1:{edge.port}/{name}", ("a",) if name != "a" else ()) for name in "abcdef"]
    for version, connections in (("1.1", 5), ("2", 1)):
        page = load(items, 6, version, 10, cacert=str(tmp_path / "ca" / "ca.pem"))
        assert (page.error, page.connections) == (None, connections)
    fetcher.close()


def test_it_takes_a_request_with_the_first_message_of_a_resumed_session(script, start, tmp_path):
    behind = script(lambda head, sock: sock.sendall(ok(b"data", FRESH)))
    edge = start("nginx_edge", "--origin", behind.url, "--cache", str(tmp_path / "c"), "--capacity", "1MiB",
                 "--tls-authority", str(tmp_path / "ca"))  # fmt: skip
    fetcher = Fetcher()
    order = Order(f"https://127.0.0.1:{edge.port}/x", cacert=str(tmp_path / "ca" / "ca.pem"), tls_session="reuse")
    early = [fetcher.fetch(replace(order, early_data=asked)).early_data_bytes for asked in (True, True, False)]
    fetcher.close()
    assert early[0] == early[2] == 0, "nothing to resume, and nothing asked"
    assert early[1] > 50


def test_it_asks_an_origin_over_tls_and_refuses_one_it_does_not_trust(script, start, tmp_path):
    behind = script(lambda head, sock: sock.sendall(ok(b"data", FRESH)))
    between = start("nginx_edge", "--origin", behind.url, "--cache", str(tmp_path / "a"), "--capacity", "1MiB",
                    "--tls-authority", str(tmp_path / "ca"))  # fmt: skip
    origin = f"https://localhost:{between.port}"
    trusting = start("nginx_edge", "--origin", origin, "--cache", str(tmp_path / "b"), "--capacity", "1MiB",
                     "--origin-authority", str(tmp_path / "ca" / "ca.pem"))  # fmt: skip
    other = start("nginx_edge", "--origin", origin, "--cache", str(tmp_path / "d"), "--capacity", "1MiB")
    assert trusting.get("/x").body == b"data"
    assert other.get("/x").status == 502
