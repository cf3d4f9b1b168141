"""An origin that fails in every phase of an exchange: each failure is told, none is taken for a whole response."""

import asyncio
import socket
import time
from collections.abc import AsyncIterator, Callable

import pytest

from nodes.http.message import Fields
from nodes.http.origin_address import Origin
from nodes.http.pool import Pool
from nodes.http.upstream_error import UpstreamError, may_repeat
from tests.nodes.upstream.exchanges import HASTY, PATIENT, POST, exchange, once, reset, with_pool
from tests.nodes.wirekit import ScriptedOrigin, ok

Scripts = Callable[..., ScriptedOrigin]
LENGTH = b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
CLOSE = b"HTTP/1.1 200 OK\r\n\r\n"
SAID = [
    (b"", "first-byte", b""), (b"HTTP/1.1 20", "head", b""), (LENGTH[:-2], "head", b""),
    (b"HTTP/1.1 103 Early Hints\r\n\r\n", "head", b""), (LENGTH, "content", b""), (LENGTH + b"hello", "content", b"hello"),
    (CHUNKED, "content", b""), (CHUNKED + b"a\r\nhello", "content", b"hello"),
    (CHUNKED + b"5\r\nhello\r\n0\r\n", "content", b"hello"),
]  # fmt: skip


@pytest.mark.parametrize(("said", "phase", "content"), SAID)
@pytest.mark.parametrize("how", ["closes", "resets", "stalls"])
def test_an_origin_that_stops(script: Scripts, said: bytes, phase: str, content: bytes, how: str) -> None:
    def answer(head: str, sock: socket.socket) -> bool:
        sock.sendall(said)
        time.sleep({"closes": 0, "resets": 0.2, "stalls": 0.5}[how])  # a reset must not overtake what was said
        if how == "resets":
            reset(sock)
        return False

    seen = once(script(answer).port, HASTY if how == "stalls" else PATIENT)
    assert (seen.failed.phase, seen.content) == (phase, content)
    assert seen.failed.timeout == (how == "stalls")
    assert seen.failed.status == (504 if how == "stalls" else 502)
    assert seen.failed.fresh == (phase == "first-byte" and how != "stalls")
    word = {"closes": "closed the connection", "resets": "the connection", "stalls": "within 0.15 s"}[how]
    assert word in str(seen.failed)


def test_content_until_the_close_is_whole_only_after_an_orderly_end(script: Scripts) -> None:
    def answer(head: str, sock: socket.socket) -> bool:
        sock.sendall(CLOSE + b"hello")
        time.sleep(0.05)
        if len(behind.heads) == 2:
            reset(sock)
        return False

    behind = script(answer)
    first, second = once(behind.port), once(behind.port)
    assert (first.content, first.error, first.reusable) == (b"hello", None, False)
    assert second.failed.phase == "content"


def test_a_head_that_drips_must_end_all_the_same(script: Scripts) -> None:
    def answer(head: str, sock: socket.socket) -> bool:
        sock.sendall(b"HTTP/1.1 200 OK\r\nA: ")
        for _ in range(40):
            sock.sendall(b"b")
            time.sleep(0.02)
        return False

    began = time.monotonic()
    assert once(script(answer).port, HASTY).failed.phase == "head"
    assert time.monotonic() - began < 0.6


def test_content_that_drips_is_waited_for(script: Scripts) -> None:
    def answer(head: str, sock: socket.socket) -> bool:
        sock.sendall(LENGTH)
        for _ in range(10):
            time.sleep(0.03)
            sock.sendall(b"x")
        return True

    assert once(script(answer).port, HASTY).content == b"x" * 10


def test_what_is_malformed_is_told_and_the_connection_closed(script: Scripts) -> None:
    behind = script(lambda head, sock: sock.sendall(LENGTH.replace(b"10", b"1, 1") + b"x"))
    seen = once(behind.port)
    assert seen.failed.malformed
    assert str(seen.failed) == "the origin's response is malformed: more than one Content-Length"
    assert not seen.failed.fresh


def test_nobody_listens() -> None:
    with socket.create_server(("127.0.0.1", 0)) as held:
        port = held.getsockname()[1]
    seen = once(port)
    assert (seen.failed.phase, seen.failed.timeout) == ("connect", False)
    assert str(seen.failed) == f"the origin 127.0.0.1:{port} cannot be reached: connection refused"


