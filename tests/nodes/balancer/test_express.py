"""Kept connections to nodes: a plain exchange on one takes a shorter way through the balancer, and nobody can tell."""

from __future__ import annotations

import json
import re
import socket
import struct
import time
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import pytest

from nodes.balancer.balance import Balance, Settings
from nodes.balancer.heads import answered, asked
from nodes.balancer.members import parse
from nodes.http.message import Fields, Request
from tests.nodes.balancer.balancerkit import NO_CHECKS, Balanced
from tests.nodes.wirekit import Answer, Daemon, ScriptedOrigin, hear, listen, ok, raw, request

BIG = bytes(range(256)) * 4096
HUGE_MIB = 48
"""More than the kernel keeps of two connections."""


class Scripts:
    """A node with one path for each way to answer. `/end` closes the connection, so that the next request has a new one."""

    def __init__(self) -> None:
        self.ends = 0
        """Connections whose other side was closed while a script waited for that."""

    def __call__(self, head: str, sock: socket.socket) -> bool | None:
        path = head.split(" ")[1]
        one = getattr(self, path.strip("/").replace("-", "_"), None)
        if one is None:
            answer = ok(b"plain", "Date: Mon, 01 Jan 2024 00:00:00 GMT", 'ETag: "1"', "Set-Cookie: a=1", "Set-Cookie: b=2")
            sock.sendall(answer.removesuffix(b"plain") if head.startswith("HEAD ") else answer)
            return None
        return one(head, sock)  # type: ignore[no-any-return]

    def end(self, head: str, sock: socket.socket) -> bool:
        sock.sendall(ok(b"", "Connection: close"))
        return False

    def no_date(self, head: str, sock: socket.socket) -> None:
        sock.sendall(ok(b"x"))

    def empty(self, head: str, sock: socket.socket) -> None:
        sock.sendall(b"HTTP/1.1 204 No Content\r\n\r\n")

    def not_modified(self, head: str, sock: socket.socket) -> None:
        sock.sendall(b"HTTP/1.1 304 Not Modified\r\nETag: \"1\"\r\nContent-Length: 5\r\n\r\n")

    def failed(self, head: str, sock: socket.socket) -> None:
        sock.sendall(ok(b"no", status="503 Not Now"))

    def odd(self, head: str, sock: socket.socket) -> None:
        sock.sendall(ok(b"odd", status="799 Odd"))

    def old(self, head: str, sock: socket.socket) -> bool:
        sock.sendall(b"HTTP/1.0 200 OK\r\nContent-Length: 3\r\n\r\nold")
        return False

    def chunks(self, head: str, sock: socket.socket) -> None:
        sock.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n")

    def until_close(self, head: str, sock: socket.socket) -> bool:
        sock.sendall(b"HTTP/1.1 200 OK\r\n\r\nuntil the end")
        return False

    def interim(self, head: str, sock: socket.socket) -> None:
        sock.sendall(b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n" + ok(b"after"))

    def malformed(self, head: str, sock: socket.socket) -> bool:
        sock.sendall(b"HTTP/1.1 2x0 OK\r\n\r\n")
        return False

    def twice(self, head: str, sock: socket.socket) -> bool:
        sock.sendall(ok(b"right") + b"HTTP/1.1 200 OK\r\n\r\n")
        return False

    def late_excess(self, head: str, sock: socket.socket) -> None:
        sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nabc")
        time.sleep(0.02)
        sock.sendall(b"def" + b"more than was said")

    def slowly(self, head: str, sock: socket.socket) -> None:
        for piece in (b"HTTP/1.1 20", b"0 OK\r\nContent-Length: 6\r\n\r", b"\n", b"abc", b"def"):
            sock.sendall(piece)
            time.sleep(0.01)

    def head_first(self, head: str, sock: socket.socket) -> None:
        sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n")
        time.sleep(0.02)
        sock.sendall(b"abcdef")

    def large(self, head: str, sock: socket.socket) -> None:
        sock.sendall(ok(BIG))

    def huge(self, head: str, sock: socket.socket) -> None:
        sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (HUGE_MIB * len(BIG)))
        try:
            for _ in range(HUGE_MIB):
                sock.sendall(BIG)
        except OSError:
            self.ends += 1
            raise

    def half(self, head: str, sock: socket.socket) -> bool:
        sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf")
        return False

    def head_only(self, head: str, sock: socket.socket) -> bool:
        sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n")
        return False

    def stops(self, head: str, sock: socket.socket) -> bool:
        sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf")
        time.sleep(1)
        return False

    def hangs(self, head: str, sock: socket.socket) -> bool:
        time.sleep(1)
        return False

    def waits(self, head: str, sock: socket.socket) -> bool:
        self.ends += sock.recv(1) == b""
        return False

    def resets(self, head: str, sock: socket.socket) -> bool:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        sock.close()
        return False


