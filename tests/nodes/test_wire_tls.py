"""The same dialogues under TLS, and what only TLS has: handshakes that stall or fail, and records in pieces."""

from __future__ import annotations

import random
import socket
import ssl
import time
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from tests.nodes.wire_dialogues import DIALOGUES, Dialogue, get, post
from tests.nodes.wire_playing import play
from tests.nodes.wirekit import Answer, Daemon, hear, listen

APP = "tests.nodes.wire_app"
NAME = "wire.test"
FLAT = [(section, one) for section, dialogues in DIALOGUES.items() for one in dialogues if not one.half_closed]
"""Python's TLS cannot close one direction alone."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("ca")


@pytest.fixture(scope="module")
def secured(folder: Path) -> Iterator[Daemon]:
    daemon = Daemon(APP, "--name", NAME, "--tls-authority", str(folder), "--header-timeout", "400ms")
    yield daemon
    daemon.process.kill()
    daemon.process.communicate()


def connected(daemon: Daemon, folder: Path) -> ssl.SSLSocket:
    plain = socket.create_connection(("127.0.0.1", daemon.port), timeout=10)
    return ssl.create_default_context(cafile=folder / "ca.pem").wrap_socket(plain, server_hostname=NAME)


@pytest.mark.parametrize(("section", "dialogue"), FLAT, ids=[f"{s.partition(':')[0]}-{i}" for i, (s, _) in enumerate(FLAT)])
def test_a_dialogue(secured: Daemon, folder: Path, section: str, dialogue: Dialogue) -> None:
    says, seeded = dialogue.says.replace(b"http://B", b"https://B").replace(b":80/", b":443/"), random.Random(section)
    hears = [text.replace(b"http://", b"https://") for text in dialogue.hears]
    play(connected(secured, folder), dialogue._replace(says=says, hears=hears), [says])
    cuts = sorted({0, len(says), *(seeded.randrange(len(says) + 1) for _ in range(5))})
    play(connected(secured, folder), dialogue._replace(says=says, hears=hears), [says[a:b] for a, b in pairwise(cuts)])


def test_a_head_prepared_without_tls_is_another_one_with_it(secured: Daemon, folder: Path) -> None:
    with connected(secured, folder) as sock:
        for _ in range(3):
            sock.sendall(get("/prepared?9"))
            assert b"/prepared" in listen(sock, b"y" * 9)


def test_a_large_answer_to_a_slow_reader_is_whole(secured: Daemon, folder: Path) -> None:
    with connected(secured, folder) as sock:
        sock.sendall(get("/file", "Connection: close"))
        time.sleep(0.3)
        answer = Answer(hear(sock))
    assert answer.body == bytes(range(256)) * 32768


def test_large_content_arrives_whole(secured: Daemon, folder: Path) -> None:
    body = random.Random(1).randbytes(3_000_000)
    with connected(secured, folder) as sock:
        sock.sendall(post("/echo", body, "Connection: close"))
        assert Answer(hear(sock)).body == body


def test_a_handshake_that_stalls_is_given_up_and_one_that_is_none_is_cut(secured: Daemon, folder: Path) -> None:
    for said in (b"", b"\x16\x03\x01\x02\x00", b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", bytes(range(256))):
        with socket.create_connection(("127.0.0.1", secured.port), timeout=5) as sock:
            before = time.monotonic()
            sock.sendall(said)
            hear(sock)
            assert time.monotonic() - before < 2.0
    with connected(secured, folder) as sock:
        sock.sendall(get("/status/201"))
        assert b" 201 " in listen(sock, b"\r\n\r\n")


def test_workers_relay_from_tls_too(start: Callable[..., Daemon], folder: Path) -> None:
    daemon = start(APP, "--name", NAME, "--tls-authority", str(folder), "--workers", "2")
    for _ in range(8):
        with connected(daemon, folder) as sock:
            sock.sendall(get("/home/echo", "Connection: close"))
            assert b"X-URI: https://a/echo\r\n" in hear(sock)
    assert_stops(daemon)


@pytest.mark.parametrize("polite", [False, True])
def test_a_connection_that_both_have_closed_is_gone(start: Callable[..., Daemon], folder: Path, polite: bool) -> None:
    daemon = start(APP, "--name", NAME, "--tls-authority", str(folder))
    with connected(daemon, folder) as sock:
        sock.sendall(get("/echo", "Connection: close"))
        assert hear(sock)
        if polite:
            sock.unwrap()
    assert_stops(daemon)


def assert_stops(daemon: Daemon) -> None:
    before = time.monotonic()
    assert daemon.stop() == (0, "")
    assert time.monotonic() - before < 2.0