def test_nobody_accepts() -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=0) as held:
        others = [socket.socket() for _ in range(4)]
        for one in others:
            one.setblocking(False)
            one.connect_ex(held.getsockname())
        seen = once(held.getsockname()[1], HASTY)
        for one in others:
            one.close()
    assert (seen.failed.phase, seen.failed.timeout, seen.failed.status) == ("connect", True, 504)
    assert "did not accept a connection within 0.15 s" in str(seen.failed)


def test_a_name_that_does_not_exist() -> None:
    seen = with_pool(lambda pool: exchange(pool, Origin("nowhere.invalid", 80)))
    assert seen.failed.phase == "connect"
    assert "cannot be reached" in str(seen.failed)


async def endless() -> AsyncIterator[bytes]:
    while True:
        yield bytes(65536)
        await asyncio.sleep(0)


async def some(count: int, size: int) -> AsyncIterator[bytes]:
    for _ in range(count):
        yield bytes(size)


@pytest.mark.parametrize("leaves", [True, False])
def test_an_answer_before_the_request_was_whole_is_heard(script: Scripts, leaves: bool) -> None:
    """RFC 9112, section 9.5. The connection serves nobody else: the request on it never became whole."""
    ended: list[bool] = []

    def answer(head: str, sock: socket.socket) -> bool:
        sock.recv(1000)
        sock.sendall(ok(b"too much", status="413 Content Too Large"))
        if not leaves:
            time.sleep(0.2)
            ended.append(True)
        return False

    seen = once(script(answer).port, head=POST, body=endless())
    assert (seen.status, seen.content, seen.error, seen.reusable) == (413, b"too much", None, False)


def test_an_answer_is_heard_even_when_the_reset_behind_it_is_noticed_first(script: Scripts) -> None:
    async def blind() -> AsyncIterator[bytes]:
        yield bytes(1000)
        await asyncio.sleep(0.05)
        time.sleep(0.2)  # the event loop sees neither the answer nor the reset before the next write fails
        yield bytes(1000)
        yield bytes(1000)

    def answer(head: str, sock: socket.socket) -> bool:
        sock.recv(10)
        time.sleep(0.1)
        sock.sendall(ok(b"too much", status="413 Content Too Large"))
        return False  # closes with unread bytes, which is a reset

    seen = once(script(answer).port, head=POST, body=blind())
    assert (seen.status, seen.content, seen.error, seen.reusable) == (413, b"too much", None, False)


def test_request_and_response_flow_at_once(script: Scripts) -> None:
    def echo(head: str, sock: socket.socket) -> bool:
        sock.sendall(CHUNKED)
        left = 200 * 1007 + 5  # as chunked
        while left:
            left -= len(sock.recv(min(left, 65536)))
            sock.sendall(b"1\r\n.\r\n")
        sock.sendall(b"0\r\nSum: 1\r\n\r\n")
        return True

    seen = once(script(echo).port, head=POST, body=some(200, 1000))
    assert seen.error is None
    assert set(seen.content) == {ord(".")}
    assert (seen.trailers, seen.reusable) == ([("Sum", "1")], True)


def test_an_origin_that_takes_nothing_of_the_request(script: Scripts) -> None:
    seen = once(script(lambda head, sock: time.sleep(1)).port, HASTY, head=POST, body=endless())
    assert (seen.failed.phase, seen.failed.timeout) == ("request", True)


def test_an_origin_that_resets_while_the_request_is_sent(script: Scripts) -> None:
    def answer(head: str, sock: socket.socket) -> bool:
        sock.recv(1000)
        reset(sock)
        return False

    assert once(script(answer).port, head=POST, body=endless()).failed.phase == "request"


def test_a_slow_client_is_not_the_origins_fault(script: Scripts) -> None:
    async def slowly() -> AsyncIterator[bytes]:
        for _ in range(8):
            await asyncio.sleep(0.04)
            yield b"x"

    def answer(head: str, sock: socket.socket) -> bool:
        while not sock.recv(100).endswith(b"0\r\n\r\n"):
            pass
        sock.sendall(ok(b"thanks"))
        return True

    seen = once(script(answer).port, HASTY, head=POST, body=slowly())
    assert (seen.content, seen.error, seen.reusable) == (b"thanks", None, True)