@pytest.fixture
def made(start: Callable[..., Daemon], script: Callable[..., ScriptedOrigin], tmp_path: Path) -> Balanced:
    scripts = Scripts()
    balanced = Balanced(start, tmp_path, {"a1": script(scripts)}, "--node-timeout", "200ms", *NO_CHECKS)
    balanced.scripts = scripts
    return balanced


def same(answer: Answer) -> bytes:
    """Without what differs each time."""
    return re.sub(rb"(;dur=|Date: (?!Mon, 01 Jan)).*?(?=;|\r|$)", rb"\1", answer.raw[:2000]) + answer.raw[2000:]


def counts(made: Balanced) -> tuple[int, int]:
    """Connections to the node that were opened, and how often one was used again."""
    status = json.loads(made.daemon.get("/-/status").body)
    return status["connections_opened"], status["connections_reused"]


def resident_mib(made: Balanced) -> float:
    found = re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{made.daemon.process.pid}/status").read_text())
    assert found is not None
    return int(found[1]) / 1024


def active(made: Balanced) -> int:
    found: int = json.loads(made.daemon.get("/-/status").body)["nodes"]["a1"]["active"]
    return found


WAYS = [name.replace("_", "-") for name in vars(Scripts) if not name.startswith("_") and name not in ("end", "waits", "huge")]


@pytest.mark.parametrize(("method", "way"), [("HEAD", "plain"), *(("GET", way) for way in ("plain", *WAYS))])
def test_an_answer_on_a_kept_connection_is_the_one_on_a_new_connection(made: Balanced, method: str, way: str) -> None:
    made.daemon.get("/end")
    new = made.daemon.get(f"/{way}", method=method)
    made.daemon.get("/end")
    made.daemon.get("/warm")
    reused = counts(made)[1]
    kept = made.daemon.get(f"/{way}", method=method)
    assert counts(made)[1] == reused + 1
    assert same(kept) == same(new)
    first, *_, last = (record for record in made.records() if record["target"] == f"/{way}")
    changing = ("ts_ns", "client", "duration_ms", "first_byte_ms", "upstream_ms", "request_id")
    assert first.keys() == last.keys()
    assert {key: value for key, value in first.items() if key not in changing} == \
        {key: value for key, value in last.items() if key not in changing}  # fmt: skip
    assert active(made) == 0


@pytest.mark.parametrize("ends", ["closed", "reset"])
def test_a_kept_connection_that_the_node_has_ended_costs_no_request(made: Balanced, ends: str) -> None:
    node = made.nodes["a1"]
    assert made.daemon.get("/x").status == 200
    for sock in node._open:
        if ends == "reset":
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        sock.shutdown(socket.SHUT_RDWR)
    assert [made.daemon.get("/x").status for _ in range(3)] == [200] * 3
    assert all(record["tries"] == 1 for record in made.records())


def test_a_client_that_takes_its_time_gets_all_and_the_node_is_not_read_ahead(made: Balanced) -> None:
    made.daemon.get("/warm")
    with socket.socket() as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 32768)
        sock.settimeout(10)
        sock.connect(("127.0.0.1", made.daemon.port))
        before = resident_mib(made)
        sock.sendall(request("GET", "/huge"))
        time.sleep(0.4)  # longer than a node may take: it is the client who is waited for
        assert resident_mib(made) < before + 8
        assert Answer(hear(sock)).body == BIG * HUGE_MIB
    assert [record["finished"] for record in made.records()] == [True] * 2


def test_a_client_that_leaves_ends_the_exchange_at_the_node_too(made: Balanced) -> None:
    made.daemon.get("/warm")
    with socket.create_connection(("127.0.0.1", made.daemon.port), timeout=5) as sock:
        sock.sendall(request("GET", "/huge"))
        listen(sock, b"\r\n\r\n")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    made.daemon.get("/warm")
    with socket.create_connection(("127.0.0.1", made.daemon.port), timeout=5) as sock:
        sock.sendall(request("GET", "/waits"))
        time.sleep(0.05)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    deadline = time.monotonic() + 2
    while (made.scripts.ends < 2 or active(made)) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert made.scripts.ends == 2
    assert active(made) == 0
    records = {record["target"]: record for record in made.records()}
    for target in ("/huge", "/waits"):
        assert (records[target]["error"], records[target]["finished"]) == ("the client left", False)
    assert (records["/huge"]["status"], records["/waits"]["status"]) == (200, 0)
    assert records["/huge"]["bytes"] < HUGE_MIB * len(BIG)


