"""HTTP calls to one server over persistent connections, each call within a time limit. It knows no rows and no keys."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from nodes.http.message import Fields, request_bytes
from nodes.http.origin_address import Origin
from nodes.http.pool import Pool
from nodes.http.response import Response
from nodes.http.timeouts import Timeouts
from nodes.http.upstream_error import UpstreamError

IDLE_S = 60.0
CONNECT_S = 2.0
"""TCP waits ever longer before it tries again; a new connection finds a way that is open again sooner."""


MOST_RUNNING = 4096
"""While a server is away every call waits for its whole limit; more than this many are refused at once."""
MOST_BYTES = 512 * 2**20
"""And so are bodies beyond this, of all that wait."""


class CallError(Exception):
    """There is no answer. `unsure`: what was asked may have been done all the same."""

    def __init__(self, cause: str, *, unsure: bool) -> None:
        super().__init__(cause)
        self.unsure = unsure


class Calling:
    """At most so many connections; more calls wait, within their limit, and more than `most_running`, or bodies of too many
    bytes, fail at once. What is called twice must mean the same as once."""

    def __init__(
        self, origin: Origin, limit_s: float, connections: int, congestion_control: str | None = None,
        most_running: int = MOST_RUNNING,
    ) -> None:  # fmt: skip
        self.where, self._origin, self._limit_s = origin.where, origin, limit_s
        self._most_running, self._running, self._bytes = most_running, 0, 0
        connect_s = min(limit_s, CONNECT_S)
        self._pool = Pool(connections, IDLE_S, Timeouts(connect_s, limit_s, limit_s), congestion_control)

    async def call(self, method: str, path: str, fields: Fields, body: bytes | None) -> tuple[Response, bytes]:
        """The answer and its content. Raises CallError."""
        size = len(body or b"")
        if self._running >= self._most_running or (self._bytes and self._bytes + size > MOST_BYTES):
            raise CallError(f"has {self._running} calls of {self._bytes} bytes waiting, and takes no more", unsure=False)
        fields = Fields([("Host", self._origin.where), *fields.items])
        if body is not None:
            fields.add("Content-Length", str(len(body)))
        head = request_bytes(method, path, fields)
        self._running, self._bytes = self._running + 1, self._bytes + size
        unsure = False
        try:
            async with asyncio.timeout(self._limit_s):
                try:
                    return await self._exchange(method, head, body, fresh=False)
                except UpstreamError as error:  # perhaps only the kept connection had ended
                    unsure = _sent(error)
                    return await self._exchange(method, head, body, fresh=True)
        except TimeoutError as error:
            raise CallError(f"did not answer within {self._limit_s:g} s", unsure=True) from error
        except UpstreamError as error:
            raise CallError(f"failed: {error}", unsure=unsure or _sent(error)) from error
        finally:
            self._running, self._bytes = self._running - 1, self._bytes - size

    def close(self) -> None:
        """Close what is idle."""
        self._pool.close()

    async def _exchange(self, method: str, head: bytes, body: bytes | None, *, fresh: bool) -> tuple[Response, bytes]:
        connection = await self._pool.take(self._origin, fresh=fresh)
        try:
            connection.send(method, head, None if not body else _once(body))
            response = await connection.head()
            parts = []
            while part := await connection.read():
                parts.append(part)
        finally:
            self._pool.give(self._origin, connection)
        return response, b"".join(parts)


def _sent(error: UpstreamError) -> bool:
    """Whether the server may have been told."""
    return error.phase not in ("connect", "queue", "tls")


async def _once(body: bytes) -> AsyncIterator[bytes]:
    yield body
