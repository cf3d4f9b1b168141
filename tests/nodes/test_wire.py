"""What the wire refuses, and that it goes on serving."""

import socket

import pytest

from tests.nodes.wirekit import Answer, Daemon, hear, raw

HOST = b"Host: a\r\n"


@pytest.mark.parametrize(
    ("said", "status"),
    [
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\r\n\r\n", 400),
        (b"nonsense\r\n\r\n", 400),
        (b"GET  HTTP/1.1\r\n" + HOST + b"\r\n", 400),
        (b"GET / HTTP/1.1\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\n" + HOST + HOST + b"\r\n", 400),
        (b"GET / HTTP/1.1\r\n" + HOST + b"Bad Name: x\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\n" + HOST + b"A: b\x00c\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\n" + HOST + b"Content-Length: x\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\n" + HOST + b"Content-Length: -1\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\n" + HOST + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello", 400),
        (b"POST / HTTP/1.1\r\n" + HOST + b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
        (b"GET / HTTP/3.7\r\n" + HOST + b"\r\n", 505),
        (b"GET /\xff HTTP/1.1\r\n" + HOST + b"\r\n", 400),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505),
        (b"CONNECT a:1 HTTP/1.1\r\n" + HOST + b"\r\n", 501),
        (b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\n" + HOST + b"\r\n", 414),
        (b"GET / HTTP/1.1\r\n" + HOST + b"A: " + b"b" * 70_000 + b"\r\n\r\n", 431),
        (b"GET / HTTP/1.1\r\n" + HOST + b"A: b\r\n" * 300 + b"\r\n", 431),
        (b"GET / HTTP/1.1\r\n" + HOST + b"A: " + b"b" * 5_000_000, 431),
    ],
)  # fmt: skip
def test_a_malformed_request_is_refused_in_words(origin: Daemon, said: bytes, status: int) -> None:
    with socket.create_connection(("127.0.0.1", origin.port), timeout=5) as sock:
        try:
            sock.sendall(said)
        except OSError:
            pass  # refused while it was still being said
        answer = Answer(hear(sock))
    assert answer.status == status
    assert answer.fields["connection"] == "close"
    assert answer.body.startswith(str(status).encode())
    assert origin.get("/healthz").body == b"ok\n"


def test_after_broken_content_nothing_more_is_understood(origin: Daemon) -> None:
    said = b"POST / HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n"
    heard = raw(origin.port, said + b"GET /healthz HTTP/1.1\r\n" + HOST + b"\r\n")
    assert heard.startswith(b"HTTP/1.1 400 ")
    assert b"HTTP/1.1 200" not in heard


def test_a_good_request_before_a_bad_one_is_answered(origin: Daemon) -> None:
    heard = raw(origin.port, b"GET /healthz HTTP/1.1\r\n" + HOST + b"\r\nBAD\r\n\r\n")
    assert heard.startswith(b"HTTP/1.1 200 ")
    assert b"HTTP/1.1 400 " in heard


def test_an_upgrade_is_ignored_and_the_next_request_served(origin: Daemon) -> None:
    said = b"GET /healthz HTTP/1.1\r\n" + HOST + b"Connection: upgrade\r\nUpgrade: h2c\r\n\r\n"
    heard = raw(origin.port, said + b"GET /healthz HTTP/1.1\r\n" + HOST + b"Connection: close\r\n\r\n")
    assert heard.count(b"HTTP/1.1 200 OK") == 2


def test_content_nobody_reads_is_skipped(origin: Daemon) -> None:
    said = b"POST /objects/1KiB/x HTTP/1.1\r\n" + HOST + b"Content-Length: 100000\r\n\r\n" + b"x" * 100_000
    heard = raw(origin.port, said + b"GET /healthz HTTP/1.1\r\n" + HOST + b"Connection: close\r\n\r\n")
    assert heard.count(b"HTTP/1.1 405 ") == 1
    assert heard.endswith(b"ok\n")


def test_health_and_metrics_have_a_reserved_place_too(origin: Daemon) -> None:
    for path in ("/healthz", "/-/healthz"):
        assert origin.get(path).body == b"ok\n"
    for path in ("/metrics", "/-/metrics"):
        text = origin.get(path).body.decode()
        assert "# TYPE longhaul_requests_total counter" in text
        assert 'longhaul_request_duration_seconds_bucket{node="' in text
    assert origin.get("/-/nothing").status == 404
