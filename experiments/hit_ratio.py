"""Which share of requests does a cache of LRU or FIFO answer? Che's and Gelenbe's formulas, through the running edge."""

from __future__ import annotations

from typing import Any, ClassVar

from experiments.harness.experiment import Arm, Row
from experiments.harness.stage import Stage
from experiments.harness.study import Study, expected
from results.models.hit_ratio import fifo_hit_ratio, lru_hit_ratio, zipf
from topologies.edge_on_path import EdgeOnPath
from topologies.emulator import setting

FORMULAS = {"lru": lru_hit_ratio, "fifo": fifo_hit_ratio}


class HitRatio(Study):
    """Clients ask an edge for objects of one size by Zipf's law. Every arm has an edge of its own, with room for so many; it is
    warmed up once, before its first trial, by five requests for each object."""

    claim = "LRU's hit ratio is Che's formula's and FIFO's is Gelenbe's, some four points lower."
    paper = "hit_ratio"
    topology = EdgeOnPath
    topology_settings: ClassVar = {"near": "0ms", "far": "0ms", "rate": "unlimited", "edges": "2"}
    minutes, quick_minutes = 4.5, 0.8
    quick: ClassVar = {"repetitions": "1", "objects": "1000", "caches": "100 0.8", "counted": "8000"}
    columns: ClassVar = {"hit_fraction": "requests that the edge answered from its cache, by its own counters"}
    caches = setting.words("1000 0.8", "objects that a cache holds, and Zipf's exponent of the requests")
    policies = setting.words("lru,fifo", "eviction policies")
    objects = setting.count("10000", "objects that there are", 10, 1_000_000)
    counted = setting.count("15000", "requests of a trial", 100, 1_000_000)

    def question(self) -> str:
        return "Which share of requests does a cache of LRU or FIFO answer?"

    def arms(self) -> list[Arm]:
        return [{"policy": p, "room": n, "alpha": alpha} for n, alpha in map(str.split, self.caches) for p in self.policies]

    def edge(self, arm: Arm) -> str:
        return [node.name for node in self.world.nodes_info if node.role == "edge"][self.arms().index(arm)]

    def start(self, stage: Stage) -> None:
        stage.origin("origin")
        first = self.edge(self.arms()[0])
        stage.daemon(first, "edge", "--listen", f"{stage.lab.address(first)}:8080", "--origin", "http://origin", "--cache",
                     str(stage.scratch / "probe"), "--capacity", "1GiB")  # fmt: skip
        stage.control("client", "GET", f"http://{first}:8080/objects/100B/{10 * self.objects}")
        room = stage.control("client", "GET", f"http://{first}:8080/-/cache").json()["used_bytes"]
        for arm in self.arms():
            stage.edge(self.edge(arm), "origin", "--policy", arm["policy"], capacity=f"{int(arm['room']) * room}B")
        self.warm = set[str]()

    def prepare(self, stage: Stage, arm: Arm, trial: int) -> None:
        if self.edge(arm) not in self.warm:
            self.ask(stage, arm, 5 * self.objects)
            self.warm.add(self.edge(arm))

    def measure(self, stage: Stage, arm: Arm, trial: int) -> Row:
        before = self.count(stage, arm)
        said = self.ask(stage, arm, self.counted)
        hits, misses = (now - then for now, then in zip(self.count(stage, arm), before, strict=True))
        return said | {"hit_fraction": hits / max(1, hits + misses)}

    def ask(self, stage: Stage, arm: Arm, requests: int) -> Row:
        """So many requests by the arm's law, of few clients: what is being fetched takes room that theory does not know of."""
        said = stage.load({"client": f"http://{self.edge(arm)}/objects/100B/{{}}"}, "--arrivals", "closed", "--clients", "3",
                          "--requests", f"{requests}", "--time", "10min", "--objects", f"{self.objects}", "--zipf",
                          arm["alpha"]).columns  # fmt: skip
        return {"ok": not said["failed"], "error": f"{said['failed']} requests failed: {said['errors']}"}

    def count(self, stage: Stage, arm: Arm) -> list[int]:
        return [stage.control("client", "GET", f"http://{self.edge(arm)}/-/cache").json()[name] for name in ("hits", "misses")]

    def laws(self) -> list[dict[str, Any]]:
        ratios = [FORMULAS[arm["policy"]](zipf(self.objects, float(arm["alpha"])), int(arm["room"])) for arm in self.arms()]
        apart = [0.01 + 2 * (ratio * (1 - ratio) / self.counted) ** 0.5 for ratio in ratios]
        return [expected(f"formula, {', '.join(arm.values())}", "hit_fraction", arm, ratio, ratio - by, ratio + by,
                         "Che 2002; Gelenbe 1973", "one point, and chance")
                for arm, ratio, by in zip(self.arms(), ratios, apart, strict=True)]  # fmt: skip
