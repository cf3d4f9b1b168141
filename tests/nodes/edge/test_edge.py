"""The edge as a daemon: what it logs, what it keeps over a restart, what it evicts, which connections it uses."""

import json
import resource
import socket
import time
from collections.abc import Callable
from pathlib import Path

from nodes.origin.generate import content
from tests.nodes.edge.kept import get
from tests.nodes.wirekit import Daemon, ScriptedOrigin, ok

Edges = Callable[..., Daemon]
Scripts = Callable[..., ScriptedOrigin]


def test_miss_then_hit_and_field_and_log_say_so(origin: Daemon, edge_for: Edges, tmp_path: Path) -> None:
    log = tmp_path / "log"
    edge = edge_for(origin.url, "--log", str(log), name="edge1.az1.mumbai")
    answers = [get(edge, "/objects/100KB/a") for _ in range(3)]
    assert [answer.body for answer in answers] == [content("a", 100_000, 0, 100_000)] * 3
    miss, hit, prepared = answers
    key = f'key="{origin.url}/objects/100KB/a"'
    assert miss.fields["cache-status"] == f"edge1.az1.mumbai; fwd=uri-miss; fwd-status=200; stored; {key}"
    assert hit.fields["cache-status"].startswith("edge1.az1.mumbai; hit; ttl=35")
    assert prepared.fields["cache-status"].startswith("edge1.az1.mumbai; hit; ttl=35")
    assert hit.fields["via"] == prepared.fields["via"] == "1.1 edge1.az1.mumbai"
    assert int(hit.fields["age"]) < 5
    assert "server-timing" in miss.fields
    for name in ("etag", "last-modified", "cache-control", "content-type", "repr-digest", "content-length", "date"):
        assert miss.fields[name] == hit.fields[name] == prepared.fields[name]
    edge.stop()
    records = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]
    assert [record["result"] for record in records] == ["TCP_MISS", "TCP_HIT", "TCP_HIT"]
    assert [record["bytes"] for record in records] == [100_000] * 3
    assert records[0]["upstream_ms"] > 0
    assert records[1]["upstream_ms"] is records[2]["upstream_ms"] is None
    assert [record["cache_status"] for record in records] == [answer.fields["cache-status"] for answer in answers]


def test_a_restarted_edge_still_has_its_objects(origin: Daemon, edge_for: Edges) -> None:
    edge = edge_for(origin.url)
    edge.get("/objects/9KB/a")
    edge.stop()
    hit = edge_for(origin.url).get("/objects/9KB/a")
    assert "; hit;" in hit.fields["cache-status"]
    assert hit.body == content("a", 9000, 0, 9000)


def test_the_least_recently_used_is_evicted_and_prepared_hits_are_uses(origin: Daemon, edge_for: Edges) -> None:
    edge = edge_for(origin.url, capacity="36KB")
    for name in "abc":
        edge.get(f"/objects/10KB/{name}")
    for _ in range(3):
        get(edge, "/objects/10KB/a")
    edge.get("/objects/10KB/d")  # b goes
    seen = [("; hit;" in edge.get(f"/objects/10KB/{name}").fields["cache-status"]) for name in "adcb"]
    assert seen == [True, True, True, False]
    assert 30_000 < edge.stats()["used_bytes"] <= 36_000


def test_an_object_larger_than_the_capacity_passes_through(origin: Daemon, edge_for: Edges) -> None:
    edge = edge_for(origin.url, capacity="1MiB")
    edge.get("/objects/10KB/small")
    answer = edge.get("/objects/3MiB/big")
    assert answer.body == content("big", 3 * 2**20, 0, 3 * 2**20)
    assert "stored" not in answer.fields["cache-status"]
    assert edge.stats()["objects"] == 1


def test_policy_and_admission_are_chosen_by_name(origin: Daemon, edge_for: Edges) -> None:
    edge = edge_for(origin.url, "--policy", "fifo", "--admission", "second-hit")
    seen = [edge.get("/objects/9KB/a").fields["cache-status"] for _ in range(3)]
    assert ["stored" in one for one in seen] == [False, True, False]
    assert "; hit;" in seen[2]


