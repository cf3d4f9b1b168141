"""HTTP calls within limits of time and number, as dialogues with a scripted server."""

import asyncio
import contextlib
import time

import pytest

from nodes.evcache import calling as calling_module
from nodes.evcache.calling import CallError, Calling
from nodes.http.message import Fields
from nodes.http.origin_address import Origin


def test_a_server_that_does_not_answer_costs_its_limit_and_more_calls_than_may_wait_fail_at_once() -> None:
    silent = True

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError):
            while await reader.readuntil(b"\r\n\r\n"):
                if not silent:
                    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")

    async def main() -> None:
        nonlocal silent
        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        calling = Calling(Origin("127.0.0.1", server.sockets[0].getsockname()[1]), 0.2, 2, most_running=3)
        waiting = [asyncio.create_task(calling.call("GET", "/", Fields([]), None)) for _ in range(3)]
        await asyncio.sleep(0.05)
        began_s = time.monotonic()
        with pytest.raises(CallError, match="has 3 calls of 0 bytes waiting, and takes no more") as caught:
            await calling.call("GET", "/", Fields([]), None)
        assert (time.monotonic() - began_s < 0.05, caught.value.unsure) == (True, False)
        results = await asyncio.gather(*waiting, return_exceptions=True)
        assert all(isinstance(one, CallError) for one in results), "none is left out, and none waits for ever"
        silent = False
        _, content = await calling.call("GET", "/", Fields([]), None)
        assert content == b"ok", "those that are over no longer count"
        calling.close()
        server.close()

    asyncio.run(main())


def test_a_server_that_dies_over_a_call_may_have_done_it_though_it_cannot_be_reached_again() -> None:
    async def main() -> None:
        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            server.close()
            writer.close()

        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        calling = Calling(Origin("127.0.0.1", server.sockets[0].getsockname()[1]), 1.0, 2)
        for unsure in (True, False):  # the second time it was not even told
            with pytest.raises(CallError) as caught:
                await calling.call("PUT", "/", Fields([]), b"x")
            assert caught.value.unsure is unsure
        calling.close()

    asyncio.run(main())


def test_more_bytes_than_may_wait_fail_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> None:
        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.read()

        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        calling = Calling(Origin("127.0.0.1", server.sockets[0].getsockname()[1]), 0.2, 2)
        monkeypatch.setattr(calling_module, "MOST_BYTES", 100)
        for _ in range(2):  # the second time nothing waits any more
            first = asyncio.create_task(calling.call("PUT", "/", Fields([]), bytes(1000)))
            await asyncio.sleep(0.05)
            with pytest.raises(CallError, match="has 1 calls of 1000 bytes waiting"):
                await calling.call("PUT", "/", Fields([]), b"x")
            with pytest.raises(CallError, match="did not answer"):
                await first
        calling.close()
        server.close()

    asyncio.run(main())
