"""The source of truth as the cache sees it: rows over HTTP, each call within a time limit. It caches nothing."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import NamedTuple
from urllib.parse import quote

from nodes.http.message import Fields, request_bytes
from nodes.http.origin_address import Origin
from nodes.http.pool import Pool
from nodes.http.timeouts import Timeouts
from nodes.http.upstream import Response
from nodes.http.upstream_error import UpstreamError

VERSION = "Longhaul-Version"
CONNECTIONS = 64
IDLE_S = 60.0


class TruthError(Exception):
    """The source of truth did not do it. `unsure`: a write may have been done all the same."""

    def __init__(self, cause: str, *, unsure: bool) -> None:
        super().__init__(cause)
        self.unsure = unsure


class Superseded(Exception):
    """A newer version stands."""

    def __init__(self, version: int) -> None:
        super().__init__(f"version {version} is newer")
        self.version = version


class TruthRow(NamedTuple):
    """Version 0 when the row never was."""

    version: int
    value: bytes | None


class TruthClient:
    """At most 64 connections; more calls wait, within their limit."""

    def __init__(self, origin: Origin, limit_s: float, congestion_control: str | None = None) -> None:
        self._origin, self._limit_s = origin, limit_s
        self._pool = Pool(CONNECTIONS, IDLE_S, Timeouts(limit_s, limit_s, limit_s), congestion_control)

    async def get(self, key: str, *, value: bool = True) -> TruthRow:
        """The row; without `value` only its version, and b"" where there is a value. Raises TruthError."""
        response, content = await self._call("GET" if value else "HEAD", key, None, None)
        if response.status not in (200, 404):
            raise TruthError(_words(response, content), unsure=False)
        return TruthRow(_version(response), content if response.status == 200 else None)

    async def put(self, key: str, version: int, value: bytes | None) -> None:
        """Returns when it is durable; None deletes. Raises Superseded, TruthError."""
        response, content = await self._call("DELETE" if value is None else "PUT", key, version, value)
        if response.status == 409:
            raise Superseded(_version(response))
        if response.status != 204:
            unsure = response.status >= 500 and (response.status != 503 or "longhaul-unsure" in response.fields)
            raise TruthError(_words(response, content), unsure=unsure)

    def close(self) -> None:
        """Close what is idle."""
        self._pool.close()

    async def _call(self, method: str, key: str, version: int | None, value: bytes | None) -> tuple[Response, bytes]:
        fields = Fields([("Host", self._origin.where)])
        if version is not None:
            fields.add(VERSION, str(version))
        if value is not None:
            fields.add("Content-Length", str(len(value)))
        head = request_bytes(method, "/rows/" + quote(key, safe=""), fields)
        try:
            async with asyncio.timeout(self._limit_s):
                try:
                    return await self._exchange(method, head, value, fresh=False)
                except UpstreamError:  # perhaps only the kept connection had ended; versions make it safe to say it twice
                    return await self._exchange(method, head, value, fresh=True)
        except TimeoutError as error:
            raise TruthError(f"the source of truth did not answer within {self._limit_s:g} s", unsure=True) from error
        except UpstreamError as error:
            raise TruthError(f"the source of truth: {error}", unsure=error.phase not in ("connect", "queue", "tls")) from error

    async def _exchange(self, method: str, head: bytes, value: bytes | None, *, fresh: bool) -> tuple[Response, bytes]:
        connection = await self._pool.take(self._origin, fresh=fresh)
        try:
            connection.send(method, head, None if not value else _once(value))
            response = await connection.head()
            parts = []
            while part := await connection.read():
                parts.append(part)
        finally:
            self._pool.give(self._origin, connection)
        return response, b"".join(parts)


async def _once(value: bytes) -> AsyncIterator[bytes]:
    yield value


def _version(response: Response) -> int:
    text = response.fields.get(VERSION) or "0"
    if not text.isascii() or not text.isdigit():
        raise TruthError(f"the source of truth says version '{text}'", unsure=True)
    return int(text)


def _words(response: Response, content: bytes) -> str:
    said = content.decode("utf-8", "replace").strip()
    return f"the source of truth answers {response.status}" + (f": {said}" if said else "")
