"""What an edge does when the origin, the disk or the power fails: never a torn object, always a visible error."""

import hashlib
import os
import random
import re
import resource
import signal
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from nodes.origin.generate import content, sha256
from tests.nodes.edge.kept import get
from tests.nodes.wirekit import Answer, Daemon, ScriptedOrigin, ask, ended, hear, ok, raw

Edges = Callable[..., Daemon]
Scripts = Callable[..., ScriptedOrigin]
FRESH = "Cache-Control: max-age=60"


def test_an_origin_that_is_down_is_502_with_the_reason(edge_for: Edges) -> None:
    with socket.create_server(("127.0.0.1", 0)) as held:
        port = held.getsockname()[1]
    answer = edge_for(f"http://127.0.0.1:{port}").get("/x")
    assert answer.status == 502
    assert b"connection refused" in answer.body
    assert 'detail="the origin' in answer.fields["cache-status"]


def test_an_origin_that_says_nothing_is_504(script: Scripts, edge_for: Edges) -> None:
    edge = edge_for(script(lambda head, sock: time.sleep(1)).url, "--origin-timeout", "100ms")
    assert edge.get("/x").status == 504


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


@pytest.mark.parametrize("workers", ["1", "2"])
@pytest.mark.parametrize("half_close", [False, True])
@pytest.mark.parametrize(
    ("framing", "said", "words"),
    [("Transfer-Encoding: chunked", b"5\r\nhello\r\nzz\r\n", b"size of a chunk is malformed"),
     ("Transfer-Encoding: chunked", b"5\r\nhello\r\n", b"ended before it was whole"),
     ("Content-Length: 9", b"hello", b"ended before it was whole")],
)  # fmt: skip
def test_content_that_is_malformed_or_cut_is_the_clients_fault_not_the_origins(
    script: Scripts, edge_for: Edges, framing: str, said: bytes, words: bytes, half_close: bool, workers: str
) -> None:  # fmt: skip
    def listen(head: str, sock: socket.socket) -> bool:
        hear(sock)
        return False

    if not half_close and words.startswith(b"ended"):
        return
    edge = edge_for(script(listen).url, "--workers", workers)
    for _ in range(1 if workers == "1" else 6):
        answer = Answer(raw(edge.port, f"POST /x HTTP/1.1\r\nHost: a\r\n{framing}\r\n\r\n".encode() + said,
                            half_close=half_close))  # fmt: skip
        assert answer.status == 400
        assert words in answer.body
    assert re.search(r"^longhaul_origin_errors_total\{.*\} 0$", edge.get("/-/metrics").body.decode(), re.M)


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


def only_file(cache: Path) -> Path:
    """The one object there is."""
    (found,) = (path for path in (cache / "objects").rglob("*") if path.is_file())
    return found


@pytest.mark.parametrize("prepared", [False, True])
@pytest.mark.parametrize(("size", "count"), [("10KB", 10_000), ("3MB", 3_000_000)])
def test_a_damaged_file_is_dropped_counted_and_fetched_again(
    origin: Daemon, edge_for: Edges, tmp_path: Path, size: str, count: int, prepared: bool
) -> None:
    edge = edge_for(origin.url)
    for _ in range(4 if prepared else 1):
        get(edge, f"/objects/{size}/t")
        time.sleep(0.1)
    damaged = only_file(tmp_path / "cache")
    with damaged.open("r+b") as file:
        file.seek(5000)
        file.write(b"#")
    again = get(edge, f"/objects/{size}/t")
    assert again.body == content("t", count, 0, count)
    if not (prepared and count <= 32 * 1024):  # what is in memory is right, whatever became of the file
        assert "stored" in again.fields["cache-status"]
        assert edge.stats()["bad_objects"] == 1
        assert "; hit;" in get(edge, f"/objects/{size}/t").fields["cache-status"]


def test_without_memory_for_answers_every_hit_is_read_from_its_file(origin: Daemon, edge_for: Edges, tmp_path: Path) -> None:
    edge = edge_for(origin.url, "--memory", "0B")
    for _ in range(4):
        assert get(edge, "/objects/10KB/t").status == 200
        time.sleep(0.1)
    with only_file(tmp_path / "cache").open("r+b") as file:
        file.seek(5000)
        file.write(b"#")
    assert "stored" in get(edge, "/objects/10KB/t").fields["cache-status"]
    assert edge.stats()["bad_objects"] == 1


@pytest.mark.parametrize("prepared", [False, True])
def test_damage_beyond_what_was_sent_cuts_the_answer(
    origin: Daemon, edge_for: Edges, tmp_path: Path, prepared: bool
) -> None:
    edge = edge_for(origin.url)
    for _ in range(4 if prepared else 1):
        get(edge, "/objects/3MB/t")
        time.sleep(0.1)
    with only_file(tmp_path / "cache").open("r+b") as file:
        file.seek(2_500_000)
        file.write(b"#")
    again = get(edge, "/objects/3MB/t")
    assert not again.whole
    assert content("t", 3_000_000, 0, 3_000_000).startswith(again.body)
    assert len(again.body) >= 1_000_000
    assert get(edge, "/objects/3MB/t").body == content("t", 3_000_000, 0, 3_000_000)
    assert edge.stats()["bad_objects"] == 1
    told = re.fullmatch(r"longhaul: dropped (\S+) from the cache: it is not what was stored of (\S+)\n", edge.stop()[1])
    assert told, "one line for the one object"
    assert told[1].startswith(str(tmp_path / "cache" / "objects"))
    assert told[2].endswith("/objects/3MB/t")


