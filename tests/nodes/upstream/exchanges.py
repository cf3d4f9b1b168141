"""Requests to scripted origins by a pool of this process; what became of each."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

from nodes.http.awaited import OnInterim
from nodes.http.origin_address import Origin
from nodes.http.pool import Pool
from nodes.http.timeouts import Timeouts
from nodes.http.tls import ClientTls
from nodes.http.upstream_error import UpstreamError

GET = b"GET /x HTTP/1.1\r\nHost: a\r\n\r\n"
POST = b"POST /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
PATIENT = Timeouts(5, 5, 5)
HASTY = Timeouts(0.15, 0.15, 0.15)


class Outcome:
    """The status and content, or the error."""

    def __init__(self) -> None:
        self.status = 0
        self.content = b""
        self.trailers: list[tuple[str, str]] = []
        self.reusable = False
        self.error: UpstreamError | None = None

    @property
    def failed(self) -> UpstreamError:
        """The error; there must be one."""
        assert self.error is not None
        return self.error


async def exchange(
    pool: Pool, origin: Origin, *, head: bytes = GET, body: AsyncIterator[bytes] | None = None,
    on_interim: OnInterim | None = None
) -> Outcome:  # fmt: skip
    """One request, without a second try."""
    seen = Outcome()
    try:
        connection = await pool.take(origin)
        try:
            connection.send(head.split(b" ")[0].decode(), head, body, chunked=b"chunked" in head)
            response = await connection.head(on_interim=on_interim)
            seen.status = response.status
            while data := await connection.read():
                seen.content += data
            seen.trailers = response.trailers.items
            seen.reusable = connection.reusable
        finally:
            pool.give(origin, connection)
    except UpstreamError as error:
        seen.error = error
    return seen


def with_pool(
    what: Callable[[Pool], Awaitable[Any]], timeouts: Timeouts = PATIENT, limit: int = 8, idle_s: float = 60.0,
    tls: ClientTls | None = None
) -> Any:  # fmt: skip
    """Run a coroutine with a pool of its own."""

    async def run() -> Any:
        pool = Pool(limit, idle_s, timeouts, None, tls)
        try:
            async with asyncio.timeout(30):
                return await what(pool)
        finally:
            pool.close()

    return asyncio.run(run())


def once(port: int, timeouts: Timeouts = PATIENT, **options: Any) -> Outcome:
    """One request to a port of this machine."""
    made: Outcome = with_pool(lambda pool: exchange(pool, Origin("127.0.0.1", port), **options), timeouts)
    return made


def reset(sock: socket.socket) -> None:
    """Close so that the peer gets RST."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()
