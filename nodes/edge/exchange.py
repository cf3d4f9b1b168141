"""One request to an origin and the head of its response, over a pooled connection.

It does not read the content. A kept connection that turns out to be dead before any byte came is replaced once, for
safe methods without content (RFC 9110, section 9.2.2; RFC 9112, section 9.3.1).
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

from nodes.edge.record import Record
from nodes.http.message import SAFE_METHODS, Body, Fields, request_bytes
from nodes.http.pool import Pool
from nodes.http.upstream import Response, Upstream, UpstreamError


@dataclass(frozen=True)
class Ask:
    """What is asked of the origin, and for which object. `key` None: nothing may be stored."""

    origin: tuple[str, int]
    method: str
    target: str
    fields: Fields
    body: Body | None
    request_fields: Fields
    primary: str
    key: str | None
    stored: Record | None = None


@dataclass
class Exchange:
    """A response whose content is read from `connection`. `upstream_ms` is from the request to the response's head."""

    connection: Upstream
    response: Response
    requested_s: float
    received_s: float
    upstream_ms: float
    reused: bool


@asynccontextmanager
async def exchange(pool: Pool, ask: Ask, on_retry: Callable[[], None]) -> AsyncIterator[Exchange]:
    """Send, wait for the head, and give the connection back afterwards. Raises UpstreamError."""
    method, body, origin = ask.method, ask.body, ask.origin
    head = request_bytes(method, ask.target, ask.fields)
    connection = await pool.take(origin)
    try:
        try:
            made = await _once(pool, connection, method, head, body)
        except UpstreamError as error:
            if not (error.fresh and connection.used > 1 and method in SAFE_METHODS and body is None):
                raise
            on_retry()
            pool.give(origin, connection)
            connection = await pool.take(origin, fresh=True)
            made = await _once(pool, connection, method, head, body)
        yield made
    finally:
        pool.give(origin, connection)


async def _once(pool: Pool, connection: Upstream, method: str, head: bytes, body: Body | None) -> Exchange:
    requested_s, started = time.time(), time.monotonic()
    connection.start(method, head)
    if body is not None:
        await _send(connection, body, chunked=b"\r\nTransfer-Encoding: chunked\r\n" in head)
    response = await connection.head(pool.timeout_s)
    upstream_ms = round((time.monotonic() - started) * 1e3, 3)
    return Exchange(connection, response, requested_s, time.time(), upstream_ms, connection.used > 1)


async def _send(connection: Upstream, body: Body, *, chunked: bool) -> None:
    """The request's content; an origin that answers before it has all of it is listened to (RFC 9112, section 9.5)."""
    async for data in body:
        try:
            await connection.send_body(b"%x\r\n%b\r\n" % (len(data), data) if chunked else data)
        except UpstreamError:
            return
    if chunked and not connection.lost:
        await connection.send_body(b"0\r\n\r\n")
