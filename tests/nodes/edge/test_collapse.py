"""Many clients, one fetch: collapse, late joiners, and who keeps a fetch alive."""

import socket
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from nodes.origin.generate import content
from tests.nodes.wirekit import Answer, Daemon, ScriptedOrigin, hear, ok, request

Edges = Callable[..., Daemon]
Scripts = Callable[..., ScriptedOrigin]

HEAD = "HTTP/1.1 200 OK\r\nContent-Length: {}\r\nCache-Control: max-age=60\r\n\r\n"


def until(condition: Callable[[], bool]) -> None:
    """Wait for a condition, at most 5 s."""
    deadline = time.monotonic() + 5
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_a_hundred_at_once_are_one_fetch(script: Scripts, edge_for: Edges) -> None:
    body = content("c", 500_000, 0, 500_000)
    go = threading.Event()

    def answer(head: str, sock: socket.socket) -> None:
        go.wait(5)
        sock.sendall(ok(body, "Cache-Control: max-age=60"))

    behind = script(answer)
    edge = edge_for(behind.url)
    with ThreadPoolExecutor(100) as pool:
        waiting = [pool.submit(edge.get, "/x") for _ in range(100)]
        until(lambda: edge.stats()["collapsed"] == 99)
        go.set()
        answers = [one.result() for one in waiting]
    assert len(behind.heads) == 1
    assert all(answer.body == body for answer in answers)
    assert sum("; collapsed" in answer.fields["cache-status"] for answer in answers) == 99


def test_a_late_joiner_gets_at_once_what_is_there_and_then_follows(script: Scripts, edge_for: Edges) -> None:
    body = content("l", 300_000, 0, 300_000)
    half, rest = threading.Event(), threading.Event()

    def answer(head: str, sock: socket.socket) -> None:
        sock.sendall(HEAD.format(len(body)).encode() + body[:150_000])
        half.set()
        rest.wait(5)
        sock.sendall(body[150_000:])

    behind = script(answer)
    edge = edge_for(behind.url)
    with socket.create_connection(("127.0.0.1", edge.port), timeout=5) as first:
        first.sendall(request("GET", "/x"))
        half.wait(5)
        with socket.create_connection(("127.0.0.1", edge.port), timeout=5) as late:
            late.sendall(request("GET", "/x"))
            seen = b""
            while len(Answer(seen).body if seen else b"") < 150_000:
                seen += late.recv(1 << 20)  # comes although the origin has not sent the rest
            rest.set()
            assert Answer(seen + hear(late)).body == body
        assert Answer(hear(first)).body == body
    assert len(behind.heads) == 1


def test_the_first_byte_does_not_wait_for_the_whole(script: Scripts, edge_for: Edges) -> None:
    rest = threading.Event()

    def answer(head: str, sock: socket.socket) -> None:
        sock.sendall(HEAD.format(2).encode() + b"a")
        rest.wait(5)
        sock.sendall(b"b")

    edge = edge_for(script(answer).url)
    with socket.create_connection(("127.0.0.1", edge.port), timeout=5) as sock:
        sock.sendall(request("GET", "/x"))
        seen = b""
        while not seen.endswith(b"\r\n\r\na"):
            seen += sock.recv(1000)
        rest.set()
        assert Answer(seen + hear(sock)).body == b"ab"


def leave_after(edge: Daemon, at_least: int) -> None:
    with socket.create_connection(("127.0.0.1", edge.port), timeout=5) as sock:
        sock.sendall(request("GET", "/x"))
        seen = 0
        while seen < at_least:
            seen += len(sock.recv(1 << 16))


def test_a_fetch_survives_its_first_client_when_over_half_is_there(script: Scripts, edge_for: Edges) -> None:
    body, gone = content("s", 100_000, 0, 100_000), threading.Event()

    def answer(head: str, sock: socket.socket) -> None:
        sock.sendall(HEAD.format(len(body)).encode() + body[:60_000])
        gone.wait(5)
        for start in range(60_000, 100_000, 10_000):
            sock.sendall(body[start : start + 10_000])
            time.sleep(0.02)

    behind = script(answer)
    edge = edge_for(behind.url)
    leave_after(edge, 60_000)
    gone.set()
    until(lambda: edge.stats()["objects"] == 1)
    hit = edge.get("/x")
    assert hit.body == body
    assert "; hit;" in hit.fields["cache-status"]


def test_a_fetch_ends_with_its_only_client_when_little_is_there(script: Scripts, edge_for: Edges) -> None:
    cut, gone = threading.Event(), threading.Event()

    def answer(head: str, sock: socket.socket) -> None:
        sock.sendall(HEAD.format(10_000_000).encode() + bytes(20_000))
        gone.wait(5)
        try:
            for _ in range(200):
                sock.sendall(bytes(1000))
                time.sleep(0.01)
        except OSError:
            cut.set()

    edge = edge_for(script(answer).url)
    leave_after(edge, 20_000)
    gone.set()
    assert cut.wait(5)
    until(lambda: edge.stats()["fetches_running"] == 0)
    assert edge.stats()["reserved_bytes"] == 0


