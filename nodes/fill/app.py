"""Fill at work: at each opening of a site's window a night is planned, and its copies are made within the window.

    GET  /-/state   sites with their night, what they hold, and how the last night went
    POST /-/night   a night of all sites begins now, whatever the time is

It decides nothing: `nodes/steering/fill` does. Every plan and every copy has a line in the log.
"""

from __future__ import annotations

import asyncio
import json
import time
import urllib.error
import urllib.request
from collections.abc import Collection
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

from nodes.fill.config import Config
from nodes.fill.streamed import Streamed
from nodes.http.access_log import AccessLog
from nodes.http.message import Fields, HttpError, Request
from nodes.http.metrics import Metrics
from nodes.http.own_paths import demand
from nodes.http.reply import Reply
from nodes.steering.fill.errors import FillError
from nodes.steering.fill.night import ORIGIN, Job, Night, night
from nodes.steering.fill.pace import Pace
from nodes.steering.fill.popularity import Popularity
from nodes.steering.telling import Troubles, direct, send

ALLOWED = {"/-/state": "GET, HEAD", "/-/night": "POST"}
LOOKS_A_DAY = 2400
"""So often a window's opening is looked for, at least; and never less often than each second."""
COPY_WITHIN_S = 600.0
WAIT_EVERY_S = 0.02