def test_pipelined_requests_are_answered_in_order(made: Balanced) -> None:
    made.daemon.get("/warm")
    ways = ["/no-date", "/head-first", "/chunks", "/empty", "/no-date", "/slowly"]
    data = b"".join(f"GET {way} HTTP/1.1\r\nHost: test\r\n\r\n".encode() for way in ways) + request("GET", "/odd")
    heard = raw(made.daemon.port, data)
    assert re.findall(rb"HTTP/1.1 (\d+)", heard) == [b"200"] * 3 + [b"204"] + [b"200"] * 2 + [b"799"]
    assert [record["target"] for record in made.records()] == ["/warm", *ways, "/odd"]


def test_a_node_that_stops_in_its_answer_is_cut_in_the_time_that_is_allowed(made: Balanced) -> None:
    made.daemon.get("/warm")
    began = time.monotonic()
    assert not made.daemon.get("/stops").whole
    assert 0.2 <= time.monotonic() - began < 0.5
    assert "within 0.2 s" in made.records()[-1]["upstream_error"]


def test_who_waits_for_a_connection_is_not_overtaken_by_who_asks_for_more(
    start: Callable[..., Daemon], script: Callable[..., ScriptedOrigin], tmp_path: Path
) -> None:
    def slow(head: str, sock: socket.socket) -> None:
        time.sleep(0.01)
        sock.sendall(ok(b"x"))

    made = Balanced(start, tmp_path, {"a1": script(slow)}, "--node-connections", "1", *NO_CHECKS)
    assert made.daemon.get("/x").status == 200
    with socket.create_connection(("127.0.0.1", made.daemon.port), timeout=5) as greedy:
        greedy.sendall(b"GET /x HTTP/1.1\r\nHost: test\r\n\r\n" * 60)
        listen(greedy, b"\r\n\r\nx")
        began = time.monotonic()
        assert made.daemon.get("/x").status == 200
        assert time.monotonic() - began < 0.2
    assert counts(made)[0] == 1


def test_a_connection_that_brought_more_than_the_answer_is_not_used_again(made: Balanced) -> None:
    made.daemon.get("/warm")
    assert made.daemon.get("/late-excess").body == b"abcdef"
    opened = counts(made)[0]
    assert made.daemon.get("/plain").body == b"plain"
    assert counts(made)[0] == opened + 1


def plain(target: str = "/x", version: str = "1.1", fields: tuple[tuple[str, str], ...] = ()) -> Request:
    return Request("GET", target, version, Fields([("Host", "h"), *fields]), target, "", authority="h")


def placed() -> Any:
    members = parse({"zones": {"z": {}}, "nodes": {"n": {"zone": "z", "url": "http://n:1"}}})
    return Balance(members, Settings(), Random(1), 0.0).place("/x", 0.0)


def test_heads_are_made_once_and_the_time_is_put_into_them() -> None:
    head = b"HTTP/1.1 200 Fine\r\nDate: Mon, 01 Jan 2024 00:00:00 GMT\r\nContent-Length: 5\r\nConnection: x\r\nX: hop\r\n"
    made = answered(head, plain(), "bal", placed(), keep=True)
    assert made is not None
    assert made.head(0.25) == (
        b"HTTP/1.1 200 Fine\r\nDate: Mon, 01 Jan 2024 00:00:00 GMT\r\nVia: 1.1 bal\r\n"
        b'Server-Timing: bal;dur=0.25;desc="n"\r\nX-Longhaul-Route: bal;zone="z";node="n";reason="nearest";tries=1\r\n'
        b"Content-Length: 5\r\n\r\n")  # fmt: skip
    assert (made.body_bytes, made.keep, made.dated) == (5, True, True)


@pytest.mark.parametrize(
    "head", [b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 103 Early\r\n", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n",
             b"HTTP/2 x\r\n"],
)  # fmt: skip
def test_what_is_not_plain_has_no_head_made_beforehand(head: bytes) -> None:
    assert answered(head, plain(), "bal", placed(), keep=True) is None


def test_a_request_that_was_here_before_is_not_plain() -> None:
    assert asked(plain(fields=(("CDN-Loop", "other, bal"),)), "bal") is None
    assert asked(plain(fields=(("CDN-Loop", "other"),)), "bal") is not None
