"""Which connection a request gets, and what is never given to a second one."""

import asyncio
import contextlib
import socket
import time
from collections.abc import Callable

import pytest

from nodes.http.origin_address import Origin, parse_origin
from nodes.http.pieces import ALONE_BYTES, JOINED_BYTES, Pieces
from nodes.http.pool import Pool
from nodes.http.timeouts import Timeouts
from nodes.http.upstream_error import UpstreamError
from tests.nodes.upstream.exchanges import GET, exchange, with_pool
from tests.nodes.wirekit import ScriptedOrigin, ok

Scripts = Callable[..., ScriptedOrigin]


def here(behind: ScriptedOrigin) -> Origin:
    return Origin("127.0.0.1", behind.port)


def test_a_connection_is_kept_and_used_again(script: Scripts) -> None:
    behind = script(lambda head, sock: sock.sendall(ok(b"x")))

    async def thrice(pool: Pool) -> None:
        for _ in range(3):
            assert (await exchange(pool, here(behind))).reusable
        assert (pool.opened_total, pool.reused_total, pool.idle_count()) == (1, 2, 1)

    with_pool(thrice)
    assert behind.connections == 1


def test_at_most_so_many_at_once_and_the_others_wait(script: Scripts) -> None:
    now, most = [0], [0]

    def answer(head: str, sock: socket.socket) -> None:
        now[0] += 1
        most[0] = max(most[0], now[0])
        time.sleep(0.02)
        now[0] -= 1
        sock.sendall(ok(b"x"))

    behind = script(answer)

    async def many(pool: Pool) -> None:
        seen = await asyncio.gather(*(exchange(pool, here(behind)) for _ in range(12)))
        assert [one.content for one in seen] == [b"x"] * 12

    with_pool(many, limit=3)
    assert (most[0], behind.connections) == (3, 3)


def test_waiting_for_a_connection_ends_too(script: Scripts) -> None:
    behind = script(lambda head, sock: time.sleep(0.5))

    async def two(pool: Pool) -> None:
        first = asyncio.ensure_future(exchange(pool, here(behind)))
        await asyncio.sleep(0.01)
        second = await exchange(pool, here(behind))
        assert (second.failed.phase, second.failed.timeout) == ("queue", True)
        first.cancel()

    with_pool(two, Timeouts(0.1, 5, 5), limit=1)


@pytest.mark.parametrize("unasked", [b"", b"HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n", b"\r\n"])
@pytest.mark.parametrize("seen", [True, False], ids=["seen", "not seen yet"])
def test_an_idle_connection_that_ends_or_speaks_is_not_used(script: Scripts, unasked: bytes, seen: bool) -> None:
    def answer(head: str, sock: socket.socket) -> bool:
        sock.sendall(ok(b"x"))
        if behind.connections == 1:
            time.sleep(0.05)
            sock.sendall(unasked)
            return unasked != b""
        return True

    behind = script(answer)

    async def twice(pool: Pool) -> None:
        assert (await exchange(pool, here(behind))).reusable
        time.sleep(0.15)  # the event loop has not looked yet
        if seen:
            await asyncio.sleep(0.02)
        assert (await exchange(pool, here(behind))).content == b"x"

    with_pool(twice)
    assert behind.connections == 2


def test_idle_connections_are_closed_in_time_without_another_request(script: Scripts) -> None:
    ended: list[float] = []

    def answer(head: str, sock: socket.socket) -> bool:
        sock.sendall(ok(b"x"))
        sock.settimeout(3)
        if sock.recv(1) == b"":
            ended.append(time.monotonic())
        return False

    behind = script(answer)

    async def wait(pool: Pool) -> None:
        await exchange(pool, here(behind))
        await asyncio.sleep(0.3)
        assert pool.idle_count() == 0

    with_pool(wait, idle_s=0.1)
    assert ended