def test_a_file_that_became_shorter_is_dropped_counted_and_fetched_again(
    origin: Daemon, edge_for: Edges, tmp_path: Path
) -> None:
    edge = edge_for(origin.url)
    edge.get("/objects/100KB/t")
    os.truncate(only_file(tmp_path / "cache"), 50_000)
    again = edge.get("/objects/100KB/t")
    assert again.body == content("t", 100_000, 0, 100_000)
    assert "stored" in again.fields["cache-status"]
    assert edge.stats()["bad_objects"] == 1


@pytest.mark.parametrize("name", ["tmp", "objects", "docs"])
def test_a_folder_that_is_no_cache_is_refused_and_left_as_it_is(
    origin: Daemon, edge_for: Edges, tmp_path: Path, name: str
) -> None:
    theirs = tmp_path / "cache" / name / "thesis.txt"
    theirs.parent.mkdir(parents=True)
    theirs.write_text("ten years of work")
    with pytest.raises(AssertionError, match=f"{name} is there, and no edge has made it; choose a new or empty folder"):
        edge_for(origin.url)
    assert theirs.read_text() == "ten years of work"
    assert [path.name for path in (tmp_path / "cache").iterdir()] == [name]


def test_two_edges_do_not_share_a_cache(origin: Daemon, edge_for: Edges) -> None:
    edge_for(origin.url)
    with pytest.raises(AssertionError, match="another edge uses it; choose another --cache"):
        edge_for(origin.url)


MOMENTS = int(os.environ.get("LONGHAUL_KILLS", "24"))
"""How often the edge is killed; LONGHAUL_KILLS=200 is the long form."""

SIZES = {"3MB": 3_000_000, "40KB": 40_000, "700KB": 700_000}
NAMES = [f"/objects/{size}/k{number}" for number in range(4) for size in SIZES]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("workers", "victim"), [("1", "edge"), ("2", "edge"), ("2", "home"), ("2", "other")],
)  # fmt: skip
def test_kill_9_at_any_moment_leaves_no_torn_object(
    origin: Daemon, edge_for: Edges, tmp_path: Path, workers: str, victim: str
) -> None:  # fmt: skip
    """Deaths under load with writes; after each, what the next edge serves is right, and nothing is left over."""
    rng, hits, wrong = random.Random(2), 0, list[str]()
    for _ in range(MOMENTS // 4):
        edge = edge_for(origin.url, "--workers", workers, capacity="12MB")
        processes = edge.workers()
        stop = threading.Event()
        threads = [threading.Thread(target=load, args=(edge.port, stop, wrong)) for _ in range(3)]
        for thread in threads:
            thread.start()
        time.sleep(rng.uniform(0.02, 0.15))
        if victim == "edge":
            edge.stop(signal.SIGKILL)
        else:  # the edge ends by itself, and says why
            index = ("home", "other").index(victim)
            os.kill(processes[index], signal.SIGKILL)
            status, errors = edge.process.wait(timeout=15), edge.stop()[1]
            assert status == 1
            assert errors == f"longhaul: worker {index} was ended by SIGKILL; the others are stopped\n"
        stop.set()
        for thread in threads:
            thread.join(5)
        assert ended(processes)
        again = edge_for(origin.url, capacity="12MB")
        hits += sum(right_or_absent(again, path) for path in NAMES)
        stats = again.stats()
        assert stats["index_ready"]
        files = [path for path in (tmp_path / "cache" / "objects").rglob("*") if path.is_file()]
        assert stats["objects"] == len(files)
        assert stats["used_bytes"] == sum(path.stat().st_size for path in files) <= 12_000_000
        assert not list((tmp_path / "cache" / "tmp").iterdir())
        assert stats["bad_objects"] == stats["reserved_bytes"] == 0
        again.stop()
    assert hits > MOMENTS // 4
    assert not wrong


def load(port: int, stop: threading.Event, wrong: list[str]) -> None:
    """Ask for random objects until the edge is gone; notes answers that are whole and wrong."""
    mine = random.Random()
    while not stop.is_set():
        path = mine.choice(NAMES)
        try:
            answer = ask(port, "GET", path)
        except (OSError, IndexError, ValueError):
            return
        size, name = path.split("/")[2:]
        if answer.status == 200 and answer.whole and hashlib.sha256(answer.body).digest() != sha256(name, SIZES[size]):
            wrong.append(f"{path}: {answer.head}, {len(answer.body)} bytes, {answer.body[:100]!r}")


def right_or_absent(edge: Daemon, path: str) -> bool:
    """Whether an object is there; then it is right."""
    answer = edge.get(path, "Cache-Control: only-if-cached")
    if answer.status == 504:
        return False
    size, name = path.split("/")[2:]
    assert hashlib.sha256(answer.body).digest() == sha256(name, SIZES[size])
    return True
