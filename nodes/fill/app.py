"""Fill at work: at each opening of a site's window a night is planned, and its copies are made within the window.

    GET  /-/state   sites with their night, what they hold, and how the last night went
    POST /-/night   a night of all sites begins now, whatever the time is

It decides nothing: `nodes/steering/fill` does. Every plan and every copy has a line in the log.
"""

from __future__ import annotations

import asyncio
import json
import math
import time
from collections.abc import Collection, Coroutine
from typing import Any

from nodes.fill.config import Config
from nodes.fill.edges import Edges
from nodes.fill.families import COUNTERS, OTHERS
from nodes.http.access_log import AccessLog
from nodes.http.message import Fields, HttpError, Request
from nodes.http.metrics import Metrics
from nodes.http.own_paths import demand
from nodes.http.reply import Reply
from nodes.steering.fill.errors import FillError
from nodes.steering.fill.night import Job, Night, night
from nodes.steering.fill.pace import Pace
from nodes.steering.fill.popularity import Popularity
from nodes.steering.telling import Troubles

ALLOWED = {"/-/state": "GET, HEAD", "/-/night": "POST"}
LOOKS_A_DAY = 2400
"""So often a window's opening is looked for, at least; and never less often than each second."""
WAIT_EVERY_S = 0.02


class Filling:
    """Runs from `start` to `close`, inside one event loop."""

    def __init__(self, name: str, config: Config, log: AccessLog, metrics: Metrics) -> None:
        self.name, self._config, self._log, self._metrics = name, config, log, metrics
        self._popularity = {one.site.region: Popularity(config.half_life_days) for one in config.sites.values()}
        self._plays: dict[str, dict[str, int]] = {region: {} for region in self._popularity}
        self._counted: dict[str, float] = {}
        """When the last day of a region was counted."""
        self._nights: dict[str, int] = {}
        self._went: dict[str, dict[str, Any]] = {}
        metrics.declare(COUNTERS, OTHERS)
        self._troubles = Troubles()
        self.edges = Edges(config, log, metrics, self._troubles)
        self._tasks: set[asyncio.Task[None]] = set()
        self.ready = asyncio.Event()
        """Whether it knows what every edge has."""

    def start(self) -> None:
        """Begin, inside a running loop."""
        self._start(self._run())

    async def _run(self) -> None:
        """Ask every edge what it has, and look at the time from then on."""
        await self.edges.look()
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
            self._counted.clear()
            await self._night(list(self._config.sites))
        fields = Fields([("Content-Type", "application/json"), ("Cache-Control", "no-store")])
        await reply.full(200, fields, json.dumps(self.state()).encode() + b"\n")

    def state(self) -> dict[str, Any]:
        """How it stands."""
        now_s, days = time.time(), self._config.days
        sites = {
            name: {"open": self._config.windows[name].open(days, now_s), "night": self._nights.get(name),
                   "held": {edge.name: len(self.edges.held.get(edge.name, ())) for edge in one.edges},
                   **self._went.get(name, {})}
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
        self._count({config.sites[name].site.region for name in opening}, time.time())
        popularity = {region: one.all() for region, one in self._popularity.items()}
        try:
            made = night(opening, config.sites, self.edges.held, popularity, config.sizes_bytes, config.plays_per_replica)
        except FillError as error:
            self._troubles.say("plan the night", str(error), "the edges keep what they have")
            self._metrics.count("longhaul_fill_failed_total", what="plan")
            return
        self._troubles.say("plan the night", "", "")
        for site in opening:
            jobs, go, left_off = made.jobs[site], made.go[site], made.left_off[site]
            self._went[site] = {"busy": True, "planned": len(jobs), "copied": 0, "failed": 0, "late": 0, "gone": 0,
                                "left_off": len(left_off), "bytes": 0}  # fmt: skip
            self.edges.write({"night_of": site, "night": self._nights.get(site), "come": len(jobs), "go": len(go),
                              "left_off": len(left_off)})  # fmt: skip
            self._start(self._carry_out(site, made))

    def _count(self, regions: Collection[str], now_s: float) -> None:
        """What clients of these regions were sent since the last time is a day's plays, unless that was not half a day ago: a
        region whose sites open one after the other has one day, not several short ones."""
        taken = self.edges.streamed.take()
        for name, why in self.edges.streamed.unread.items():
            self._troubles.say(f"read what {name} served", why, "its plays do not count")
        for one in self._config.sites.values():
            sums = self._plays[one.site.region]
            for edge in one.edges:
                for title, size_bytes in taken.get(edge.name, {}).items():
                    if title in self._config.sizes_bytes:
                        sums[title] = sums.get(title, 0) + size_bytes
        for region in regions:
            if now_s - self._counted.get(region, -math.inf) > self._config.days.day_s / 2:
                self._popularity[region].day(self._plays[region], self._config.sizes_bytes)
                self._plays[region], self._counted[region] = {}, now_s

    async def _carry_out(self, site: str, made: Night) -> None:
        """What goes, then what comes, in order, at the site's rate, until the window closes."""
        config, went = self._config, self._went[site]
        limits, began_s = config.sites[site].limits, time.time()
        pace = Pace(limits.rate_bps, began_s)
        ends_s = began_s + limits.window_s
        try:
            for name, title in made.go[site]:
                went["gone"] += await self.edges.drop(name, title)
            for number, job in enumerate(made.jobs[site]):
                await asyncio.sleep(max(0.0, pace.due_s(time.time()) - time.time()))
                if job.waits:
                    await self._source_has(job, made, ends_s)
                if time.time() >= ends_s:
                    went["late"] = len(made.jobs[site]) - number
                    self.edges.write({"night_of": site, "late": went["late"]})
                    break
                copied_s = time.time()
                copied = await self.edges.copy(job)
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
        while job.title not in self.edges.held[job.source] and time.time() < ends_s:
            if master != job.site and not self._went[master]["busy"]:
                return
            if master == job.site:
                return  # what this site itself was to get before was tried before
            await asyncio.sleep(WAIT_EVERY_S)

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