def test_a_fetch_survives_its_first_client_while_another_waits(script: Scripts, edge_for: Edges) -> None:
    body, go, begun = content("w", 50_000, 0, 50_000), threading.Event(), threading.Event()

    def answer(head: str, sock: socket.socket) -> None:
        sock.sendall(HEAD.format(len(body)).encode() + body[:10_000])
        begun.set()
        go.wait(5)
        for start in range(10_000, 50_000, 5_000):
            sock.sendall(body[start : start + 5_000])
            time.sleep(0.01)

    behind = script(answer)
    edge = edge_for(behind.url)
    with socket.create_connection(("127.0.0.1", edge.port), timeout=5) as second:
        with socket.create_connection(("127.0.0.1", edge.port), timeout=5) as first:
            first.sendall(request("GET", "/x"))
            begun.wait(5)
            second.sendall(request("GET", "/x"))
            until(lambda: edge.stats()["collapsed"] == 1)
        go.set()
        assert Answer(hear(second)).body == body
    assert len(behind.heads) == 1


def test_what_may_not_be_shared_is_fetched_by_each(script: Scripts, edge_for: Edges) -> None:
    numbers, lock, go = iter(range(100)), threading.Lock(), threading.Event()

    def answer(head: str, sock: socket.socket) -> None:
        go.wait(5)
        with lock:
            number = next(numbers)
        sock.sendall(ok(str(number).encode(), "Cache-Control: private"))

    edge = edge_for(script(answer).url)
    with ThreadPoolExecutor(10) as pool:
        waiting = [pool.submit(edge.get, "/x") for _ in range(10)]
        until(lambda: edge.stats()["collapsed"] == 9)
        go.set()
        bodies = {one.result().body for one in waiting}
    assert len(bodies) == 10


def test_joiners_that_vary_are_not_given_anothers_variant(script: Scripts, edge_for: Edges) -> None:
    go = threading.Event()

    def answer(head: str, sock: socket.socket) -> None:
        go.wait(5)
        language = b"de" if "Accept-Language: de" in head else b"ta"
        sock.sendall(ok(language, "Cache-Control: max-age=60", "Vary: Accept-Language"))

    edge = edge_for(script(answer).url)
    with ThreadPoolExecutor(4) as pool:
        languages = ["de", "ta", "de", "ta"]
        waiting = [pool.submit(edge.get, "/x", f"Accept-Language: {one}") for one in languages]
        until(lambda: edge.stats()["collapsed"] == 3)
        go.set()
        assert [one.result().body.decode() for one in waiting] == languages


def test_uncacheable_answers_do_not_serialise_the_queue(script: Scripts, edge_for: Edges) -> None:
    together, most, lock = 0, 0, threading.Lock()

    def answer(head: str, sock: socket.socket) -> None:
        nonlocal together, most
        with lock:
            together += 1
            most = max(most, together)
        time.sleep(0.1)
        with lock:
            together -= 1
        sock.sendall(ok(b"x", "Cache-Control: no-store"))

    edge = edge_for(script(answer).url)
    edge.get("/x")
    began = time.monotonic()
    with ThreadPoolExecutor(10) as pool:
        answers = list(pool.map(lambda _: edge.get("/x"), range(10)))
    assert most >= 5
    assert time.monotonic() - began < 0.8
    assert {answer.body for answer in answers} == {b"x"}
    assert edge.stats()["collapsed"] == 0  # nobody waited for another's answer


def test_simultaneous_validations_are_one(script: Scripts, edge_for: Edges) -> None:
    go = threading.Event()

    def answer(head: str, sock: socket.socket) -> None:
        if "If-None-Match" not in head:
            sock.sendall(ok(b"data", 'ETag: "v"', "Cache-Control: max-age=0"))
            return
        go.wait(5)
        sock.sendall(b'HTTP/1.1 304 Not Modified\r\nETag: "v"\r\n\r\n')

    behind = script(answer)
    edge = edge_for(behind.url)
    edge.get("/x")
    with ThreadPoolExecutor(20) as pool:
        waiting = [pool.submit(edge.get, "/x") for _ in range(20)]
        until(lambda: edge.stats()["collapsed"] == 19)
        go.set()
        answers = [one.result() for one in waiting]
    assert len(behind.heads) == 2
    assert all(answer.body == b"data" and "fwd-status=304" in answer.fields["cache-status"] for answer in answers)


def test_validations_behind_the_clients_back_are_one_and_hold_nobody_up(script: Scripts, edge_for: Edges) -> None:
    go = threading.Event()

    def answer(head: str, sock: socket.socket) -> None:
        if "If-None-Match" in head:
            go.wait(5)
            sock.sendall(b'HTTP/1.1 304 Not Modified\r\nETag: "v"\r\nCache-Control: max-age=60\r\n\r\n')
        else:
            sock.sendall(ok(b"data", 'ETag: "v"', "Age: 5", "Cache-Control: max-age=1, stale-while-revalidate=60"))

    behind = script(answer)
    edge = edge_for(behind.url)
    edge.get("/x")
    answers = [edge.get("/x") for _ in range(10)]
    assert all("; hit; ttl=-" in one.fields["cache-status"] for one in answers)
    until(lambda: len(behind.heads) == 2)
    go.set()
    until(lambda: "; hit; ttl=5" in edge.get("/x").fields["cache-status"])
    assert len(behind.heads) == 2


