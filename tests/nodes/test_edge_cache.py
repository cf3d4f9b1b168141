"""The edge as a cache: dialogues with a real origin or a scripted one behind it."""

import json
import socket
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from nodes.origin.generate import content
from tests.nodes.wirekit import Daemon, ScriptedOrigin, ok

Edges = Callable[..., Daemon]
Scripts = Callable[..., ScriptedOrigin]


def test_miss_then_hit_and_both_say_so(origin: Daemon, edge_for: Edges, tmp_path: Path) -> None:
    log = tmp_path / "log"
    edge = edge_for(origin.url, "--log", str(log), name="edge1.az1.mumbai")
    miss, hit = edge.get("/objects/100KB/a"), edge.get("/objects/100KB/a")
    assert miss.body == hit.body == content("a", 100_000, 0, 100_000)
    assert miss.fields["cache-status"] == "edge1.az1.mumbai; fwd=uri-miss; fwd-status=200; stored"
    assert hit.fields["cache-status"].startswith("edge1.az1.mumbai; hit; ttl=35")
    assert hit.fields["via"] == "1.1 edge1.az1.mumbai"
    assert int(hit.fields["age"]) < 5
    for name in ("etag", "last-modified", "cache-control", "content-type", "repr-digest"):
        assert miss.fields[name] == hit.fields[name]
    edge.stop()
    records = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]
    assert [record["result"] for record in records] == ["TCP_MISS", "TCP_HIT"]
    assert records[0]["upstream_ms"] > 0
    assert records[1]["upstream_ms"] is None
    assert records[1]["cache_status"] == hit.fields["cache-status"]


def test_a_stored_object_answers_ranges_conditions_and_head(origin: Daemon, edge_for: Edges) -> None:
    edge = edge_for(origin.url)
    tag = edge.get("/objects/300KB/a").fields["etag"]
    part = edge.get("/objects/300KB/a", "Range: bytes=200000-250000")
    assert (part.status, part.body) == (206, content("a", 300_000, 200_000, 50_001))
    assert part.fields["content-range"] == "bytes 200000-250000/300000"
    assert edge.get("/objects/300KB/a", "Range: bytes=300000-").status == 416
    assert edge.get("/objects/300KB/a", f"If-None-Match: {tag}").status == 304
    head = edge.get("/objects/300KB/a", method="HEAD")
    assert (head.status, head.body, head.fields["content-length"]) == (200, b"", "300000")
    assert edge.stats()["origin_requests"] == 1


def test_a_range_on_a_miss_passes_and_is_not_stored(origin: Daemon, edge_for: Edges) -> None:
    edge = edge_for(origin.url)
    part = edge.get("/objects/9KB/r", "Range: bytes=0-9")
    assert (part.status, part.body) == (206, content("r", 9000, 0, 10))
    assert edge.stats()["objects"] == 0


def test_a_condition_on_a_miss_still_fills_the_cache(origin: Daemon, edge_for: Edges) -> None:
    edge = edge_for(origin.url)
    tag = origin.get("/objects/9KB/n").fields["etag"]
    assert edge.get("/objects/9KB/n", f"If-None-Match: {tag}").status == 304
    assert "; hit;" in edge.get("/objects/9KB/n").fields["cache-status"]


def test_the_control_path_empties_the_cache(origin: Daemon, edge_for: Edges, tmp_path: Path) -> None:
    edge = edge_for(origin.url)
    edge.get("/objects/9KB/a")
    assert edge.stats()["used_bytes"] == 9000
    assert json.loads(edge.get("/-/cache", method="DELETE").body) == {"dropped_objects": 1}
    assert not list((tmp_path / "cache").rglob("*.body"))
    assert "uri-miss" in edge.get("/objects/9KB/a").fields["cache-status"]


def test_a_restarted_edge_still_has_its_objects(origin: Daemon, edge_for: Edges) -> None:
    edge = edge_for(origin.url)
    edge.get("/objects/9KB/a")
    edge.stop()
    again = edge_for(origin.url)
    hit = again.get("/objects/9KB/a")
    assert "; hit;" in hit.fields["cache-status"]
    assert hit.body == content("a", 9000, 0, 9000)


