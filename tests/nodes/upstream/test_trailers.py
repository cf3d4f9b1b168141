"""Trailers through an edge: to clients that take them, never as fields."""

import socket
from collections.abc import Callable

from tests.nodes.wirekit import Daemon, ScriptedOrigin, raw, request

SAID = (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nCache-Control: no-store\r\n\r\n"
        b"5\r\nhello\r\n0\r\nX-Sum: 5\r\nSet-Cookie: a=b\r\nContent-Length: 9\r\n\r\n")  # fmt: skip


def test_trailers_reach_a_client_that_takes_them(
    script: Callable[..., ScriptedOrigin], edge_for: Callable[..., Daemon]
) -> None:
    def answer(head: str, sock: socket.socket) -> None:
        sock.sendall(SAID)

    edge = edge_for(script(answer).url)
    heard = raw(edge.port, request("GET", "/x", "TE: trailers"))
    assert heard.endswith(b"5\r\nhello\r\n0\r\nX-Sum: 5\r\n\r\n")
    assert b"X-Sum" not in heard.partition(b"\r\n\r\n")[0]
    assert raw(edge.port, request("GET", "/x")).endswith(b"5\r\nhello\r\n0\r\n\r\n")
