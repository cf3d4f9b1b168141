"""Clients that take their time: each limit of the command line, and what many of them cost."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.nodes.wire_dialogues import announced, chunked, get, post
from tests.nodes.wirekit import Answer, Daemon, listen, raw


def _until_closed(sock: socket.socket) -> int:
    """How much is heard. Raises ConnectionResetError."""
    heard = 0
    while data := sock.recv(1 << 20):
        heard += len(data)
    return heard


@pytest.fixture
def impatient(start: Callable[..., Daemon]) -> Daemon:
    return start("tests.nodes.wire_app", "--header-timeout", "200ms", "--body-timeout", "200ms", "--write-timeout", "300ms",
                 "--idle-timeout", "400ms", "--largest-body", "1KiB")  # fmt: skip


def test_a_head_that_does_not_come_in_time_is_408_even_when_it_trickles(impatient: Daemon) -> None:
    with socket.create_connection(("127.0.0.1", impatient.port), timeout=5) as sock:
        before = time.monotonic()
        sock.settimeout(0.02)
        heard = b""
        for char in get("/status/200", "A: " + "b" * 200):
            sock.sendall(bytes([char]))
            try:
                heard = sock.recv(1000)
                break
            except TimeoutError:
                continue
        assert heard.startswith(b"HTTP/1.1 408 ")
        assert 0.2 <= time.monotonic() - before < 1.0


def test_content_that_stops_coming_is_408(impatient: Daemon) -> None:
    heard = raw(impatient.port, announced("/echo") + b"ab")
    assert heard.startswith(b"HTTP/1.1 408 ")


def test_content_larger_than_the_option_is_413(impatient: Daemon) -> None:
    assert raw(impatient.port, get("/echo", "Content-Length: 1025", method="POST")).startswith(b"HTTP/1.1 413 ")
    assert raw(impatient.port, chunked("/echo", b"401\r\n" + b"x" * 1025)).startswith(b"HTTP/1.1 413 ")
    assert raw(impatient.port, post("/echo", b"x" * 1024, "Connection: close")).endswith(b"x" * 1024)


def test_a_client_that_takes_nothing_is_cut(impatient: Daemon) -> None:
    with socket.create_connection(("127.0.0.1", impatient.port), timeout=5) as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        sock.sendall(get("/file") + get("/file"))
        time.sleep(0.8)
        heard = 0
        with pytest.raises(ConnectionResetError):
            heard = _until_closed(sock)
        assert heard == 0


def test_an_idle_connection_is_closed_without_a_word_and_a_busy_one_is_not(impatient: Daemon) -> None:
    with socket.create_connection(("127.0.0.1", impatient.port), timeout=5) as sock:
        sock.sendall(get("/status/200"))
        listen(sock, b"\r\n\r\n")
        before = time.monotonic()
        assert sock.recv(1000) == b""
        assert 0.3 < time.monotonic() - before < 1.5
    with socket.create_connection(("127.0.0.1", impatient.port), timeout=5) as sock:
        sock.sendall(get("/slow?900"))
        assert b"slow" in listen(sock, b"slow")


def test_many_idle_connections_hold_little_memory(wire: Daemon) -> None:
    def resident_kib() -> int:
        status = Path(f"/proc/{wire.process.pid}/status").read_text(encoding="ascii")
        return int(next(line for line in status.splitlines() if line.startswith("VmRSS")).split()[1])

    before, socks = resident_kib(), []
    for number in range(2000):
        sock = socket.create_connection(("127.0.0.1", wire.port))
        sock.sendall(b"GET /status/200 HT" if number % 2 else get("/status/200"))
        socks.append(sock)
    assert wire.get("/healthz").body == b"ok\n"
    held_kib = (resident_kib() - before) / len(socks)
    for sock in socks:
        sock.close()
    assert held_kib < 6


def test_a_slow_reader_does_not_hold_up_the_others(wire: Daemon) -> None:
    with socket.create_connection(("127.0.0.1", wire.port), timeout=5) as slow:
        slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        slow.sendall(get("/file") * 20)
        slow.recv(100)
        for _ in range(20):
            assert Answer(raw(wire.port, get("/prepared?9", "Connection: close"))).body == b"y" * 9