def test_content_of_requests_passes_whole(script: Scripts, edge_for: Edges) -> None:
    def echo(head: str, sock: socket.socket) -> bool:
        body, wanted = b"", 300_000
        while len(body) < wanted:
            body += sock.recv(1 << 20)
        sock.sendall(ok(f"{head.split(maxsplit=1)[0]} {len(body)}".encode()))
        return False

    edge = edge_for(script(echo).url)
    for method in ("POST", "PUT", "PATCH", "DELETE"):
        assert edge.get("/x", method=method, body=b"x" * 300_000).body == f"{method} 300000".encode()


def test_connections_to_the_origin_are_reused(origin: Daemon, edge_for: Edges) -> None:
    edge = edge_for(origin.url)
    for number in range(10):
        edge.get(f"/objects/1KB/{number}")
    stats = edge.stats()
    assert (stats["origin_connections_opened"], stats["origin_connections_reused"]) == (1, 9)
    assert json.loads(edge.get("/-/connections", method="DELETE").body) == {"closed_connections": 1}


def test_an_idle_connection_is_not_used_after_its_time(origin: Daemon, edge_for: Edges) -> None:
    edge = edge_for(origin.url, "--origin-idle", "50ms")
    edge.get("/objects/1KB/a")
    time.sleep(0.2)
    edge.get("/objects/1KB/b")
    assert edge.stats()["origin_connections_opened"] == 2


def test_rules_choose_origin_cache_redirect_and_denial(script: Scripts, edge_for: Edges, tmp_path: Path) -> None:
    one = script(lambda head, sock: sock.sendall(ok(b"one", "Cache-Control: max-age=60")))
    two = script(lambda head, sock: sock.sendall(ok(b"two", "Cache-Control: max-age=60")))
    rules = tmp_path / "rules.toml"
    rules.write_text(f'''
[origins]
two = "{two.url}"
[[route]]
prefix = "/two/"
origin = "two"
response = {{ set = {{ X-Route = "two" }} }}
[[route]]
prefix = "/live/"
pass = true
[[route]]
prefix = "/no/"
deny = 403
[[route]]
prefix = "/old/"
redirect = {{ status = 308, to = "/new{{path}}" }}
[[route]]
prefix = "/one/"
''', encoding="utf-8")  # fmt: skip
    edge = edge_for(one.url, "--rules", str(rules))
    assert [edge.get(path).body for path in ("/one/x", "/two/x", "/live/x", "/live/x")] == [b"one", b"two", b"one", b"one"]
    for _ in range(3):
        assert get(edge, "/two/x").fields["x-route"] == "two"
    assert "fwd=bypass" in edge.get("/live/x").fields["cache-status"]
    assert edge.get("/none").status == 404
    assert edge.get("/no/x").status == 403
    moved = edge.get("/old/x")
    assert (moved.status, moved.fields["location"]) == (308, "/new/old/x")
    assert edge.stats()["objects"] == 2


def test_metrics_tell_hits_bytes_and_evictions(origin: Daemon, edge_for: Edges) -> None:
    edge = edge_for(origin.url, capacity="30KB")
    for name in "aabc":
        get(edge, f"/objects/10KB/{name}")
    get(edge, "/objects/10KB/c", "Range: bytes=0-999")
    text = edge.metrics()
    for wanted in ('longhaul_requests_total{node="edge1",status="200",result="TCP_HIT"} 1',
                   'longhaul_sent_bytes_total{node="edge1",result="TCP_HIT"} 11000',
                   'longhaul_sent_bytes_total{node="edge1",result="TCP_MISS"} 30000', "longhaul_cache_used_bytes",
                   "longhaul_cache_evictions_total", "longhaul_cache_written_bytes_total",
                   "longhaul_origin_received_bytes_total"):  # fmt: skip
        assert wanted in text, text


def test_few_descriptors_are_enough(origin: Daemon, edge_for: Edges) -> None:
    def few() -> None:
        resource.setrlimit(resource.RLIMIT_NOFILE, (100, 100))

    edge = edge_for(origin.url, preexec_fn=few)
    for _ in range(3):
        for number in range(150):
            assert get(edge, f"/objects/40KB/f{number}").body == content(f"f{number}", 40_000, 0, 40_000)
    assert edge.stats()["disk_errors"] == 0
    held = sum("/objects/" in target(path) for path in Path(f"/proc/{edge.process.pid}/fd").iterdir())
    assert 10 <= held <= 25


def target(path: Path) -> str:
    """Of a link; empty when it is gone meanwhile."""
    try:
        return str(path.readlink())
    except FileNotFoundError:
        return ""