def test_a_request_that_breaks_is_not_sent_as_whole(script: Scripts) -> None:
    heard: list[bytes] = []

    async def breaks() -> AsyncIterator[bytes]:
        yield b"half"
        await asyncio.sleep(0.02)
        raise ConnectionResetError("the client left")

    def listen(head: str, sock: socket.socket) -> bool:
        sock.settimeout(3)
        try:
            while data := sock.recv(100):
                heard.append(data)
        except OSError:
            pass
        heard.append(b"-")
        return False

    with pytest.raises(ConnectionResetError, match="the client left"):
        once(script(listen).port, head=POST, body=breaks())
    while not heard or heard[-1] != b"-":
        time.sleep(0.01)
    assert b"0\r\n\r\n" not in b"".join(heard)


def test_interim_responses_come_in_order_and_give_the_origin_more_time(script: Scripts) -> None:
    heard: list[tuple[int, list[tuple[str, str]]]] = []

    async def listen(status: int, fields: Fields) -> None:
        heard.append((status, fields.items))

    def answer(head: str, sock: socket.socket) -> bool:
        for status in (102, 103, 102):
            sock.sendall(b"HTTP/1.1 %d Soon\r\nN: %d\r\n\r\n" % (status, status))
            time.sleep(0.1)
        sock.sendall(ok(b"done"))
        return True

    seen = once(script(answer).port, HASTY, on_interim=listen)
    assert (seen.content, seen.reusable) == (b"done", True)
    assert heard == [(status, [("N", str(status))]) for status in (102, 103, 102)]


def test_reading_stops_while_nobody_takes(script: Scripts) -> None:
    sent: list[int] = []

    def answer(head: str, sock: socket.socket) -> bool:
        sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 67108864\r\n\r\n")
        sock.settimeout(0.3)
        try:
            for _ in range(64):
                sock.sendall(bytes(2**20))
                sent.append(1)
        except TimeoutError:
            pass
        return False

    async def idle(pool: Pool) -> None:
        origin = Origin("127.0.0.1", script(answer).port)
        connection = await pool.take(origin)
        connection.send("GET", b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        await connection.head()
        await asyncio.sleep(0.5)
        pool.give(origin, connection)

    with_pool(idle)
    assert len(sent) < 32  # what the kernel's buffers and our window hold


REPEAT = [
    ("GET", False, True, UpstreamError("", "first-byte"), True),
    ("HEAD", False, True, UpstreamError("", "first-byte"), True),
    ("GET", False, False, UpstreamError("", "first-byte"), False),
    ("GET", True, True, UpstreamError("", "request"), False),
    ("GET", False, True, UpstreamError("", "first-byte", timeout=True), False),
    ("GET", False, True, UpstreamError("", "head"), False),
    ("GET", False, True, UpstreamError("", "content"), False),
    ("GET", False, True, UpstreamError("", "connect"), False),
    ("POST", False, True, UpstreamError("", "first-byte"), False),
    ("PUT", False, True, UpstreamError("", "first-byte"), False),
    ("DELETE", False, True, UpstreamError("", "first-byte"), False),
]


@pytest.mark.parametrize(("method", "has_body", "reused", "error", "again"), REPEAT)
def test_only_a_safe_request_on_a_kept_connection_that_died_unheard_is_sent_again(
    method: str, has_body: bool, reused: bool, error: UpstreamError, again: bool
) -> None:
    """RFC 9110, section 9.2.2."""
    assert may_repeat(error, method, has_body=has_body, reused=reused) == again


def test_giving_up_on_an_exchange_closes_its_connection(script: Scripts) -> None:
    gone: list[bool] = []

    def answer(head: str, sock: socket.socket) -> bool:
        sock.sendall(LENGTH)
        sock.settimeout(3)
        try:
            gone.append(sock.recv(1) == b"")
        except ConnectionResetError:
            gone.append(True)
        return False

    async def leave(pool: Pool) -> None:
        origin = Origin("127.0.0.1", script(answer).port)
        task = asyncio.ensure_future(exchange(pool, origin))
        await asyncio.sleep(0.1)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert pool.idle_count() == 0
        await asyncio.sleep(0.1)

    with_pool(leave, PATIENT)
    assert gone == [True]
