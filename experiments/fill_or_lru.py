"""Fill an edge each night, or let it keep what is asked for: which has more hits, and what does each cost the disk?"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator, Mapping
from http.client import HTTPConnection, HTTPException
from typing import Any, ClassVar

from experiments.harness.experiment import Arm, Experiment, Row
from experiments.harness.stage import Daemon, Stage, StageError
from nodes.edge.simulator.drifting import drifting
from nodes.edge.simulator.requests import Chunk
from nodes.edge.simulator.simulation import simulate
from nodes.steering.fill.plan import Limits
from nodes.steering.fill.replay import replay
from topologies.emulator import setting
from topologies.emulator.links.netns import entered
from topologies.open_connect import OpenConnect

CLIENT, ORIGIN = "client1.mumbai", "origin1.az1.virginia"
EDGES = {"lru": "edge1.az1.mumbai", "fill": "edge2.az1.mumbai"}
OBJECT_BYTES, FILE_BYTES, SPARE_BYTES = 1024, 1792, 256
"""Of an object, of its file in an edge's cache, and what an edge needs beside full files to write one more."""
DISK = 0.03
HALF_LIFE_DAYS = 2.0
LOG_LATE_S = 0.3
PORT = 8090
NIGHT_WITHIN_S = 60.0


class FillOrLru(Experiment):
    """A client asks an edge, day after day, by Zipf's law with exponent 1.1, and each day some titles become hits in the place
    of others. The disk holds 3 % of the catalogue. One edge stores what is asked for and evicts what was used longest ago; the
    other stores nothing on demand, and each night `longhaul node fill` plans by the popularity of the days before and has it
    fetch what is to come. The same requests run through a model of each; the origin is near, because hits are the question and
    not time."""

    topology = OpenConnect
    topology_settings: ClassVar[Mapping[str, str]] = {
        "edges": "Mumbai", "clients": "Mumbai", "edges_per_zone": "2", "rtt": "Virginia/Mumbai=1ms", "rate": "1gbit",
    }  # fmt: skip
    minutes, bears_ms = 5, 50.0  # a hit is a hit some milliseconds later too
    repetitions = setting.count("2", "measured trials of each arm", 1, 100)
    warmup = setting.count("0", "trials of each arm before the measured ones", 0, 10)
    titles = setting.count("20000", "titles in the catalogue", 100, 200_000)
    plays = setting.count("10000", "requests a day", 100, 1_000_000)
    days = setting.count("4", "days; the first half fills the cache and is not counted", 2, 100)
    rising = setting.count("20", "titles that become hits each day", 0, 10_000)
    columns: ClassVar[Mapping[str, str]] = {
        "hit_fraction": "of the requests of the counted days, those that the edge answered from its disk",
        "written_per_day": "files that the edge wrote to its disk, a counted day",
    }

    def question(self) -> str:
        return "Fill each night, or LRU on demand: which has more hits, and how much does each write to the disk?"

    def labels(self) -> dict[str, dict[str, str]]:
        return {"by": {"lru": "LRU on demand", "fill": "nightly fill"}}

    def arms(self) -> list[Arm]:
        return [{"by": "lru"}, {"by": "fill"}]

    @property
    def slots(self) -> int:
        """How many titles the disk holds."""
        return int(self.titles * DISK)

    def requests(self) -> Iterator[list[int]]:
        """The titles asked for on each day, in order; every trial has the same."""
        return drifting(self.titles, self.plays, self.days, self.rising)

    def start(self, stage: Stage) -> None:
        stage.origin(ORIGIN)
        capacity = f"{self.slots * FILE_BYTES + SPARE_BYTES}B"
        for by, edge in EDGES.items():
            log = stage.scratch / f"{edge}.jsonl"  # of a hundred thousand requests: no result
            stage.edge(edge, ORIGIN, "--admission", "always" if by == "lru" else "never", "--log", str(log), capacity=capacity)
        self.fill: Daemon | None = None

    def prepare(self, stage: Stage, arm: Arm, trial: int) -> None:
        """An empty edge, titles that were never asked for, and a fill that knows nothing."""
        edge = EDGES[arm["by"]]
        stage.control(edge, "DELETE", f"http://{edge}/-/cache")
        if self.fill is not None:
            stage.daemons.remove(self.fill)
            self.fill.stop()
            self.fill = None
        if arm["by"] == "fill":
            config = stage.scratch / f"fill-{trial}.toml"
            config.write_text(self.config(stage, edge, trial), encoding="utf-8")
            self.fill = stage.daemon(ORIGIN, "fill", "--config", str(config), "--listen", f"{stage.lab.address(ORIGIN)}:{PORT}")

    def measure(self, stage: Stage, arm: Arm, trial: int) -> Row:
        """Day after day, with a night after each where the edge is filled."""
        edge, counted_from = EDGES[arm["by"]], self.days // 2
        hits, written = 0, 0.0
        for day, titles in enumerate(self.requests()):
            if day == counted_from:
                written = self.written(stage, edge)
            found = self.play(stage, edge, [self.path(trial, title) for title in titles])
            hits += found if day >= counted_from else 0
            if arm["by"] == "fill" and day < self.days - 1:
                self.night(stage)
        counted = self.days - counted_from
        row: Row = {"ok": True, "hit_fraction": round(hits / counted / self.plays, 5),
                    "written_per_day": (self.written(stage, edge) - written) / counted}  # fmt: skip
        held = stage.control(edge, "GET", f"http://{edge}/-/cache").json()["objects"]
        if abs(held - self.slots) > 1 + 0.01 * self.slots:
            row["unexpected"] = f"{edge} holds {held} titles where its disk is for {self.slots}"
        return row

    def play(self, stage: Stage, edge: str, paths: list[str]) -> int:
        """Ask for one after another on one connection; how many were hits. Raises StageError."""
        with entered(stage.lab.node(CLIENT).pid):
            connection = HTTPConnection(stage.lab.address(edge), 80, timeout=10)
            try:
                connection.connect()
            except OSError as error:
                raise StageError(f"could not ask {edge}: {error}") from error
        hits = 0
        try:
            for path in paths:
                connection.request("GET", path)
                answer = connection.getresponse()
                body = answer.read()
                if answer.status != 200 or len(body) != OBJECT_BYTES:
                    raise StageError(f"could not ask {edge} for {path}: it said {answer.status} with {len(body)} bytes")
                hits += "; hit" in (answer.getheader("cache-status") or "")
        except (OSError, HTTPException) as error:
            raise StageError(f"could not ask {edge} for {path}: {error!r}") from error
        finally:
            connection.close()
        return hits

    def night(self, stage: Stage) -> None:
        """Let the night begin and be over. Raises StageError."""
        time.sleep(LOG_LATE_S)
        url = f"http://{ORIGIN}:{PORT}/-/"
        stage.control(ORIGIN, "POST", f"{url}night")
        ends = time.monotonic() + NIGHT_WITHIN_S
        while (state := stage.control(ORIGIN, "GET", f"{url}state").json())["busy"]:
            if time.monotonic() > ends:
                raise StageError(f"could not fill within {NIGHT_WITHIN_S:g} s: {json.dumps(state['sites'])}")
            time.sleep(0.05)
        if failed := state["sites"]["mumbai"]["failed"]:
            raise StageError(f"could not fill: {failed} copies failed; read the log of {ORIGIN}")

    def written(self, stage: Stage, edge: str) -> float:
        """How many files the edge has written since it started."""
        text = stage.control(edge, "GET", f"http://{edge}/-/metrics").text
        found = re.search(r"^longhaul_cache_stored_total\{[^}]*\} (\S+)$", text, re.M)
        return float(found[1]) if found else 0.0

    def path(self, trial: int, title: int) -> str:
        """Each trial has titles of its own, so that none knows those of another."""
        return f"/objects/{OBJECT_BYTES}B/t{trial}-{title}"

    def config(self, stage: Stage, edge: str, trial: int) -> str:
        """What fill is told."""
        files = "\n".join(f'"{self.path(trial, title)}" = {OBJECT_BYTES}' for title in range(self.titles))
        return f"""\
origin = "http://{stage.lab.address(ORIGIN)}"
half_life_days = {HALF_LIFE_DAYS}
[[site]]
name = "mumbai"
region = "india"
utc_offset = "+05:30"
rate = "100mbit"
[[site.edge]]
name = "{edge}"
url = "http://{stage.lab.address(edge)}"
disk = "{self.slots * OBJECT_BYTES}B"
log = "{stage.scratch / f'{edge}.jsonl'}"
[files]
{files}
"""

    def model(self) -> dict[str, tuple[float, float]]:
        """(fraction of hits, files written a counted day) of each arm, by the same rules without any edge."""
        days, counted_from = list(self.requests()), self.days // 2
        every = [title for day in days for title in day]
        lru = simulate([Chunk(every, [1] * len(every))], "lru", self.slots, warm_up=counted_from * self.plays).tally
        sizes = {str(title): OBJECT_BYTES for title in range(self.titles)}
        limits = Limits(self.slots * OBJECT_BYTES, 8.0 * OBJECT_BYTES * self.titles, 1.0)
        fill = replay([list(map(str, day)) for day in days], sizes, limits, HALF_LIFE_DAYS, counted_from)
        counted = self.days - counted_from
        return {"lru": (lru.hits / lru.requests, (lru.requests - lru.hits) / counted),
                "fill": (fill.hits / fill.requests, fill.written / counted)}  # fmt: skip

    def claims(self) -> list[dict[str, Any]]:
        """Hits within a hundredth of the model, writes within a tenth; fill has more hits and writes a tenth at most."""
        found: list[dict[str, Any]] = []
        for by, (hits, written) in self.model().items():
            basis = "the same requests through the same rules, without an edge"
            where = {"by": by}
            found.append({"name": f"hits, {by}", "metric": "hit_fraction", "statistic": "median", "where": where,
                          "predicted": round(hits, 4), "low": round(hits - 0.01, 4), "high": round(hits + 0.01, 4),
                          "basis": basis, "tolerance": "0.01"})  # fmt: skip
            found.append({"name": f"files written a day, {by}", "metric": "written_per_day", "statistic": "median",
                          "where": where, "predicted": round(written, 1), "low": round(0.9 * written - 1, 1),
                          "high": round(1.1 * written + 1, 1), "basis": basis, "tolerance": "10 % + 1"})  # fmt: skip
        for name, metric, low, high in (("more hits by fill", "hit_fraction", 1.0, None),
                                        ("fewer writes by fill", "written_per_day", None, 0.1)):  # fmt: skip
            found.append({"name": name, "metric": metric, "statistic": "median", "where": {"by": "fill"}, "over": {"by": "lru"},
                          "low": low, "high": high, "basis": "reported of Open Connect: about 69 % by LRU, 70 to 75 % by fill, "
                          "writes three orders of magnitude apart"})  # fmt: skip
        return found

    def answer(self) -> dict[str, Any]:
        values: dict[str, Any] = {f"{metric}_{by}": {"metric": f"{metric}", "where": {"by": by}}
                                  for by in EDGES for metric in self.columns}  # fmt: skip
        return {"template": "LRU on demand answers {hit_fraction_lru} of the requests from a disk for 3 % of the catalogue and "
                            "writes {written_per_day_lru} files a day; nightly fill answers {hit_fraction_fill} and writes "
                            "{written_per_day_fill}.", "values": values}  # fmt: skip
