"""The origin's answers: an entry of the catalogue, whole or in part, after a think time and at a rate.

What is sent is decided in `nodes/http/conditionals.py`; this file carries it out. For a generated object the query may
hold `think=40ms` and `rate=10mbit`, which take precedence over the daemon's options.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
from pathlib import Path
from urllib.parse import parse_qsl

from nodes.http.conditionals import select
from nodes.http.dates import http_date
from nodes.http.digest import repr_digest, wants_sha256
from nodes.http.message import Fields, HttpError, Request
from nodes.http.pacing import due_s, sleep_until, step_bytes
from nodes.http.ranges import content_range
from nodes.http.reply import JOINED_BYTES, Reply
from nodes.origin import generate
from nodes.origin.catalogue import Entry, find
from units import UnitError, bits_per_second, milliseconds

CHUNK_BYTES = 256 * 1024
CHEAP_DIGEST_BYTES = 256 * 1024
"""Up to this size every response states its digest; above, a digest would delay the first byte, so it is stated when
`Want-Repr-Digest: sha-256=1` asks for it (RFC 9530)."""

LONGEST_THINK_MS = 60_000.0


class Origin:
    """Serves a catalogue. `think_ms` is waited before each response, `rate_bps` paces each body."""

    def __init__(
        self, name: str, folder: Path | None, cache_control: str, think_ms: float, rate_bps: int | None
    ) -> None:
        self.name = name
        self._folder, self._cache_control = folder, cache_control
        self._think_ms, self._rate_bps = think_ms, rate_bps
        self._file_digests: dict[tuple[str, int], bytes] = {}

    async def close(self) -> None:
        """Nothing to close."""

    async def handle(self, request: Request, reply: Reply) -> None:
        """GET and HEAD of one entry."""
        if request.method not in ("GET", "HEAD"):
            raise HttpError(405, "this origin answers GET and HEAD", [("Allow", "GET, HEAD")])
        entry = find(request.path, self._folder)
        try:
            think_ms, rate_bps = self._settings(request, entry)
            if think_ms:
                await sleep_until(request.received_at + think_ms / 1e3)
            await self._answer(request, reply, entry, think_ms, rate_bps)
        finally:
            entry.close()

    def _settings(self, request: Request, entry: Entry) -> tuple[float, int | None]:
        think_ms, rate_bps = self._think_ms, self._rate_bps
        if entry.name is None or not request.query:
            return think_ms, rate_bps
        try:
            for key, value in parse_qsl(request.query, keep_blank_values=True):
                if key == "think":
                    think_ms = milliseconds(value)
                elif key == "rate":
                    rate_bps = bits_per_second(value)
        except UnitError as error:
            raise HttpError(400, str(error)) from error
        if not 0 <= think_ms <= LONGEST_THINK_MS or (rate_bps is not None and rate_bps < 1000):
            raise HttpError(400, "think must be within 0s and 60s, rate at least 1kbit")
        return think_ms, rate_bps

    async def _answer(
        self, request: Request, reply: Reply, entry: Entry, think_ms: float, rate_bps: int | None
    ) -> None:
        modified = http_date(entry.modified_s)
        chosen = select(request.method, request.fields, entry.etag, modified, entry.size_bytes)
        fields = Fields([("ETag", entry.etag), ("Last-Modified", modified), ("Cache-Control", self._cache_control)])
        if think_ms:
            fields.add("Server-Timing", f"think;dur={think_ms:g}")
        if chosen.status == 412:
            raise HttpError(412, "a precondition of the request is false", [("ETag", entry.etag)])
        if chosen.status == 416:
            raise HttpError(416, "no byte of that range exists", [("Content-Range", f"bytes */{entry.size_bytes}")])
        if chosen.status == 304:
            reply.start(304, fields, 0)
            await reply.end()
            return
        fields.add("Content-Type", entry.kind)
        fields.add("Accept-Ranges", "bytes")
        digest = await self._digest(request, entry)
        if digest is not None:
            fields.add("Repr-Digest", repr_digest(digest))
        if chosen.status == 206:
            fields.add("Content-Range", content_range(chosen.start, chosen.length, entry.size_bytes))
        reply.start(chosen.status, fields, chosen.length)
        if request.method == "GET":
            await self._send(reply, entry, chosen.start, chosen.length, rate_bps)
        await reply.end()

    async def _send(self, reply: Reply, entry: Entry, start: int, length: int, rate_bps: int | None) -> None:
        if rate_bps is None and entry.file is not None:
            if length:
                await reply.file(entry.file, start, length)
            return
        loop = asyncio.get_running_loop()
        step = CHUNK_BYTES if rate_bps is None else step_bytes(rate_bps)
        began, sent = loop.time(), 0
        while sent < length:
            size = min(step if sent else min(step, JOINED_BYTES), length - sent)
            data = _read(entry, start + sent, size)
            if rate_bps is not None and sent:
                await sleep_until(began + due_s(sent, rate_bps))
            await reply.write(data)
            sent += size

    async def _digest(self, request: Request, entry: Entry) -> bytes | None:
        """The sha-256 to state, computed beside the loop when it is long work."""
        wanted = wants_sha256(request.fields.get("want-repr-digest"))
        if entry.name is not None:
            if entry.size_bytes <= CHEAP_DIGEST_BYTES:
                return generate.sha256(entry.name, entry.size_bytes)
            return await asyncio.to_thread(generate.sha256, entry.name, entry.size_bytes) if wanted else None
        if not wanted or entry.file is None:
            return None
        key = (entry.etag, entry.size_bytes)
        if key not in self._file_digests:
            if len(self._file_digests) >= 4096:
                self._file_digests.clear()
            self._file_digests[key] = await asyncio.to_thread(_hash_file, entry.file.fileno())
        return self._file_digests[key]


def _read(entry: Entry, start: int, size: int) -> bytes:
    if entry.name is not None:
        return generate.content(entry.name, entry.size_bytes, start, size)
    assert entry.file is not None
    data = os.pread(entry.file.fileno(), size, start)
    if len(data) < size:
        raise ConnectionResetError("the file became shorter while it was sent")
    return data


def _hash_file(descriptor: int) -> bytes:
    running, offset = hashlib.sha256(), 0
    while data := os.pread(descriptor, 1024 * 1024, offset):
        running.update(data)
        offset += len(data)
    return running.digest()
