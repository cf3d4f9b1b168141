"""One request to an origin and the head of its response, over a pooled connection.

It does not read the content. What may be sent a second time is decided in `nodes/http/upstream_error.py`.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

from nodes.edge.asking import Ask
from nodes.http.awaited import OnInterim
from nodes.http.continuing import Gate
from nodes.http.message import request_bytes
from nodes.http.pool import Pool
from nodes.http.response import Response
from nodes.http.upstream import Upstream
from nodes.http.upstream_error import UpstreamError, may_repeat


@dataclass(slots=True)
class Exchange:
    """A response whose content is read from `connection`. `upstream_ms` is from the request to the response's head."""

    connection: Upstream
    response: Response
    requested_s: float
    received_s: float
    upstream_ms: float


@asynccontextmanager
async def exchange(
    pool: Pool, ask: Ask, on_interim: OnInterim, on_retry: Callable[[], None]
) -> AsyncIterator[Exchange]:  # fmt: skip
    """Send, wait for the head, and give the connection back afterwards. Raises UpstreamError, ConnectionError."""
    connection = await pool.take(ask.origin)
    try:
        try:
            made = await _once(connection, ask, on_interim)
        except UpstreamError as error:
            if not may_repeat(error, ask.method, has_body=ask.body is not None, reused=connection.used > 1):
                raise
            on_retry()
            pool.give(ask.origin, connection)
            connection = await pool.take(ask.origin, fresh=True)
            made = await _once(connection, ask, on_interim)
        yield made
    finally:
        pool.give(ask.origin, connection)


async def _once(connection: Upstream, ask: Ask, on_interim: OnInterim) -> Exchange:
    requested_s, started = time.time(), time.monotonic()
    body = ask.body
    gate = Gate(body, on_interim) if body is not None and "expect" in ask.fields else None
    connection.send(ask.method, request_bytes(ask.method, ask.target, ask.fields), gate or body,
                    chunked="transfer-encoding" in ask.fields)  # fmt: skip
    response = await connection.head(on_interim=gate.interim if gate else on_interim)
    upstream_ms = round((time.monotonic() - started) * 1e3, 3)
    return Exchange(connection, response, requested_s, time.time(), upstream_ms)