def test_a_response_that_was_not_read_to_its_end_gives_no_connection_back(script: Scripts) -> None:
    behind = script(lambda head, sock: sock.sendall(ok(b"x" * 100)))

    async def half(pool: Pool) -> None:
        connection = await pool.take(here(behind))
        connection.send("GET", b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        await connection.head()
        pool.give(here(behind), connection)
        assert pool.idle_count() == 0

    with_pool(half)


def test_to_give_a_connection_back_twice_counts_once(script: Scripts) -> None:
    behind = script(lambda head, sock: time.sleep(0.05))

    async def twice(pool: Pool) -> None:
        first = await pool.take(here(behind))
        pool.give(here(behind), first)
        pool.give(here(behind), first)
        second = await pool.take(here(behind))
        with pytest.raises(UpstreamError, match="came free"):
            await pool.take(here(behind))
        pool.give(here(behind), second)

    with_pool(twice, Timeouts(0.1, 5, 5), limit=1)


@pytest.mark.parametrize(
    ("url", "origin"),
    [
        ("http://127.0.0.1:9000", Origin("127.0.0.1", 9000)), ("http://a", Origin("a", 80)),
        ("https://a/", Origin("a", 443, "https")), ("https://[::1]:8443", Origin("::1", 8443, "https")),
    ],
)  # fmt: skip
def test_an_origin_is_scheme_host_and_port(url: str, origin: Origin) -> None:
    assert parse_origin(url) == origin


@pytest.mark.parametrize("url", ["", "a:80", "ftp://a", "http://", "http://a:0", "http://a:70000", "http://a:b", "http://a/x",
                                 "http://u@a", "http://a?x", "//a"])  # fmt: skip
def test_what_is_no_origin_is_refused_with_its_text(url: str) -> None:
    with pytest.raises(ValueError, match="is not http://HOST:PORT"):
        parse_origin(url)


def test_connections_are_shared_by_equal_origins_alone() -> None:
    plain, secured = parse_origin("http://a:80"), parse_origin("https://a:80")
    assert len({plain, secured, secured._replace(server_name="b")}) == 3
    assert (secured.name, secured._replace(server_name="b").name, Origin("::1", 80).where) == ("a", "b", "[::1]:80")


def test_large_pieces_pass_as_they_are_and_small_ones_are_joined() -> None:
    pieces, large = Pieces(), bytes(ALONE_BYTES)
    pieces.put([large, b"a", b"b", b"c", bytes(JOINED_BYTES)])
    assert pieces.take() is large
    assert pieces.take() == b"abc"
    assert pieces.size_bytes == JOINED_BYTES
    assert pieces.take() == bytes(JOINED_BYTES)
    assert (bool(pieces), pieces.size_bytes) == (False, 0)


def test_thousands_of_tiny_chunks_become_one_piece() -> None:
    pieces = Pieces()
    pieces.put([b"ab"] * 10_000)
    assert pieces.size_bytes == 20_000
    assert pieces.take() == b"ab" * 10_000
    assert not pieces


class Borrowed:
    """Who drives a kept connection by itself."""

    def __init__(self) -> None:
        self.left = 0

    def leave(self) -> None:
        self.left += 1


@pytest.mark.parametrize("done", ["nothing", "half of the request", "the request", "a part of the answer"])
def test_what_a_borrower_began_is_gone_on_with(script: Scripts, done: str) -> None:
    behind = script(lambda head, sock: sock.sendall(ok(b"content", "X-Long: " + "x" * 100)))

    async def story(pool: Pool) -> None:
        await exchange(pool, here(behind))
        kept = pool.borrow(here(behind))
        assert kept is not None
        assert pool.borrow(here(behind)) is None
        borrower = Borrowed()
        sock = kept.lend(borrower)
        assert sock is not None
        came, sent = b"", {"nothing": 0, "half of the request": 9}.get(done, len(GET))
        sock.send(GET[:sent])
        if done == "a part of the answer":
            while not came:
                await asyncio.sleep(0.005)
                with contextlib.suppress(BlockingIOError):
                    came = sock.recv(20)
        else:
            await asyncio.sleep(0.02)  # what the node says meanwhile is not read by anybody
        kept.take_over("GET", GET[sent:], came, asyncio.get_running_loop().time(), reset=False)
        assert (borrower.left, kept.borrower) == (1, None)
        assert (await kept.head()).status == 200
        assert await kept.read() == b"content"
        pool.give(here(behind), kept)
        assert pool.idle_count() == 1

    with_pool(story)
    assert behind.connections == 1


def test_who_takes_a_lent_connection_for_a_task_has_it_alone(script: Scripts) -> None:
    behind = script(lambda head, sock: sock.sendall(ok(b"x")))

    async def story(pool: Pool) -> None:
        await exchange(pool, here(behind))
        kept, borrower = pool.borrow(here(behind)), Borrowed()
        assert kept is not None
        kept.lend(borrower)
        pool.give(here(behind), kept)
        assert (await exchange(pool, here(behind))).content == b"x"
        assert (borrower.left, pool.opened_total) == (1, 1)

    with_pool(story)
