"""What those who join a fetch get of an answer that names fields which are for one client only."""

from __future__ import annotations

import re
import socket
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.nodes.wirekit import Answer, Daemon, ScriptedOrigin, ok

Edges = Callable[..., Daemon]
Scripts = Callable[..., ScriptedOrigin]


def two_at_once(edge: Daemon, behind: ScriptedOrigin, go: threading.Event) -> tuple[Answer, Answer]:
    """Who begins a fetch, and who joins it."""
    heads = len(behind.heads)
    joined = edge.stats()["collapsed"]
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(edge.get, "/x")
        _until(lambda: len(behind.heads) > heads)
        second = pool.submit(edge.get, "/x")
        _until(lambda: edge.stats()["collapsed"] > joined)
        go.set()
        return first.result(), second.result()


def _until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 5
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.mark.parametrize("directive", ["private", "no-cache"])
def test_fields_for_one_client_reach_the_one_that_asked(script: Scripts, edge_for: Edges, directive: str) -> None:
    go = threading.Event()
    said = (f'Cache-Control: {directive}="Set-Cookie, X-Mine", max-age=60', "Set-Cookie: alice=1", "X-Mine: 1", "X-All: 1")

    def answer(head: str, sock: socket.socket) -> None:
        go.wait(5)
        sock.sendall(ok(b"one", *said))

    behind = script(answer)
    first, second = two_at_once(edge_for(behind.url), behind, go)
    assert (first.fields["set-cookie"], first.fields["x-mine"], first.fields["x-all"]) == ("alice=1", "1", "1")
    assert second.body == b"one"
    assert second.fields["x-all"] == "1"
    assert "collapsed" in second.fields["cache-status"]
    assert not {"set-cookie", "x-mine"} & set(second.fields)
    assert len(behind.heads) == 1


def test_a_field_that_a_304_names_with_no_cache_reaches_the_one_that_asked(script: Scripts, edge_for: Edges) -> None:
    go = threading.Event()

    def answer(head: str, sock: socket.socket) -> None:
        if "if-none-match" not in head.lower():
            sock.sendall(ok(b"one", "Cache-Control: max-age=0", 'ETag: "a"'))
            return
        go.wait(5)
        sock.sendall(b'HTTP/1.1 304 So\r\nETag: "a"\r\nCache-Control: no-cache="X-Mine", max-age=60\r\nX-Mine: 1\r\n\r\n')

    behind = script(answer)
    edge = edge_for(behind.url)
    edge.get("/x")
    first, second = two_at_once(edge, behind, go)
    assert first.fields["x-mine"] == "1"
    assert second.body == b"one"
    assert "x-mine" not in second.fields
    assert len(behind.heads) == 2


def test_a_private_304_answers_nobody_who_joined(script: Scripts, edge_for: Edges) -> None:
    go = threading.Event()

    def answer(head: str, sock: socket.socket) -> None:
        if not re.search("(?im)^if-none-match:", head):
            sock.sendall(ok(b"one", "Cache-Control: max-age=0", 'ETag: "a"'))
            return
        go.wait(5)
        sock.sendall(b'HTTP/1.1 304 Not Modified\r\nETag: "a"\r\nCache-Control: private\r\nSet-Cookie: alice=1\r\n\r\n')

    behind = script(answer)
    edge = edge_for(behind.url)
    edge.get("/x")
    first, second = two_at_once(edge, behind, go)
    assert (first.body, first.fields["set-cookie"]) == (b"one", "alice=1")
    assert second.body == b"one"
    assert "set-cookie" not in second.fields
    assert len(behind.heads) == 3
