"""Interim responses pass (RFC 9110, section 15.2), and content waits for the origin's 100 (section 10.1.1)."""

import asyncio
import contextlib
import socket
import time
from collections.abc import AsyncIterator, Callable
from unittest.mock import Mock

import pytest

from nodes.edge.exchange import OnInterim
from nodes.edge.fetch import Fetch
from nodes.http.message import Fields
from nodes.http.upstream_error import UpstreamError
from tests.nodes.wirekit import Daemon, ScriptedOrigin, hear, ok, raw, request

Edges = Callable[..., Daemon]
Scripts = Callable[..., ScriptedOrigin]

EXPECTS = b"PUT /x HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n"


def test_early_hints_pass_before_the_answer(script: Scripts, edge_for: Edges) -> None:
    hints = b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\nConnection: X\r\nX: 1\r\n\r\n"
    edge = edge_for(script(lambda head, sock: sock.sendall(hints + ok(b"data", "Cache-Control: max-age=60"))).url)
    said = raw(edge.port, request("GET", "/x"))
    assert said.startswith(b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\nHTTP/1.1 200 OK\r\n")
    assert raw(edge.port, request("GET", "/x")).startswith(b"HTTP/1.1 200 OK\r\n")


def test_an_old_client_gets_no_interim_response(script: Scripts, edge_for: Edges) -> None:
    edge = edge_for(script(lambda head, sock: sock.sendall(b"HTTP/1.1 102 Processing\r\n\r\n" + ok(b"data"))).url)
    assert raw(edge.port, b"GET /x HTTP/1.0\r\nHost: a\r\n\r\n").startswith(b"HTTP/1.1 200 OK\r\n")


def test_content_is_asked_of_the_client_when_the_origin_wants_it(script: Scripts, edge_for: Edges) -> None:
    def wants(head: str, sock: socket.socket) -> None:
        assert "Expect: 100-continue" in head
        sock.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
        sock.sendall(ok(sock.recv(5)))

    edge = edge_for(script(wants).url)
    with socket.create_connection(("127.0.0.1", edge.port), timeout=5) as sock:
        began = time.monotonic()
        sock.sendall(EXPECTS)
        assert sock.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
        assert time.monotonic() - began < 0.7
        sock.sendall(b"hello")
        assert hear(sock).endswith(b"\r\n\r\nhello")


def test_content_that_the_origin_does_not_want_is_not_asked_for(script: Scripts, edge_for: Edges) -> None:
    edge = edge_for(script(lambda head, sock: sock.sendall(ok(b"too much", status="413 Content Too Large"))).url)
    with socket.create_connection(("127.0.0.1", edge.port), timeout=5) as sock:
        sock.sendall(EXPECTS)
        assert hear(sock).startswith(b"HTTP/1.1 413 Content Too Large\r\n")


def test_an_origin_that_knows_no_expectation_gets_the_content_after_a_while(script: Scripts, edge_for: Edges) -> None:
    edge = edge_for(script(lambda head, sock: sock.sendall(ok(sock.recv(5)))).url)
    with socket.create_connection(("127.0.0.1", edge.port), timeout=5) as sock:
        sock.sendall(EXPECTS)
        assert sock.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
        sock.sendall(b"hello")
        assert hear(sock).endswith(b"\r\n\r\nhello")


def test_one_client_that_left_does_not_end_the_fetch_of_all(monkeypatch: pytest.MonkeyPatch) -> None:
    """Between its end and the moment at which that is known, an interim response may come."""
    heard: list[int] = []

    @contextlib.asynccontextmanager
    async def hints(pool: object, ask: object, on_interim: OnInterim, on_retry: object) -> AsyncIterator[None]:
        await asyncio.sleep(0)
        await on_interim(103, Fields())
        raise UpstreamError("that was all")
        yield

    async def gone(status: int, fields: Fields) -> None:
        raise ConnectionResetError("the client left")

    async def there(status: int, fields: Fields) -> None:
        heard.append(status)

    async def story() -> None:
        fetch = Fetch(Mock(), Mock(), Mock(), Mock(), None)
        heads = asyncio.gather(fetch.head(gone), fetch.head(there), return_exceptions=True)
        assert [str(error) for error in await heads] == ["that was all"] * 2

    monkeypatch.setattr("nodes.edge.fetch.exchange", hints)
    asyncio.run(story())
    assert heard == [103]
