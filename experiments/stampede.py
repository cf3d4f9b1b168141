"""How often is the source of truth asked when a thousand clients want one expired key, with and without collapse?"""

from __future__ import annotations

import statistics
import time
from typing import Any, ClassVar

from experiments.harness import caching
from experiments.harness.experiment import Arm, Row
from experiments.harness.stage import Stage
from topologies.emulator import setting

TTL_S = 1
GONE_S = 1.2
"""memcached counts whole seconds and drops a value no later than this."""


class Stampede(caching.CacheExperiment):
    """Clients in several processes of every zone read one key at the same moment, just after its copies have ended. With
    collapse one reader of each zone loads it and the others wait for that: within a process by a table, among processes by
    memcached's own lease. Without, every one of them asks the source of truth."""

    minutes = 1.5
    bears_ms = 100.0
    clients = setting.count("1000", "readers of the key, in all zones together", 1, 10_000)
    processes = setting.count("2", "processes of each zone that they are in", 1, 10)
    size = setting.size("1KiB", "size of the value")
    columns: ClassVar = {"loads": "reads that the source of truth answered", "median_ms": "median time of a read",
                         "slowest_ms": "time of the slowest read"}  # fmt: skip

    def question(self) -> str:
        return f"How often is the source of truth asked when {self.clients} clients want one expired key?"

    def labels(self) -> dict[str, dict[str, str]]:
        return {"misses": {"collapsed": "one loads, the others wait", "apart": "every one loads"}}

    def arms(self) -> list[Arm]:
        return [{"misses": "collapsed"}, {"misses": "apart"}]

    def start(self, stage: Stage) -> None:
        nodes = self.world.names("cache")
        for node in nodes:
            caching.memcached(stage, node)
        self.truth = caching.truth(stage, self.world.names("truth")[0])
        self.readers = [caching.CacheClient(stage, app) for app in self.world.names("app") for _ in range(self.processes)]
        for reader in self.readers:
            for arm in self.arms():
                reader.ask("open", arm["misses"], nodes=caching.node_list(stage, nodes), truth=self.truth,
                           settings=caching.settings(local_zone=caching.zone_of(reader.node), waiting=self.clients + 1024,
                                                     collapse=arm["misses"] == "collapsed", collapse_s=5.0))  # fmt: skip

    def prepare(self, stage: Stage, arm: Arm, trial: int) -> None:
        """Every zone has had the value, every reader has read it, and its time has run out."""
        key = f"trial-{trial}"
        self.readers[0].ask("put", arm["misses"], key=key, bytes=self.size, policy="all", ttl_s=TTL_S)
        for reader in self.readers:
            reader.ask("get", arm["misses"], key=key)
        time.sleep(TTL_S + GONE_S)

    def measure(self, stage: Stage, arm: Arm, trial: int) -> Row:
        before = self.loads(stage)
        whole, rest = divmod(self.clients, len(self.readers))
        told = [reader.tell("get", arm["misses"], key=f"trial-{trial}", at_once=whole + (number < rest))
                for number, reader in enumerate(self.readers)]  # fmt: skip
        calls = []
        for reader, number in zip(self.readers, told, strict=True):
            done = reader.result(number)
            if not done["ok"]:
                return {"ok": False, "error": done["error"]}
            calls += done["calls"]
        times = [call["ms"] for call in calls]
        row: Row = {"ok": True, "loads": self.loads(stage) - before, "median_ms": statistics.median(times),
                    "slowest_ms": max(times)}  # fmt: skip
        if {call["bytes"] for call in calls} != {self.size}:
            row["unexpected"] = "a reader did not get the value"
        return row

    def loads(self, stage: Stage) -> int:
        """What the source of truth has counted."""
        text = stage.control(self.world.names("truth")[0], "GET", f"{self.truth}/metrics").text
        return int(caching.metric(text, "longhaul_truth_loads_total"))

    def claims(self) -> list[dict[str, Any]]:
        """At most one load of a zone; without collapse one of each client."""
        zones = len(self.world.names("cache"))
        return [{"name": "loads, collapsed", "metric": "loads", "statistic": "max", "where": {"misses": "collapsed"},
                 "predicted": zones, "low": 1, "high": zones, "basis": "one lease in each zone", "tolerance": "none above"},
                {"name": "loads, apart", "metric": "loads", "statistic": "median", "where": {"misses": "apart"},
                 "predicted": self.clients, "low": 0.5 * self.clients, "high": self.clients, "basis": "every client misses",
                 "tolerance": "half: those that come after the first fill find it"}]  # fmt: skip

    def answer(self) -> dict[str, Any]:
        arms = {arm["misses"]: {"metric": "loads", "where": arm} for arm in self.arms()}
        return {"template": "The source of truth answers {collapsed} reads when misses are collapsed, and {apart} when not.",
                "values": arms}  # fmt: skip

    def figures(self) -> list[dict[str, Any]]:
        return [{"kind": "ecdf", "metric": "slowest_ms", "by": "misses", "title": "Time of the slowest read"}]
