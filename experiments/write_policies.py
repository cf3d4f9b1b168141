"""How long does a write take, when as many copies must have it as the policy says?"""

from __future__ import annotations

import statistics
from typing import Any, ClassVar

from experiments.harness import caching
from experiments.harness.experiment import Arm, Row, within
from experiments.harness.stage import Stage
from nodes.evcache.write_policy import POLICIES, needed
from topologies.emulator import setting

BASIS = "the later of the source of truth and of as many copies, nearest first, as the policy counts, each at its round trip"


LONG_MS = 20.0
"""No disk is slower than a copy that is so far away."""


class WritePolicies(caching.CacheExperiment):
    """An application writes new keys to the source of truth, which is in its region, and to three copies at the same time: in
    three zones of its region, and in one zone of each of three regions. A write returns when the source of truth has it on
    its disk and as many copies have it as the policy says."""

    topology_settings: ClassVar = {"regions": "Virginia,Dublin,Mumbai"}
    minutes = 3.0
    puts = setting.count("5", "writes of a trial, one after another; their median counts", 1, 1000)
    size = setting.size("1KiB", "size of the values")
    columns: ClassVar = {
        "write_ms": "time from the call of put until it returned, median of the trial's writes",
        "truth_ms": "time that the same row takes at the source of truth alone, from the same application, median",
        "beyond_ms": "write_ms less the later of truth_ms and of the round trips to as many copies as count",
    }

    def groups(self) -> dict[str, list[str]]:
        """The cache nodes of each way to keep copies: all zones of the first region, the first zone of each region."""
        caches = self.world.names("cache")
        home = caches[0].rpartition(".")[2]
        return {"zones": [one for one in caches if one.endswith(f".{home}")],
                "regions": [one for one in caches if one.startswith("cache1.az1.")]}  # fmt: skip

    def question(self) -> str:
        return "How long does a write take, when as many copies must have it as the policy says?"

    def labels(self) -> dict[str, dict[str, str]]:
        return {"copies": {copies: f"in {len(nodes)} {copies}" for copies, nodes in self.groups().items()}}

    def arms(self) -> list[Arm]:
        return [{"copies": copies, "policy": policy} for copies in self.groups() for policy in POLICIES]

    def start(self, stage: Stage) -> None:
        for node in self.world.names("cache"):
            caching.memcached(stage, node)
        truth = caching.truth(stage, self.world.names("truth")[0])
        self.client = caching.CacheClient(stage, self.world.names("app")[0])
        for copies, nodes in self.groups().items():
            self.client.ask("open", copies, nodes=caching.node_list(stage, nodes), truth=truth,
                            settings=caching.settings(namespace=copies, local_zone=caching.zone_of(nodes[0])))  # fmt: skip

    def prepare(self, stage: Stage, arm: Arm, trial: int) -> None:
        """All connections are open, and nothing of the trial before is under way."""
        self.client.ask("put", arm["copies"], key=f"warm-{trial}", policy="all")

    def measure(self, stage: Stage, arm: Arm, trial: int) -> Row:
        cache, writes, alone = arm["copies"], [], []
        for number in range(self.puts):  # one after the other, so that the disk is as fast for both
            key = f"trial-{trial}-{number}"
            writes += self.client.ask("put", cache, key=key, bytes=self.size, policy=arm["policy"])["calls"]
            alone += self.client.ask("rows", cache, key=f"alone-{key}", bytes=self.size)["calls"]
        stage.keep("writes", [{**arm, "truth_ms": row["ms"], **call} for call, row in zip(writes, alone, strict=True)])
        write_ms, truth_ms = (statistics.median(call["ms"] for call in calls) for calls in (writes, alone))
        row: Row = {"ok": True, "write_ms": write_ms, "truth_ms": truth_ms,
                    "beyond_ms": write_ms - max(truth_ms, self.predicted_ms(arm))}  # fmt: skip
        if any(call["copies"] < call["needed"] for call in writes):
            row["unexpected"] = "a write returned with fewer copies than its policy asks for"
        return row

    def predicted_ms(self, arm: Arm) -> float:
        """The order statistic of the round trips to the copies, or the one to the source of truth when that is later."""
        app, nodes = self.world.names("app")[0], self.groups()[arm["copies"]]
        ways = sorted(self.world.path(app, node)[0] for node in nodes)
        counted = needed(arm["policy"], len(ways))
        return max([self.world.path(app, self.world.names("truth")[0])[0], *ways[:counted]])

    def claims(self) -> list[dict[str, Any]]:
        """Each policy within 5 % + 1 ms of its round trips; where copies are near, the source of truth with its disk is the
        last to answer, and is measured alone."""
        found = []
        for arm in self.arms():
            name, ways_ms = f"write, {arm['copies']}, {arm['policy']}", self.predicted_ms(arm)
            if ways_ms > LONG_MS:
                found.append(within(name, "write_ms", arm, ways_ms, 0.05, 1.0, BASIS))
            else:
                one = within(f"{name}, beyond that", "beyond_ms", arm, 0.0, 0.0, 1.0 + 0.05 * ways_ms, BASIS)
                found.append({**one, "low": None})  # a disk that is faster for the write than alone is no finding
        return found

    def answer(self) -> dict[str, Any]:
        named = {"near": ("zones", "all"), "one": ("regions", "one"), "most": ("regions", "all-minus-1"),
                 "all": ("regions", "all")}  # fmt: skip
        return {"template": "With copies in three zones a write to all takes {near}; with copies in three regions it takes "
                            "{one} for one copy, {most} for all but one and {all} for all.",
                "values": {name: {"metric": "write_ms", "where": {"copies": copies, "policy": policy}}
                           for name, (copies, policy) in named.items()}}  # fmt: skip

    def figures(self) -> list[dict[str, Any]]:
        return [{"kind": "ecdf", "metric": "write_ms", "by": "policy", "panels": "copies", "title": "Time of a write"}]