def test_the_least_recently_used_is_evicted_at_the_capacity(origin: Daemon, edge_for: Edges) -> None:
    edge = edge_for(origin.url, capacity="30KB")
    for name in "abc":
        edge.get(f"/objects/10KB/{name}")
    edge.get("/objects/10KB/a")
    edge.get("/objects/10KB/d")  # b goes
    seen = [("; hit;" in edge.get(f"/objects/10KB/{name}").fields["cache-status"]) for name in "adcb"]
    assert seen == [True, True, True, False]
    assert edge.stats()["used_bytes"] == 30_000


def test_an_object_larger_than_the_capacity_passes_through(origin: Daemon, edge_for: Edges) -> None:
    edge = edge_for(origin.url, capacity="1MiB")
    edge.get("/objects/10KB/small")
    answer = edge.get("/objects/3MiB/big")
    assert answer.body == content("big", 3 * 2**20, 0, 3 * 2**20)
    assert "stored" not in answer.fields["cache-status"]
    assert edge.stats()["objects"] == 1


def test_a_stale_object_is_revalidated_and_kept(script: Scripts, edge_for: Edges) -> None:
    def answer(head: str, sock: socket.socket) -> None:
        if 'If-None-Match: "v"' in head:
            sock.sendall(b'HTTP/1.1 304 Not Modified\r\nETag: "v"\r\nCache-Control: max-age=60\r\nX-New: 1\r\n\r\n')
        else:
            sock.sendall(ok(b"data", 'ETag: "v"', "Cache-Control: max-age=0", "X-Old: 1"))

    behind = script(answer)
    edge = edge_for(behind.url)
    edge.get("/x")
    second, third = edge.get("/x"), edge.get("/x")
    assert second.body == third.body == b"data"
    assert "fwd=stale; fwd-status=304" in second.fields["cache-status"]
    assert "; hit; ttl=" in third.fields["cache-status"]
    assert (third.fields["x-old"], third.fields["x-new"]) == ("1", "1")
    assert len(behind.heads) == 2


def test_a_changed_object_replaces_the_stale_one(script: Scripts, edge_for: Edges) -> None:
    bodies = [b"one", b"two, longer"]

    def answer(head: str, sock: socket.socket) -> None:
        sock.sendall(ok(bodies.pop(0), f'ETag: "{len(bodies)}"', "Cache-Control: max-age=0"))

    edge = edge_for(script(answer).url)
    assert edge.get("/x").body == b"one"
    assert edge.get("/x").body == b"two, longer"
    assert edge.stats()["objects"] == 1


@pytest.mark.parametrize(
    "field",
    ["Cache-Control: no-store", "Cache-Control: private, max-age=9", "Cache-Control: no-cache, max-age=9", "X: none",
     "Cache-Control: max-age=9\r\nVary: *", "Cache-Control: max-age=9\r\nSet-Cookie: a=b", "Expires: 0"],
)  # fmt: skip
def test_what_may_not_be_stored_is_not(script: Scripts, edge_for: Edges, field: str) -> None:
    behind = script(lambda head, sock: sock.sendall(ok(b"data", field)))
    edge = edge_for(behind.url)
    assert [edge.get("/x").body for _ in range(2)] == [b"data", b"data"]
    assert len(behind.heads) == 2
    assert edge.stats()["objects"] == 0


def test_an_authorized_request_passes(script: Scripts, edge_for: Edges) -> None:
    behind = script(lambda head, sock: sock.sendall(ok(b"data", "Cache-Control: max-age=9")))
    edge = edge_for(behind.url)
    for _ in range(2):
        assert "fwd=bypass" in edge.get("/x", "Authorization: Basic eDp5").fields["cache-status"]
    assert "Authorization: Basic eDp5" in behind.heads[1]