@pytest.mark.parametrize("failure", [b"", b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n"])
def test_a_validation_behind_the_clients_back_that_fails_is_counted(script: Scripts, edge_for: Edges, failure: bytes) -> None:
    def answer(head: str, sock: socket.socket) -> bool | None:
        if "If-None-Match" in head:
            sock.sendall(failure)
            return False
        sock.sendall(ok(b"data", 'ETag: "v"', "Age: 5", "Cache-Control: max-age=1, stale-while-revalidate=60"))
        return None

    edge = edge_for(script(answer).url)
    edge.get("/x")
    assert "; hit; ttl=-" in edge.get("/x").fields["cache-status"]
    until(lambda: 'longhaul_origin_errors_total{node="edge1"} 1\n' in edge.metrics())


def test_ranges_of_what_is_being_fetched_join_where_their_bytes_are_near(script: Scripts, edge_for: Edges) -> None:
    body, half, go = content("r", 300_000, 0, 300_000), threading.Event(), threading.Event()

    def answer(head: str, sock: socket.socket) -> None:
        sock.sendall(HEAD.format(len(body)).encode() + body[:200_000])
        half.set()
        go.wait(5)
        sock.sendall(body[200_000:])

    behind = script(answer)
    edge = edge_for(behind.url)
    with socket.create_connection(("127.0.0.1", edge.port), timeout=5) as first:
        first.sendall(request("GET", "/x"))
        half.wait(5)
        time.sleep(0.1)
        part = edge.get("/x", "Range: bytes=1000-1999")
        assert (part.status, part.body) == (206, body[1000:2000])
        go.set()
        assert Answer(hear(first)).body == body
    assert len(behind.heads) == 1


def test_a_followers_first_byte_does_not_wait_for_a_slow_object(origin: Daemon, edge_for: Edges) -> None:
    edge = edge_for(origin.url)
    path = "/objects/4MiB/slow?rate=16mbit"  # two seconds
    with socket.create_connection(("127.0.0.1", edge.port), timeout=5) as leader:
        leader.sendall(request("GET", path))
        assert leader.recv(1000)
        time.sleep(0.3)
        firsts = []
        for _ in range(5):
            with socket.create_connection(("127.0.0.1", edge.port), timeout=5) as follower:
                began = time.monotonic()
                follower.sendall(request("GET", path))
                assert follower.recv(100_000)
                firsts.append(time.monotonic() - began)
    assert sorted(firsts)[2] < 0.01


def test_an_error_before_the_head_is_the_same_for_all(script: Scripts, edge_for: Edges) -> None:
    go = threading.Event()

    def answer(head: str, sock: socket.socket) -> bool:
        go.wait(5)
        return False

    behind = script(answer)
    edge = edge_for(behind.url)
    with ThreadPoolExecutor(5) as pool:
        waiting = [pool.submit(edge.get, "/x") for _ in range(5)]
        until(lambda: edge.stats()["collapsed"] == 4)
        go.set()
        assert {one.result().status for one in waiting} == {502}
    assert len(behind.heads) == 1


def test_simultaneous_equal_conditions_of_clients_are_one_question(script: Scripts, edge_for: Edges) -> None:
    go = threading.Event()

    def answer(head: str, sock: socket.socket) -> None:
        go.wait(5)
        sock.sendall(b'HTTP/1.1 304 Not Modified\r\nETag: "v"\r\n\r\n')

    behind = script(answer)
    edge = edge_for(behind.url)
    with ThreadPoolExecutor(10) as pool:
        waiting = [pool.submit(edge.get, "/x", 'If-None-Match: "v"') for _ in range(10)]
        until(lambda: edge.stats()["collapsed"] == 9)
        go.set()
        assert [one.result().status for one in waiting] == [304] * 10
    assert len(behind.heads) == 1


def test_a_reader_that_stops_does_not_hold_up_others_of_an_object_that_is_not_stored(script: Scripts, edge_for: Edges) -> None:
    body, go = bytes(40_000_000), threading.Event()

    def answer(head: str, sock: socket.socket) -> None:
        go.wait(5)
        sock.sendall(HEAD.format(len(body)).encode() + body)

    behind = script(answer)
    edge = edge_for(behind.url, capacity="4MiB")
    with socket.socket() as stopped, ThreadPoolExecutor(3) as pool:
        stopped.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)  # else the kernel would take most of it
        stopped.connect(("127.0.0.1", edge.port))
        stopped.sendall(request("GET", "/x"))  # and reads nothing
        until(lambda: len(behind.heads) == 1)
        waiting = [pool.submit(edge.get, "/x") for _ in range(3)]
        until(lambda: edge.stats()["collapsed"] == 3)
        go.set()
        assert all(one.result(timeout=5).body == body for one in waiting)
