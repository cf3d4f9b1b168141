"""The edges of fill: what each has, copies that they are told to make, files that they are told to let go, and steering told.

It plans nothing. What an edge refuses, or steering does not hear, is said once and tried again in a later night.
"""

from __future__ import annotations

import asyncio
import json
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

from nodes.fill.config import Config
from nodes.fill.streamed import Streamed
from nodes.http.access_log import AccessLog
from nodes.http.metrics import Metrics
from nodes.steering.fill.night import ORIGIN, Job
from nodes.steering.telling import Troubles, direct, send

COPY_WITHIN_S = 600.0


class Edges:
    """`held` are the titles of each edge, as far as is known; `streamed` what they were asked for."""

    def __init__(self, config: Config, log: AccessLog, metrics: Metrics, troubles: Troubles) -> None:
        self._config, self._log, self._metrics, self._troubles = config, log, metrics, troubles
        self.held: dict[str, set[str]] = {}
        self.streamed = Streamed({name: Path(edge.log) for name, edge in config.edges.items() if edge.log})

    async def look(self) -> None:
        """Ask every edge what it has, and tell steering."""
        for edge in self._config.edges:
            self.held[edge] = await asyncio.to_thread(self._ask_what_it_has, edge)
            await self.tell(edge, {"files": sorted(self.held[edge])})

    async def copy(self, job: Job) -> int | None:
        """Have an edge fetch a file; its size, or None when that failed."""
        config, began_s = self._config, time.monotonic()
        source = config.origin if job.source == ORIGIN else config.edges[job.source].url
        word = "from" if job.source == ORIGIN else "peer"
        query = urlencode({"path": job.title, word: source})
        cause, size_bytes = "", None
        if job.source != ORIGIN and job.title not in self.held[job.source]:
            cause = f"{job.source}, which was to fetch it for all, does not have it"
        else:
            try:
                said = json.loads(await asyncio.to_thread(_ask, "POST", f"{config.edges[job.edge].url}/-/fill?{query}"))
                size_bytes = int(said["bytes"])
            except (OSError, ValueError, KeyError) as error:
                cause = str(error)
        took_ms = round((time.monotonic() - began_s) * 1e3, 3)
        self.write({"fill": job.title, "site": job.site, "edge": job.edge, "source": job.source, "kind": job.kind,
                     "bytes": size_bytes, "duration_ms": took_ms, "error": cause})  # fmt: skip
        self._troubles.say(f"fill {job.edge}", cause, "it is planned again next night")
        if size_bytes is None:
            self._metrics.count("longhaul_fill_failed_total", what="copy")
            return None
        self.held[job.edge].add(job.title)
        if job.source != ORIGIN:
            self.streamed.not_played(job.source, job.title, size_bytes)
        self._metrics.count("longhaul_fill_copies_total", kind=job.kind)
        self._metrics.count("longhaul_fill_bytes_total", size_bytes, kind=job.kind)
        await self.tell(job.edge, {"added": [job.title]})
        return size_bytes

    async def drop(self, edge: str, title: str) -> int:
        """Have an edge let go of a file; 1 when it did. Steering is told first: nobody is sent there for it any more."""
        await self.tell(edge, {"removed": [title]})
        url = self._config.edges[edge].url
        try:
            await asyncio.to_thread(_ask, "POST", f"{url}/-/purge?{urlencode({'url': url + quote(title)})}")
        except (OSError, ValueError) as error:
            self._troubles.say(f"empty {edge}", str(error), "it keeps the file until the next night")
            return 0
        self.held[edge].discard(title)
        self.write({"drop": title, "edge": edge})
        return 1

    def _ask_what_it_has(self, edge: str) -> set[str]:
        """What an edge has of the catalogue, by asking for what is stored alone (RFC 9111, section 5.2.1.7)."""
        found, url = set[str](), self._config.edges[edge].url
        try:
            stored = json.loads(_ask("GET", f"{url}/-/cache")).get("objects", 1)
        except (OSError, ValueError) as error:
            self._troubles.say(f"ask {edge} what it has", str(error), "it counts as empty")
            return found
        for title in self._config.sizes_bytes if stored else ():
            try:
                _ask("HEAD", url + quote(title), {"Cache-Control": "only-if-cached"})
            except (OSError, ValueError):
                continue
            found.add(title)
        return found

    async def tell(self, edge: str, part: dict[str, Any]) -> None:
        """Tell steering which files an edge has."""
        if not self._config.steering:
            return
        site = next(name for name, one in self._config.sites.items() if any(e.name == edge for e in one.edges))
        report = {"edge": edge, "site": site, "url": self._config.edges[edge].url, "at": time.time(), **part}
        cause = await asyncio.to_thread(send, self._config.steering, report)
        self._troubles.say(f"report to {self._config.steering}", cause, "it knows an older list of files")

    def write(self, record: dict[str, Any]) -> None:
        """A line of the log, now."""
        self._log.add({"ts_ns": time.time_ns(), **record})
        self._log.flush()


def _ask(method: str, url: str, fields: dict[str, str] | None = None) -> bytes:
    """The content of an answer. Raises OSError, with what was said when the status is an error."""
    request = urllib.request.Request(url, method=method, headers=fields or {}, data=b"" if method == "POST" else None)
    try:
        with direct().open(request, timeout=COPY_WITHIN_S) as answer:
            content: bytes = answer.read()
            return content
    except urllib.error.HTTPError as error:
        raise OSError(error.read(500).decode("utf-8", "replace").strip() or str(error)) from error