def test_vary_keeps_one_object_for_each_value(script: Scripts, edge_for: Edges) -> None:
    def answer(head: str, sock: socket.socket) -> None:
        language = next((line[17:] for line in head.split("\r\n") if line.startswith("Accept-Language: ")), "none")
        sock.sendall(ok(language.encode(), "Cache-Control: max-age=60", "Vary: Accept-Language"))

    behind = script(answer)
    edge = edge_for(behind.url)
    for _ in range(2):
        for language in ("de", "ta"):
            assert edge.get("/x", f"Accept-Language: {language}").body == language.encode()
    assert len(behind.heads) == 2


def test_fields_of_the_connection_stay_behind_and_unknown_ones_pass(script: Scripts, edge_for: Edges) -> None:
    answer = ok(b"data", "Connection: keep-alive, X-Hop", "X-Hop: 1", "X-Unknown: kept", "Keep-Alive: timeout=5")
    behind = script(lambda head, sock: sock.sendall(answer))
    edge = edge_for(behind.url)
    seen = edge.get("/x", "TE: trailers", "X-Asked: kept", "Connection: X-Mine", "X-Mine: 1")
    assert seen.fields["x-unknown"] == "kept"
    assert not {"x-hop", "keep-alive"} & set(seen.fields)
    head = behind.heads[0]
    assert "X-Asked: kept" in head
    assert not [line for line in head.split("\r\n") if line.startswith(("TE:", "X-Mine:", "Connection:"))]
    assert "Via: 1.1 edge1" in head
    assert "CDN-Loop: edge1" in head


def test_a_request_that_came_by_before_is_508(origin: Daemon, edge_for: Edges) -> None:
    edge = edge_for(origin.url)
    assert edge.get("/objects/1KB/a", "CDN-Loop: other, edge1; x=1").status == 508
    assert edge.get("/objects/1KB/a", "CDN-Loop: other").status == 200


def test_any_method_passes_with_its_content(script: Scripts, edge_for: Edges) -> None:
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


def test_an_idle_connection_is_not_used_after_its_time(origin: Daemon, edge_for: Edges) -> None:
    edge = edge_for(origin.url, "--origin-idle", "50ms")
    edge.get("/objects/1KB/a")
    time.sleep(0.1)
    edge.get("/objects/1KB/b")
    assert edge.stats()["origin_connections_opened"] == 2


def test_content_without_a_length_is_streamed_and_stored(script: Scripts, edge_for: Edges) -> None:
    chunked = (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nCache-Control: max-age=60\r\n\r\n"
               b"5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n")  # fmt: skip
    behind = script(lambda head, sock: sock.sendall(chunked))
    edge = edge_for(behind.url)
    first, second = edge.get("/x"), edge.get("/x")
    assert first.fields["transfer-encoding"] == "chunked"
    assert first.body == b"b\r\nhello world\r\n0\r\n\r\n"
    assert second.body == b"hello world"


def test_rules_choose_the_origin_and_what_is_cached(script: Scripts, edge_for: Edges, tmp_path: Path) -> None:
    one = script(lambda head, sock: sock.sendall(ok(b"one", "Cache-Control: max-age=60")))
    two = script(lambda head, sock: sock.sendall(ok(b"two", "Cache-Control: max-age=60")))
    rules = tmp_path / "rules.toml"
    rules.write_text(f'[origins]\ntwo = "{two.url}"\n[[route]]\nprefix = "/two/"\norigin = "two"\n'
                     '[[route]]\nprefix = "/live/"\ncache = false\n[[route]]\nprefix = "/one/"\n')  # fmt: skip
    edge = edge_for(one.url, "--rules", str(rules))
    bodies = [edge.get(path).body for path in ("/one/x", "/two/x", "/live/x", "/live/x")]
    assert bodies == [b"one", b"two", b"one", b"one"]
    assert "fwd=bypass" in edge.get("/live/x").fields["cache-status"]
    assert edge.get("/none").status == 404
    assert edge.stats()["objects"] == 2
