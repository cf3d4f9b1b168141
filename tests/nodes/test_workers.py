"""Several workers on one port: started, told of each other, relayed to the home, counted together, stopped together."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from nodes.http.channel import Channel, pair
from nodes.http.metrics import summed
from tests.nodes.wire_dialogues import chunked, get, post
from tests.nodes.wirekit import ENV, Answer, Daemon, ended, hear, listen, raw

APP = "tests.nodes.wire_app"
MANY = 40
"""Connections enough that the kernel's hash gives some to each of two workers (one chance in 2**40 that it does not)."""


@pytest.fixture(scope="module")
def team(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    daemon = Daemon(APP, "--workers", "2", "--name", "team1", "--log", str(tmp_path_factory.mktemp("team") / "log.jsonl"))
    yield daemon
    daemon.process.terminate()
    daemon.process.communicate()


def worker_of(port: int) -> tuple[socket.socket, int]:
    """A connection, and the worker that serves it."""
    sock = socket.create_connection(("127.0.0.1", port), timeout=5)
    sock.sendall(get("/team/pid"))
    heard = listen(sock, b"\r\n\r\n")
    while not Answer(heard).whole:
        heard += sock.recv(1000)
    return sock, int(Answer(heard).body.split()[0])


@pytest.fixture
def both(team: Daemon) -> Iterator[dict[int, socket.socket]]:
    """A connection to each worker."""
    found: dict[int, socket.socket] = {}
    others = []
    for _ in range(MANY):
        sock, index = worker_of(team.port)
        others.append(sock)
        found.setdefault(index, sock)
        if len(found) == 2:
            break
    yield found
    for sock in others:
        sock.close()


def say(sock: socket.socket, said: bytes, until: bytes) -> bytes:
    sock.sendall(said)
    return listen(sock, until)


def test_both_workers_serve_one_port_and_one_line_says_they_are_ready(team: Daemon, both: dict[int, socket.socket]) -> None:
    assert set(both) == {0, 1}
    assert set(team.ready) == {"event", "listen", "name"}


def test_the_home_hears_the_others_in_order(both: dict[int, socket.socket]) -> None:
    for number in range(50):
        say(both[1], get(f"/team/home?m{number}"), b"\r\n\r\n1")
    heard = say(both[0], get("/team/told"), b"1:m49")
    assert " ".join(f"1:m{number}" for number in range(50)).encode() in heard


def test_what_the_home_tells_is_known_to_all_when_it_is_acknowledged(both: dict[int, socket.socket]) -> None:
    for number in range(50):
        say(both[0], get(f"/team/all?n{number}"), b"\r\n\r\n0")
        assert say(both[1], get("/team/told"), f"0:n{number}".encode())


@pytest.mark.parametrize(
    ("said", "heard"),
    [
        (get("/home/status/299?odd"), b"HTTP/1.1 299 odd\r\nX-One: 1\r\nx-unknown: a\r\nX-ONE: 2\r\n"),
        (get("/home/chunks"), b"\r\n\r\n3\r\none\r\n3\r\ntwo\r\n5\r\nthree\r\n0\r\nX-Sum: 3\r\n\r\n"),
        (get("/home/interim"), b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK"),
        (post("/home/echo", b"abc" * 50_000), b"\r\n\r\n" + b"abc" * 50_000),
        (chunked("/home/echo", b"3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"), b"\r\n\r\nabcde"),
        (post("/home/echo", b"", "Content-Type: x"), b"Content-Length: 0"),
        (get("/home/nothing"), b"404: nothing of that name\n"),
        (get("/home/file"), bytes(range(256)) * 32768),
    ],
    ids=["reason", "chunks", "interim", "echo", "chunked", "empty", "refused", "file"],
)  # fmt: skip
def test_a_relayed_request_gets_the_homes_very_bytes(both: dict[int, socket.socket], said: bytes, heard: bytes) -> None:
    for _ in range(3):  # the link is used again
        direct = say(both[0], said, heard)
        relayed = say(both[1], said, heard)
        dateless = [[line for line in text.split(b"\r\n") if not line.startswith(b"Date: ")] for text in (direct, relayed)]
        assert dateless[0] == dateless[1]


def test_a_relayed_client_is_asked_for_its_content_by_the_home(both: dict[int, socket.socket]) -> None:
    head = get("/home/echo", "Content-Length: 3", "Expect: 100-continue", method="POST")
    asked = say(both[1], head, b"HTTP/1.1 100 Continue\r\n\r\n")
    heard = asked + say(both[1], b"abc", b"\r\n\r\nabc")
    assert heard.count(b" 100 ") == 1


def test_pipelined_requests_are_answered_in_order_across_workers(both: dict[int, socket.socket]) -> None:
    said = get("/home/slow?30") + get("/prepared") + get("/home/status/201") + get("/now")
    heard = say(both[1], said, b"/now")
    places = [heard.index(text) for text in (b"slow", b"/prepared", b" 201 ", b"/now")]
    assert places == sorted(places)


def test_a_cut_answer_is_cut_for_the_relayed_client_too(team: Daemon) -> None:
    for _ in range(MANY):
        sock, index = worker_of(team.port)
        with sock:
            if index == 1:
                sock.sendall(get("/home/short"))
                answer = Answer(hear(sock))
                assert (answer.body, answer.whole) == (b"12345", False)
                return
    raise AssertionError("no connection to worker 1")


def test_a_request_has_one_record_with_its_own_client_whoever_answers(team: Daemon, both: dict[int, socket.socket]) -> None:
    target = "/home/status/200?once"
    say(both[1], get(target), b"\r\n\r\n")
    client = "{}:{}".format(*both[1].getsockname())
    team.get("/-/metrics")
    records = [json.loads(line) for line in team.log.read_text(encoding="utf-8").splitlines()]
    made = [(one["client"], one["worker"], one["status"]) for one in records if one["target"] == target]
    assert made == [(client, 0, 200)]


def test_numbers_are_those_of_all_workers_whoever_is_asked(team: Daemon, both: dict[int, socket.socket]) -> None:
    def hits(sock: socket.socket) -> float:
        heard = b""
        sock.sendall(get("/metrics"))
        while not (heard and Answer(heard).whole):
            heard += sock.recv(1 << 20)
        name = 'longhaul_requests_total{node="team1",status="200",result="TCP_HIT"} '
        return sum(float(line.removeprefix(name)) for line in heard.decode().splitlines() if line.startswith(name))

    before = hits(both[0])
    for sock in both.values():
        for _ in range(5):
            say(sock, get("/prepared"), b"yyyyy")
    assert hits(both[0]) - before == 10
    assert hits(both[1]) - before == 10


def test_a_message_of_the_longest_fields_fits_where_the_kernel_allows_the_usual() -> None:
    fields = [["X", "\xff" * 131_000], ["Y", '"' * 8_000]]  # what a response may have, in the worst characters
    heard: list[object] = []

    async def story() -> None:
        ends = pair()
        for end in ends:
            end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 212_992)
        over = asyncio.Event()
        one = Channel(ends[0], lambda *_: None, over.set)
        other = Channel(ends[1], lambda message, _: (heard.append(message), over.set()), over.set)
        one.send({"hit": fields})
        await asyncio.wait_for(over.wait(), 5)
        one.close()
        other.close()

    asyncio.run(story())
    assert heard == [{"hit": fields}]


def test_sums_keep_families_together() -> None:
    one = '# TYPE a counter\na{x="1"} 1\n# TYPE b gauge\nb 2\n'
    two = '# TYPE a counter\na{x="1"} 2\na{x="2"} 5\n# TYPE b gauge\nb 0.5\n# TYPE c counter\nc 1\n'
    told = "# HELP a what it is\n"
    assert summed([told + one, told + two]).splitlines()[:2] == ["# HELP a what it is", "# TYPE a counter"]
    assert summed([one, two]) == '# TYPE a counter\na{x="1"} 3\na{x="2"} 5\n# TYPE b gauge\nb 2.5\n# TYPE c counter\nc 1\n'


def test_sigterm_finishes_what_both_are_serving_and_what_is_relayed(start: Callable[..., Daemon]) -> None:
    daemon = start(APP, "--workers", "2")
    workers, heard = daemon.workers(), []
    socks = [worker_of(daemon.port) for _ in range(12)]
    for sock, _ in socks:
        sock.sendall(get("/home/slow?400"))
    time.sleep(0.1)
    daemon.process.send_signal(signal.SIGTERM)
    readers = [threading.Thread(target=lambda s=sock: heard.append(hear(s))) for sock, _ in socks]
    for reader in readers:
        reader.start()
    for reader in readers:
        reader.join()
    for sock, _ in socks:
        sock.close()
    assert all(one.endswith(b"slow") for one in heard)
    assert len(heard) == 12
    assert daemon.process.wait(timeout=5) == 0
    assert ended(workers)


def test_the_home_stays_until_the_others_need_it_no_more(start: Callable[..., Daemon]) -> None:
    daemon = start(APP, "--workers", "2")
    late = []
    for _ in range(MANY):
        sock, index = worker_of(daemon.port)
        if index == 1:
            late.append(sock)
        else:
            sock.close()
    for sock in late:
        sock.sendall(get("/home/status/201")[:30])
    time.sleep(0.1)
    daemon.process.send_signal(signal.SIGTERM)
    time.sleep(0.4)
    for sock in late:
        sock.sendall(get("/home/status/201")[30:])
    heard = [hear(sock) for sock in late]
    for sock in late:
        sock.close()
    assert late
    assert all(b" 201 " in one for one in heard)
    assert daemon.process.wait(timeout=5) == 0


@pytest.mark.parametrize("victim", [0, 1])
def test_the_death_of_one_ends_all_with_an_error(start: Callable[..., Daemon], victim: int) -> None:
    daemon = start(APP, "--workers", "2")
    workers = daemon.workers()
    by_index = {}
    for _ in range(MANY):
        index, process = raw(daemon.port, get("/team/pid", "Connection: close")).rpartition(b"\r\n\r\n")[2].split()
        by_index[int(index)] = int(process)
    os.kill(by_index[victim], signal.SIGKILL)
    _, errors = daemon.process.communicate(timeout=15)
    assert daemon.process.returncode == 1
    assert f"longhaul: worker {victim} was ended by SIGKILL; the others are stopped" in errors
    assert ended(workers)


def test_workers_do_not_outlive_their_parent(start: Callable[..., Daemon]) -> None:
    daemon = start(APP, "--workers", "3")
    workers = daemon.workers()
    assert len(workers) == 3
    daemon.process.kill()
    assert ended(workers)


def test_a_port_that_is_taken_is_not_shared(start: Callable[..., Daemon]) -> None:
    first = start(APP, "--workers", "2")
    with pytest.raises(AssertionError, match="address already in use"):
        start(APP, "--workers", "2", "--listen", f"127.0.0.1:{first.port}")


def test_a_worker_that_cannot_begin_says_why_once_and_ends_the_daemon(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="could not") as told:
        Daemon("edge", "--workers", "2", "--cache", str(tmp_path), "--capacity", "1MiB")
    assert "Traceback" not in str(told.value)


DEFECT = """
from nodes.http.options import parser, serve
def build(name, metrics):
    raise RuntimeError("a defect of this daemon")
raise SystemExit(serve(parser("x", "x", "x").parse_args(["--workers", "2", "--listen", "127.0.0.1:0"]), build, "x"))
"""


def test_a_worker_that_has_a_defect_tells_where() -> None:
    done = subprocess.run([sys.executable, "-c", DEFECT], env=ENV, capture_output=True, text=True, timeout=15, check=False)
    assert done.returncode == 1
    assert "RuntimeError: a defect of this daemon" in done.stderr
    assert "ended with status 1; the others are stopped" in done.stderr
