"""What an edge does when the origin, the disk or the power fails: never a torn object, always a visible error."""

import hashlib
import os
import random
import resource
import signal
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from nodes.http.digest import repr_digest
from nodes.origin.generate import content, sha256
from tests.nodes.wirekit import Answer, Daemon, ScriptedOrigin, ask, hear, ok

Edges = Callable[..., Daemon]
Scripts = Callable[..., ScriptedOrigin]
FRESH = "Cache-Control: max-age=60"


def test_an_origin_that_is_down_is_502_with_the_reason(edge_for: Edges) -> None:
    with socket.create_server(("127.0.0.1", 0)) as held:
        port = held.getsockname()[1]
    answer = edge_for(f"http://127.0.0.1:{port}").get("/x")
    assert answer.status == 502
    assert b"connection refused" in answer.body
    assert "edge1; fwd=uri-miss; detail=" in answer.fields["cache-status"]


def test_an_origin_that_says_nothing_is_504(script: Scripts, edge_for: Edges) -> None:
    edge = edge_for(script(lambda head, sock: time.sleep(1)).url, "--origin-timeout", "100ms")
    assert edge.get("/x").status == 504


@pytest.mark.parametrize(
    "said",
    [b"nonsense\r\n\r\n", b"", b"HTTP/1.1 200 OK\r\nContent-Le",
     b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n"],
)  # fmt: skip
def test_an_origin_that_speaks_no_http_is_502(script: Scripts, edge_for: Edges, said: bytes) -> None:
    def answer(head: str, sock: socket.socket) -> bool:
        sock.sendall(said)
        return False

    assert edge_for(script(answer).url).get("/x").status == 502


@pytest.mark.parametrize("form", ["length", "chunked"])
@pytest.mark.parametrize("cache", [FRESH, "Cache-Control: no-store"])
def test_an_origin_cut_in_mid_transfer_is_seen_by_the_client_and_not_stored(
    script: Scripts, edge_for: Edges, form: str, cache: str
) -> None:
    framing = "Content-Length: 100000" if form == "length" else "Transfer-Encoding: chunked"
    part = b"x" * 40_000 if form == "length" else b"9c40\r\n" + b"x" * 40_000 + b"\r\n"

    def answer(head: str, sock: socket.socket) -> bool:
        sock.sendall(f"HTTP/1.1 200 OK\r\n{framing}\r\n{cache}\r\n\r\n".encode() + part)
        time.sleep(0.05)
        return False

    behind = script(answer)
    edge = edge_for(behind.url)
    seen = edge.get("/x")
    assert len(seen.body) < 100_000
    assert not seen.body.endswith(b"0\r\n\r\n")
    stats = edge.stats()
    assert (stats["objects"], stats["reserved_bytes"]) == (0, 0)
    edge.get("/x")
    assert len(behind.heads) == 2


def test_all_who_joined_a_cut_fetch_fail_alike(script: Scripts, edge_for: Edges) -> None:
    go = threading.Event()

    def answer(head: str, sock: socket.socket) -> bool:
        sock.sendall(f"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n{FRESH}\r\n\r\n".encode() + bytes(500))
        go.wait(5)
        return False

    edge = edge_for(script(answer).url)
    answers: list[Answer] = []
    threads = [threading.Thread(target=lambda: answers.append(edge.get("/x"))) for _ in range(5)]
    for thread in threads:
        thread.start()
    while edge.stats()["collapsed"] < 4:
        time.sleep(0.01)
    go.set()
    for thread in threads:
        thread.join(5)
    assert [(answer.status, answer.whole, len(answer.body)) for answer in answers] == [(200, False, 500)] * 5


def test_content_that_is_not_what_its_digest_says_is_cut_and_not_stored(script: Scripts, edge_for: Edges) -> None:
    digest = f"Repr-Digest: {repr_digest(hashlib.sha256(b'right').digest())}"
    edge = edge_for(script(lambda head, sock: sock.sendall(ok(b"wrong", digest, FRESH))).url)
    seen = edge.get("/x")
    assert seen.status == 502 or not seen.whole
    assert edge.stats()["objects"] == 0


def test_a_kept_connection_that_died_is_replaced_once(script: Scripts, edge_for: Edges) -> None:
    def answer(head: str, sock: socket.socket) -> bool:
        if " /second " in head and behind.connections == 1:
            return False  # accepts the request, then dies without a byte
        sock.sendall(ok(b"data"))
        return True

    behind = script(answer)
    edge = edge_for(behind.url)
    assert edge.get("/first").body == b"data"
    assert edge.get("/second").body == b"data"
    assert [head.split()[1] for head in behind.heads] == ["/first", "/second", "/second"]


def test_an_unsafe_request_is_never_sent_twice(script: Scripts, edge_for: Edges) -> None:
    def answer(head: str, sock: socket.socket) -> bool:
        if head.startswith("POST"):
            return False
        sock.sendall(ok(b"data"))
        return True

    behind = script(answer)
    edge = edge_for(behind.url)
    edge.get("/first")
    assert edge.get("/x", method="POST").status == 502
    assert len(behind.heads) == 2


def test_content_that_breaks_on_the_way_in_is_not_passed_as_whole(script: Scripts, edge_for: Edges) -> None:
    heard: list[bytes] = []

    def listen(head: str, sock: socket.socket) -> bool:
        sock.settimeout(3)
        heard.append(hear(sock))
        return False

    edge = edge_for(script(listen).url)
    said = b"POST /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\nzz\r\n"
    with socket.create_connection(("127.0.0.1", edge.port), timeout=3) as sock:
        sock.sendall(said)
        assert not hear(sock).startswith(b"HTTP/1.1 2")
    assert not heard or not heard[0].endswith(b"0\r\n\r\n")


def test_a_full_disk_passes_through_and_is_counted(origin: Daemon, edge_for: Edges) -> None:
    def small_files() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, 1_000_000))

    edge = edge_for(origin.url, preexec_fn=small_files)
    for _ in range(2):
        answer = edge.get("/objects/5MB/full")
        assert hashlib.sha256(answer.body).digest() == sha256("full", 5_000_000)
    stats = edge.stats()
    assert stats["disk_errors"] == 2
    assert (stats["objects"], stats["reserved_bytes"]) == (0, 0)
    assert edge.get("/objects/500KB/fits").status == 200
    assert edge.stats()["objects"] == 1


