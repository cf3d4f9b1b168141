"""The truth's answers: GET, PUT and DELETE of `/rows/KEY`, POST of a JSON list of keys to `/rows`, GET of all keys by pages.

It decides no order: versions do. `Longhaul-Version` carries them both ways; a write without one gets the next of this clock.
A write is answered when it is durable, and with 409 when a newer version stands.
"""

from __future__ import annotations

import base64
import json
import time
from urllib.parse import parse_qsl, unquote_to_bytes

from nodes.evcache.keys import BadKey, checked
from nodes.evcache.version import AHEAD_US, Versions, at_us
from nodes.http.body import content
from nodes.http.message import Fields, HttpError, Request
from nodes.http.metrics import Metrics
from nodes.http.reply import Reply
from nodes.truth.batches import Batches
from nodes.truth.families import COUNTERS, OTHERS
from nodes.truth.rows import DatabaseError, Row

ROWS = "/rows/"
VERSION = "Longhaul-Version"
MOST_KEYS = 1000
LARGEST_VALUE_BYTES = 64 * 2**20


class Truth:
    """Serves one table of rows."""

    def __init__(self, name: str, rows: Batches, metrics: Metrics) -> None:
        self.name, self._rows, self._metrics = name, rows, metrics
        self._versions = Versions(0)
        metrics.declare(COUNTERS, OTHERS)
        metrics.before_text(lambda: metrics.gauge("longhaul_truth_writes_waiting", rows.waiting))

    async def close(self) -> None:
        """Commit what waits."""
        await self._rows.close()

    async def handle(self, request: Request, reply: Reply) -> None:
        """One row, or several."""
        try:
            if request.path == "/rows" and request.method == "POST":
                await self._several(request, reply)
            elif request.path == "/rows" and request.method == "GET":
                await self._list(request, reply)
            elif request.path.startswith(ROWS):
                await self._one(_key(request.path), request, reply)
            else:
                raise HttpError(404, "nothing is here; rows are at /rows/KEY, /rows lists keys and takes a JSON list of them")
        except DatabaseError as error:
            self._metrics.count("longhaul_truth_errors_total")
            fields = [("Retry-After", "1")] + ([("Longhaul-Unsure", "1")] if error.unsure else [])
            raise HttpError(503, f"{error}; nothing was acknowledged, ask again later", fields) from error

    async def _one(self, key: str, request: Request, reply: Reply) -> None:
        if request.method in ("GET", "HEAD"):
            row = (await self._rows.get([key])).get(key)
            self._metrics.count("longhaul_truth_loads_total")
            reply.outcome.result = "TRUTH_ROW" if row is not None and row.value is not None else "TRUTH_ABSENT"
            if row is None or row.value is None:
                raise HttpError(404, f"there is no row '{key}'", [] if row is None else [(VERSION, str(row.version))])
            kind = ("Content-Type", "application/octet-stream")
            await reply.full(200, Fields([kind, (VERSION, str(row.version)), ("ETag", f'"{row.version}"')]), row.value)
        elif request.method in ("PUT", "DELETE"):
            value = await content(request, LARGEST_VALUE_BYTES) if request.method == "PUT" else None
            version = self._version(request)
            row = Row(key, version, value)
            stands = await self._rows.put(row)
            self._metrics.count("longhaul_truth_writes_total", result="stored" if stands == row else "older")
            reply.outcome.result = "TRUTH_STORED" if stands == row else "TRUTH_OLDER"
            if stands != row:
                self._versions.saw(stands.version)
                how = f"is newer than {version}" if stands.version > version else "is another write's"
                raise HttpError(409, f"version {stands.version} of '{key}' {how}", [(VERSION, str(stands.version))])
            await reply.full(204, Fields([(VERSION, str(version))]), b"")
        else:
            raise HttpError(405, "rows know GET, PUT and DELETE", [("Allow", "GET, HEAD, PUT, DELETE")])

    async def _several(self, request: Request, reply: Reply) -> None:
        try:
            keys = json.loads(await content(request, 2**20))
        except ValueError as error:
            raise HttpError(400, f"the content is not JSON: {error}") from error
        if not isinstance(keys, list) or len(keys) > MOST_KEYS or not all(isinstance(key, str) for key in keys):
            raise HttpError(400, f"the content is not a JSON list of at most {MOST_KEYS} keys")
        for key in keys:
            _may_be(key)
        rows = await self._rows.get(keys)
        self._metrics.count("longhaul_truth_loads_total", len(keys))
        found = {
            key: {"version": row.version, "value": None if row.value is None else base64.b64encode(row.value).decode()}
            for key, row in rows.items()
        }
        await reply.full(200, Fields([("Content-Type", "application/json")]), json.dumps(found).encode())

    async def _list(self, request: Request, reply: Reply) -> None:
        """The keys behind `after`, in order, each with its row's version: a page of what there is."""
        asked = dict(parse_qsl(request.query, keep_blank_values=True))
        after = asked.pop("after", "")
        if asked:
            raise HttpError(400, f"'{next(iter(asked))}' is not known; the query may hold after=KEY")
        if after:
            _may_be(after)
        found = json.dumps(await self._rows.versions(after, MOST_KEYS)).encode()
        await reply.full(200, Fields([("Content-Type", "application/json")]), found)

    def _version(self, request: Request) -> int:
        """Raises HttpError 400."""
        text, now_us = request.fields.get(VERSION), time.time_ns() // 1000
        if text is None:
            return self._versions.next(now_us)
        if not text.isascii() or not text.isdigit() or len(text) > 19 or not 0 < int(text) < 2**63:
            raise HttpError(400, f"'{text}' is no version; give a whole number from 1 to {2**63 - 1}")
        ahead_us = at_us(int(text)) - now_us
        if ahead_us > AHEAD_US:
            raise HttpError(400, f"version {text} is {ahead_us / 3.6e9:.1f} hours ahead of this clock; set the writer's clock")
        self._versions.saw(int(text))
        return int(text)


def _key(path: str) -> str:
    try:
        key = unquote_to_bytes(path.removeprefix(ROWS)).decode()
    except UnicodeDecodeError as error:
        raise HttpError(400, "the key is not UTF-8") from error
    _may_be(key)
    return key


def _may_be(key: str) -> None:
    """Raises HttpError 400."""
    try:
        checked(key)
    except BadKey as error:
        raise HttpError(400, str(error)) from error