class Filling:
    """Runs from `start` to `close`, inside one event loop."""

    def __init__(self, name: str, config: Config, log: AccessLog, metrics: Metrics) -> None:
        self.name, self._config, self._log, self._metrics = name, config, log, metrics
        self._streamed = Streamed({name: Path(edge.log) for name, edge in config.edges.items() if edge.log})
        self._popularity = {one.site.region: Popularity(config.half_life_days) for one in config.sites.values()}
        self.held: dict[str, set[str]] = {}
        self._nights: dict[str, int] = {}
        self._went: dict[str, dict[str, Any]] = {}
        self._troubles = Troubles()
        self._tasks: set[asyncio.Task[None]] = set()
        self.ready = asyncio.Event()
        """Whether it knows what every edge has."""

    def start(self) -> None:
        """Begin, inside a running loop."""
        self._start(self._run())

    async def _run(self) -> None:
        """Ask every edge what it has, and look at the time from then on."""
        for edge in self._config.edges:
            self.held[edge] = await asyncio.to_thread(self._has, edge)
            await self._tell(edge, {"files": sorted(self.held[edge])})
        self._nights = {name: self._config.windows[name].night(self._config.days, time.time()) for name in self._config.sites}
        self.ready.set()
        await self._look()

    async def close(self) -> None:
        """Nothing is begun any more; what an edge fetches now it goes on fetching."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._log.close()

    async def handle(self, request: Request, reply: Reply) -> None:
        """Its own paths. Raises HttpError."""
        if request.path not in ALLOWED:
            raise HttpError(404, f"nothing is here; there are {', '.join(ALLOWED)}, /healthz and /metrics")
        demand(request, ALLOWED)
        if request.path == "/-/night":
            await self.ready.wait()
            if self._busy():
                raise HttpError(409, "a night is under way; wait until GET /-/state says that none is")
            await self._night(list(self._config.sites))
        fields = Fields([("Content-Type", "application/json"), ("Cache-Control", "no-store")])
        await reply.full(200, fields, json.dumps(self.state()).encode() + b"\n")

    def state(self) -> dict[str, Any]:
        """How it stands."""
        now_s, days = time.time(), self._config.days
        sites = {
            name: {"open": self._config.windows[name].open(days, now_s), "night": self._nights.get(name),
                   "held": {edge.name: len(self.held.get(edge.name, ())) for edge in one.edges}, **self._went.get(name, {})}
            for name, one in self._config.sites.items()
        }  # fmt: skip
        return {"node": self.name, "busy": self._busy(), "sites": sites}

    def _busy(self) -> bool:
        return any(went["busy"] for went in self._went.values())

    async def _look(self) -> None:
        """At each site's opening, its night; sites that open together are planned together, so that they elect one master."""
        every_s = min(1.0, self._config.days.day_s / LOOKS_A_DAY)
        while True:
            now_s, opening = time.time(), []
            for name, window in self._config.windows.items():
                number = window.night(self._config.days, now_s)
                if number > self._nights[name] and not self._went.get(name, {}).get("busy"):
                    self._nights[name] = number
                    opening.append(name)
            if opening:
                await self._night(opening)
            await asyncio.sleep(every_s)

    async def _night(self, opening: Collection[str]) -> None:
        """Count what was streamed, plan, and begin to carry it out."""
        config = self._config
        self._count()
        popularity = {region: one.all() for region, one in self._popularity.items()}
        try:
            made = night(opening, config.sites, self.held, popularity, config.sizes_bytes, config.plays_per_replica)
        except FillError as error:
            self._troubles.say("plan the night", str(error), "the edges keep what they have")
            self._metrics.count("longhaul_fill_failed_total", what="plan")
            return
        self._troubles.say("plan the night", "", "")
        for site in opening:
            jobs, go, left_off = made.jobs[site], made.go[site], made.left_off[site]
            self._went[site] = {"busy": True, "planned": len(jobs), "copied": 0, "failed": 0, "late": 0, "gone": 0,
                                "left_off": len(left_off), "bytes": 0}  # fmt: skip
            self._write({"night_of": site, "night": self._nights.get(site), "come": len(jobs), "go": len(go),
                         "left_off": len(left_off)})  # fmt: skip
            self._start(self._carry_out(site, made))

    def _count(self) -> None:
        """What clients were sent since the last time is a day's plays, by region."""
        taken = self._streamed.take()
        for name, why in self._streamed.unread.items():
            self._troubles.say(f"read what {name} served", why, "its plays do not count")
        by_region: dict[str, dict[str, int]] = {region: {} for region in self._popularity}
        for one in self._config.sites.values():
            sums = by_region[one.site.region]
            for edge in one.edges:
                for title, size_bytes in taken.get(edge.name, {}).items():
                    if title in self._config.sizes_bytes:
                        sums[title] = sums.get(title, 0) + size_bytes
        for region, sums in by_region.items():
            self._popularity[region].day(sums, self._config.sizes_bytes)

    async def _carry_out(self, site: str, made: Night) -> None:
        """What goes, then what comes, in order, at the site's rate, until the window closes."""
        config, went = self._config, self._went[site]
        limits, began_s = config.sites[site].limits, time.time()
        pace = Pace(limits.rate_bps, began_s)
        ends_s = began_s + limits.window_s
        try:
            for name, title in made.go[site]:
                went["gone"] += await self._drop(site, name, title)
            for number, job in enumerate(made.jobs[site]):
                await asyncio.sleep(max(0.0, pace.due_s(time.time()) - time.time()))
                if job.waits:
                    await self._source_has(job, made, ends_s)
                if time.time() >= ends_s:
                    went["late"] = len(made.jobs[site]) - number
                    self._write({"night_of": site, "late": went["late"]})
                    break
                copied_s = time.time()
                copied = await self._copy(job)
                if copied is None:
                    went["failed"] += 1
                else:
                    pace.copied(copied, copied_s)
                    went["copied"] += 1
                    went["bytes"] += copied
        finally:
            went["busy"] = False

    async def _source_has(self, job: Job, made: Night, ends_s: float) -> None:
        """Wait until the elected one has the file, its night is over, or ours is."""
        master = next((name for name, jobs in made.jobs.items() if any(one.edge == job.source for one in jobs)), job.site)
        while job.title not in self.held[job.source] and time.time() < ends_s:
            if master != job.site and not self._went[master]["busy"]:
                return
            if master == job.site:
                return  # what this site itself was to get before was tried before
            await asyncio.sleep(WAIT_EVERY_S)

    async def _copy(self, job: Job) -> int | None:
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
        self._write({"fill": job.title, "site": job.site, "edge": job.edge, "source": job.source, "kind": job.kind,
                     "bytes": size_bytes, "duration_ms": took_ms, "error": cause})  # fmt: skip
        self._troubles.say(f"fill {job.edge}", cause, "it is planned again next night")
        if size_bytes is None:
            self._metrics.count("longhaul_fill_failed_total", what="copy")
            return None
        self.held[job.edge].add(job.title)
        if job.source != ORIGIN:
            self._streamed.not_played(job.source, job.title, size_bytes)
        self._metrics.count("longhaul_fill_copies_total", kind=job.kind)
        self._metrics.count("longhaul_fill_bytes_total", size_bytes, kind=job.kind)
        await self._tell(job.edge, {"added": [job.title]})
        return size_bytes

    async def _drop(self, site: str, edge: str, title: str) -> int:
        """Have an edge let go of a file; 1 when it did. Steering is told first: nobody is sent there for it any more."""
        await self._tell(edge, {"removed": [title]})
        url = self._config.edges[edge].url
        try:
            await asyncio.to_thread(_ask, "POST", f"{url}/-/purge?{urlencode({'url': url + quote(title)})}")
        except (OSError, ValueError) as error:
            self._troubles.say(f"empty {edge}", str(error), "it keeps the file until the next night")
            return 0
        self.held[edge].discard(title)
        self._write({"drop": title, "site": site, "edge": edge})
        return 1

    def _has(self, edge: str) -> set[str]:
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

    async def _tell(self, edge: str, part: dict[str, Any]) -> None:
        """Tell steering which files an edge has."""
        if not self._config.steering:
            return
        site = next(name for name, one in self._config.sites.items() if any(e.name == edge for e in one.edges))
        report = {"edge": edge, "site": site, "url": self._config.edges[edge].url, "at": time.time(), **part}
        cause = await asyncio.to_thread(send, self._config.steering, report)
        self._troubles.say(f"report to {self._config.steering}", cause, "it knows an older list of files")

    def _write(self, record: dict[str, Any]) -> None:
        self._log.add({"ts_ns": time.time_ns(), **record})
        self._log.flush()

    def _start(self, work: Any) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _ask(method: str, url: str, fields: dict[str, str] | None = None) -> bytes:
    """The content of an answer. Raises OSError, with what was said when the status is an error."""
    request = urllib.request.Request(url, method=method, headers=fields or {}, data=b"" if method == "POST" else None)
    try:
        with direct().open(request, timeout=COPY_WITHIN_S) as answer:
            content: bytes = answer.read()
            return content
    except urllib.error.HTTPError as error:
        raise OSError(error.read(500).decode("utf-8", "replace").strip() or str(error)) from error