def test_a_body_that_became_shorter_is_dropped_counted_and_fetched_again(
    origin: Daemon, edge_for: Edges, tmp_path: Path
) -> None:
    edge = edge_for(origin.url)
    edge.get("/objects/10KB/t")
    os.truncate(next((tmp_path / "cache").rglob("*.body")), 5000)
    again = edge.get("/objects/10KB/t")
    assert again.body == content("t", 10_000, 0, 10_000)
    assert "stored" in again.fields["cache-status"]
    assert edge.stats()["bad_objects"] == 1
    assert "; hit;" in edge.get("/objects/10KB/t").fields["cache-status"]


def test_two_edges_do_not_share_a_cache(origin: Daemon, edge_for: Edges) -> None:
    edge_for(origin.url)
    with pytest.raises(AssertionError, match="another edge uses it; choose another --cache"):
        edge_for(origin.url)


@pytest.mark.slow
def test_kill_9_at_any_moment_leaves_no_torn_object(origin: Daemon, edge_for: Edges, tmp_path: Path) -> None:
    """Twelve deaths under load; after each, every object that the next edge serves has the right bytes."""
    rng = random.Random(2)
    names = [f"/objects/{size}/k{number}" for number in range(4) for size in ("3MB", "40KB", "700KB")]
    hits = 0
    for _ in range(12):
        edge = edge_for(origin.url, capacity="12MB")
        stop = threading.Event()

        def load(port: int = edge.port, stop: threading.Event = stop) -> None:
            mine = random.Random()
            while not stop.is_set():
                try:
                    ask(port, "GET", mine.choice(names))
                except (OSError, IndexError, ValueError):
                    return

        threads = [threading.Thread(target=load) for _ in range(3)]
        for thread in threads:
            thread.start()
        time.sleep(rng.uniform(0.02, 0.15))
        edge.stop(signal.SIGKILL)
        stop.set()
        for thread in threads:
            thread.join(5)
        again = edge_for(origin.url, capacity="12MB")
        for path in names:
            answer = again.get(path, "Cache-Control: only-if-cached")
            if answer.status == 200:
                hits += 1
                size = {"3MB": 3_000_000, "40KB": 40_000, "700KB": 700_000}[path.split("/")[2]]
                assert hashlib.sha256(answer.body).digest() == sha256(path.split("/")[3], size)
            else:
                assert answer.status == 504
        held = {path.stat().st_size for path in (tmp_path / "cache").rglob("*.body")}
        assert held <= {3_000_000, 40_000, 700_000}
        again.stop()
    assert hits > 12
