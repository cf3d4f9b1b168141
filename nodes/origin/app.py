"""The origin's answers: an entry of the catalogue, whole or in parts, after a think time and at a rate.

What is sent is decided in `nodes/http/conditionals.py` and, for a generated object, by the `script.py` of its query, which
takes precedence over the daemon's options; `sending.py` sends it.
"""

from __future__ import annotations

import secrets
import time
from pathlib import Path

from nodes.http.conditionals import Selected, select
from nodes.http.dates import http_date
from nodes.http.digest import repr_digest
from nodes.http.message import Fields, HttpError, Request
from nodes.http.multipart import plan
from nodes.http.pacing import sleep_until
from nodes.http.ranges import content_range, unsatisfied_range
from nodes.http.reply import Reply
from nodes.origin.catalogue import Entry, find
from nodes.origin.digests import Digests
from nodes.origin.script import Script, ScriptError, parse
from nodes.origin.sending import send

_NO_SCRIPT = Script()


class Origin:
    """Serves a catalogue. `think_ms` is waited before each response, `rate_bps` paces each body."""

    def __init__(
        self, name: str, folder: Path | None, cache_control: str, think_ms: float, rate_bps: int | None
    ) -> None:
        self.name = name
        self._folder, self._cache_control = folder, cache_control
        self._think_ms, self._rate_bps = think_ms, rate_bps
        self._digests = Digests()

    async def close(self) -> None:
        """Nothing to close."""

    async def handle(self, request: Request, reply: Reply) -> None:
        """GET and HEAD of one entry; any method where the script says the status."""
        entry = find(request.path, self._folder)
        try:
            script = _script(request, entry)
            if request.method not in ("GET", "HEAD") and script.status is None:
                raise HttpError(405, "this origin answers GET and HEAD", [("Allow", "GET, HEAD")])
            think_ms = self._think_ms if script.think_ms is None else script.think_ms
            if think_ms:
                await sleep_until(request.received_at + think_ms / 1e3)
            await self._answer(request, reply, entry, script, think_ms)
        finally:
            entry.close()

    async def _answer(self, request: Request, reply: Reply, entry: Entry, script: Script, think_ms: float) -> None:
        etag = script.value("etag", entry.etag)
        modified = script.value("last-modified", http_date(entry.modified_s))
        chosen = self._choose(request, entry, script, etag, modified)
        fields = self._fields(etag, modified, think_ms)
        if chosen.status == 412 and script.status is None:
            raise HttpError(412, "a precondition of the request is false", [("ETag", etag)] if etag else [])
        if chosen.status == 416 and script.status is None:
            raise HttpError(416, "no byte of that range exists", [("Content-Range", unsatisfied_range(entry.size_bytes))])
        if chosen.status in (204, 304):
            script.apply(fields)
            reply.start(chosen.status, fields, 0)
            await reply.end()
            return
        fields.add("Content-Type", entry.kind)
        fields.add("Accept-Ranges", "bytes")
        digest = await self._digests.of(entry, request.fields.get("want-repr-digest"))
        if digest is not None:
            fields.add("Repr-Digest", repr_digest(digest))
        pieces: tuple[bytes | tuple[int, int], ...] = chosen.parts
        length_bytes = sum(length for _, length in chosen.parts)
        if chosen.status == 206 and script.status is None:
            if len(chosen.parts) == 1:
                fields.add("Content-Range", content_range(*chosen.parts[0], entry.size_bytes))
            else:
                several = plan(chosen.parts, entry.size_bytes, entry.kind, secrets.token_hex(16))
                fields.put("Content-Type", several.content_type)
                pieces, length_bytes = several.pieces, several.length_bytes
        script.apply(fields)
        reply.start(chosen.status, fields, None if script.chunked else length_bytes)
        if request.method != "HEAD":
            await send(reply, entry, pieces, script.rate_bps or self._rate_bps)
        await reply.end()

    def _choose(
        self, request: Request, entry: Entry, script: Script, etag: str | None, modified: str | None
    ) -> Selected:  # fmt: skip
        if script.status is not None:
            return Selected(script.status, ((0, entry.size_bytes),))
        settled = entry.modified_s < time.time() - 1  # else it may change once more in that second (RFC 9110, 8.8.2.2)
        return select(request.method, request.fields, etag, modified, entry.size_bytes, date_is_strong=settled, several=True)

    def _fields(self, etag: str | None, modified: str | None, think_ms: float) -> Fields:
        given = (("ETag", etag), ("Last-Modified", modified), ("Cache-Control", self._cache_control))
        fields = Fields((name, value) for name, value in given if value)
        if think_ms:
            fields.add("Server-Timing", f"think;dur={think_ms:g}")
        return fields


def _script(request: Request, entry: Entry) -> Script:
    if entry.name is None or not request.query:
        return _NO_SCRIPT
    try:
        return parse(request.query)
    except ScriptError as error:
        raise HttpError(400, str(error)) from error
