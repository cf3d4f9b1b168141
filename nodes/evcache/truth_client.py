"""The source of truth as the cache sees it: rows over HTTP, each call within a time limit. It caches nothing."""

from __future__ import annotations

import json
from typing import NamedTuple
from urllib.parse import quote

from nodes.evcache.calling import CallError, Calling
from nodes.http.message import Fields
from nodes.http.origin_address import Origin
from nodes.http.response import Response

VERSION = "Longhaul-Version"
CONNECTIONS = 64


class TruthError(Exception):
    """The source of truth did not do it. `unsure`: a write may have been done all the same."""

    def __init__(self, cause: str, *, unsure: bool) -> None:
        super().__init__(cause)
        self.unsure = unsure


class Ahead(TruthError):
    """The version is too far ahead of the clock of the source of truth, which took nothing."""


class Superseded(Exception):
    """A newer version stands, or another write's of the same version."""

    def __init__(self, version: int) -> None:
        super().__init__(f"version {version} stands")
        self.version = version


class TruthRow(NamedTuple):
    """Version 0 when the row never was."""

    version: int
    value: bytes | None


class TruthClient:
    """At most 64 connections; more calls wait, within their limit."""

    def __init__(self, origin: Origin, limit_s: float, congestion_control: str | None = None) -> None:
        self._calling = Calling(origin, limit_s, CONNECTIONS, congestion_control)

    async def get(self, key: str, *, value: bool = True) -> TruthRow:
        """The row; without `value` only its version, and b"" where there is a value. Raises TruthError."""
        response, content = await self._call("GET" if value else "HEAD", key, None, None)
        if response.status not in (200, 404):
            raise TruthError(_words(response, content), unsure=False)
        return TruthRow(_version(response), content if response.status == 200 else None)

    async def versions(self, after: str) -> list[tuple[str, int]]:
        """The next keys behind `after`, in order, with their rows' versions; none when there are no more. Raises TruthError."""
        try:
            response, content = await self._calling.call("GET", "/rows?after=" + quote(after, safe=""), Fields([]), None)
        except CallError as error:
            raise TruthError(f"the source of truth {error}", unsure=False) from error
        if response.status != 200:
            raise TruthError(_words(response, content), unsure=False)
        try:
            return [(str(key), int(version)) for key, version in json.loads(content)]
        except (ValueError, TypeError) as error:
            raise TruthError("the source of truth lists what are no keys", unsure=False) from error

    async def put(self, key: str, version: int, value: bytes | None) -> None:
        """Returns when it is durable; None deletes. Raises Superseded, Ahead, TruthError."""
        response, content = await self._call("DELETE" if value is None else "PUT", key, version, value)
        if response.status == 409:
            raise Superseded(_version(response))
        if response.status == 400:  # the key and the version's form have been seen to here
            raise Ahead(_words(response, content), unsure=False)
        if response.status != 204:
            unsure = response.status >= 500 and (response.status != 503 or "longhaul-unsure" in response.fields)
            raise TruthError(_words(response, content), unsure=unsure)

    def close(self) -> None:
        """Close what is idle."""
        self._calling.close()

    async def _call(self, method: str, key: str, version: int | None, value: bytes | None) -> tuple[Response, bytes]:
        fields = Fields([] if version is None else [(VERSION, str(version))])
        try:
            return await self._calling.call(method, "/rows/" + quote(key, safe=""), fields, value)
        except CallError as error:
            raise TruthError(f"the source of truth {error}", unsure=error.unsure) from error


def _version(response: Response) -> int:
    text = response.fields.get(VERSION) or "0"
    if not text.isascii() or not text.isdigit():
        raise TruthError(f"the source of truth says version '{text}'", unsure=True)
    return int(text)


def _words(response: Response, content: bytes) -> str:
    said = content.decode("utf-8", "replace").strip()
    return f"the source of truth answers {response.status}" + (f": {said}" if said else "")
