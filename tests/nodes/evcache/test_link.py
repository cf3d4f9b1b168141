"""The connection to memcached, as dialogues with a scripted one: pipelining, limits, silence, garbage, half a line."""

import asyncio
import time
from collections.abc import Awaitable, Callable

import pytest

from nodes.evcache.memcached import meta
from nodes.evcache.memcached.errors import Away, Busy, Nonsense, Refused, TimedOut
from nodes.evcache.memcached.link import Link, LinkLimits

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
LIMITS = LinkLimits(0.05, silent_s=0.1, waiting=4, waiting_bytes=1000, retry_s=0.05)
ASK = meta.get(b"k", b"v")


def play(serve: Serve, dialogue: Callable[[Link], Awaitable[None]], limits: LinkLimits = LIMITS) -> None:
    async def main() -> None:
        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        link = Link("127.0.0.1", server.sockets[0].getsockname()[1], limits)
        await dialogue(link)
        link.close()
        server.close()

    asyncio.run(main())


def says(*lines: bytes, close: bool = False) -> Serve:
    """One text for each command."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for line in lines:
            await reader.readline()
            writer.write(line)
        if close:
            writer.close()

    return serve


def test_answers_come_in_order_and_commands_leave_together() -> None:
    heard = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.append(await reader.read(1000))
        writer.write(b"VA 1\r\na\r\nEN\r\n")
        heard.append(await reader.read(1000))
        writer.write(b"HD\r\n")

    async def dialogue(link: Link) -> None:
        first, second = link.ask(ASK), link.ask(ASK)
        assert (await first).value == b"a"
        assert (await second).code == b"EN"
        assert (await link.ask(ASK)).code == b"HD"
        assert link.waiting == 0

    play(serve, dialogue)
    assert heard == [ASK * 2, ASK]


def test_what_is_not_answered_in_time_is_given_up_and_its_late_answer_is_nobody_elses() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readline()
        await asyncio.sleep(0.08)
        writer.write(b"VA 4\r\nlate\r\n")
        await reader.readline()
        writer.write(b"EN\r\n")

    async def dialogue(link: Link) -> None:
        begun = time.monotonic()
        with pytest.raises(TimedOut, match="did not answer within 50 ms"):
            await link.ask(ASK)
        assert 0.045 < time.monotonic() - begun < 0.078
        assert (await link.ask(ASK)).code == b"EN"

    play(serve, dialogue)


def test_a_full_queue_refuses_at_once_in_number_and_in_bytes() -> None:
    async def dialogue(link: Link) -> None:
        waiting = [link.ask(ASK) for _ in range(4)]
        with pytest.raises(Busy, match="has 4 commands"):
            link.ask(ASK)
        results = await asyncio.gather(*waiting, return_exceptions=True)
        assert [type(one) for one in results] == [TimedOut] * 4
        with pytest.raises(Busy):  # given up, but still the server's to answer
            link.ask(ASK)
        await asyncio.sleep(0.12)
        with pytest.raises(Away, match="silent"):
            link.ask(ASK)

    play(says(), dialogue)

    async def large(link: Link) -> None:
        with pytest.raises(Busy):
            link.ask(meta.put(b"k", bytes(1000), b""))

    play(says(), large)


def test_a_silent_connection_is_closed_when_its_silence_is_over_and_not_an_answers_time_later() -> None:
    async def dialogue(link: Link) -> None:
        with pytest.raises(TimedOut):
            await link.ask(ASK)
        begun = time.monotonic()
        while link.connected:
            await asyncio.sleep(0.005)
        assert 0.04 < time.monotonic() - begun < 0.25

    play(says(), dialogue, LinkLimits(0.4, silent_s=0.05))


@pytest.mark.parametrize(
    ("serve", "error", "words"),
    [
        (says(b"HTTP/1.1 400\r\n"), Nonsense, "is no answer"),
        (says(b"VA 3\r\nabcdefg"), Nonsense, "ends with"),
        (says(b"EN\r\nEN\r\n"), Nonsense, "unasked"),
        (says(b"VA 10\r\nabc", close=True), Away, "inside an answer, of which 10 bytes came"),
        (says(b"VA 10\r\nabc"), TimedOut, "did not answer"),
        (says(b"V"), TimedOut, "did not answer"),
        (says(close=True), Away, "the connection"),
        (says(b"SERVER_ERROR out of memory storing object\r\n"), Refused, "says: out of memory storing object"),
    ],
)
def test_faults_have_their_words_and_the_next_command_gets_a_new_connection(
    serve: Serve, error: type[Exception], words: str
) -> None:
    async def dialogue(link: Link) -> None:
        first = link.ask(ASK)
        second = link.ask(ASK) if "unasked" not in words else first
        if "unasked" in words:
            await first
            await asyncio.sleep(0.01)
            assert not link.connected
            return
        results = await asyncio.gather(first, second, return_exceptions=True)
        assert isinstance(results[0], error)
        assert words in str(results[0])
        assert isinstance(results[1], Exception)

    play(serve, dialogue)


def test_a_memcached_that_is_away_is_asked_again_after_a_rest() -> None:
    async def main() -> None:
        held = await asyncio.start_server(says(b"HD\r\n"), "127.0.0.1", 0)
        port = held.sockets[0].getsockname()[1]
        held.close()
        await held.wait_closed()
        link = Link("127.0.0.1", port, LIMITS)
        with pytest.raises(Away, match=f"memcached 127.0.0.1:{port} cannot be reached: .*refused"):
            await link.ask(ASK)
        with pytest.raises(Away):  # at once, while it rests
            link.ask(ASK)
        again = await asyncio.start_server(says(b"HD\r\n"), "127.0.0.1", port)
        await asyncio.sleep(0.06)
        assert (await link.ask(ASK)).code == b"HD"
        link.close()
        again.close()

    asyncio.run(main())
