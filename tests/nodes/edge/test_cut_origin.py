"""An origin that stops at any byte of its response: the client sees it, nothing of it is kept, and the next answer is right."""

from __future__ import annotations

import socket
import struct
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.nodes.wirekit import Daemon, ScriptedOrigin, raw, request

HEAD = b"HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\n"
RESPONSES = {
    "length": HEAD + b"Content-Length: 9\r\n\r\nabcdefghi",
    "chunked": HEAD + b"Transfer-Encoding: chunked\r\n\r\n5\r\nabcde\r\n4;a=b\r\nfghi\r\n0\r\nX: 1\r\n\r\n",
    "interim": b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + HEAD + b"Content-Length: 9\r\n\r\nabcdefghi",
}


@pytest.mark.parametrize("form", RESPONSES)
@pytest.mark.parametrize("reset", [False, True])
def test_a_response_cut_at_any_byte(
    script: Callable[..., ScriptedOrigin], edge_for: Callable[..., Daemon], form: str, reset: bool
) -> None:  # fmt: skip
    whole = RESPONSES[form]
    asked: set[int] = set()

    def answer(head: str, sock: socket.socket) -> bool:
        place = int(head.split()[1].rpartition("/")[2])
        if place in asked:
            sock.sendall(whole)
            return True
        asked.add(place)
        sock.sendall(whole[:place])
        if reset:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        return False

    edge = edge_for(script(answer).url)

    def heard(place: int) -> bytes:
        return raw(edge.port, request("GET", f"/{place}"))

    def final(said: bytes) -> tuple[bytes, bytes]:
        """The head and the content of the response behind those of 103."""
        head, _, body = said.partition(b"\r\n\r\n")
        return final(body) if b" 103 " in head.split(b"\r\n")[0] else (head, body)

    places = range(1, len(whole))  # a connection that ends before the first byte is another matter: it may be asked again
    with ThreadPoolExecutor(8) as pool:
        for place, said in zip(places, pool.map(heard, places), strict=True):
            head, body = final(said)
            if place <= whole.index(b"\r\n\r\n", whole.index(b"200 OK")) + 3:
                assert head.startswith(b"HTTP/1.1 502 "), place
            elif form == "chunked":
                assert not head or head.startswith((b"HTTP/1.1 200 ", b"HTTP/1.1 502 ")), place
                assert b"\r\n0\r\n" not in body, place
            else:
                assert b"HTTP/1.1 502 " in head or len(body) < 9, place
        assert edge.stats()["objects"] == 0
        assert edge.stats()["reserved_bytes"] == 0
        for said in pool.map(heard, places):
            head, body = final(said)
            assert head.startswith(b"HTTP/1.1 200 OK\r\n")
            assert b"abcde" in body
            assert b"fghi" in body
    assert edge.stats()["objects"] == len(places)


def part(span: str, content: bytes) -> bytes:
    """A chunked 206, whose length only its Content-Range tells."""
    head = f'HTTP/1.1 206 So\r\nCache-Control: max-age=60\r\nETag: "a"\r\nContent-Range: bytes {span}\r\n'
    return head.encode() + b"Transfer-Encoding: chunked\r\n\r\n%x\r\n%b\r\n0\r\n\r\n" % (len(content), content)


@pytest.mark.parametrize("content", [b"567", b"56789X"])
@pytest.mark.parametrize("kept", [False, True])
def test_a_part_that_is_not_as_long_as_it_says_is_cut_and_not_kept(
    script: Callable[..., ScriptedOrigin], edge_for: Callable[..., Daemon], content: bytes, kept: bool
) -> None:  # fmt: skip
    said = [part("5-9/10", content)]
    if kept:
        said.insert(0, part("0-4/10", b"01234"))
    edge = edge_for(script(lambda head, sock: sock.sendall(said.pop(0))).url)
    if kept:
        assert raw(edge.port, request("GET", "/x", "Range: bytes=0-4")).endswith(b"\r\n01234\r\n0\r\n\r\n")
    heard = raw(edge.port, request("GET", "/x", *([] if kept else ["Range: bytes=5-9"])))
    if not heard.startswith(b"HTTP/1.1 502 "):
        assert not heard.endswith(b"0\r\n\r\n")
        assert len(heard.partition(b"\r\n\r\n")[2]) < 10
    assert not said
    assert edge.stats()["objects"] == kept
    assert edge.get("/x", "Range: bytes=5-7", "Cache-Control: only-if-cached").status == 504
    assert 'longhaul_internal_errors_total{node="edge1"} 0\n' in edge.metrics()
