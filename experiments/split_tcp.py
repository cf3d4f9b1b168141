"""What does an edge on the way save, even when it has nothing cached? Split TCP: one long round trip instead of four."""

from __future__ import annotations

from typing import Any, ClassVar

from experiments.harness.experiment import Arm, Row, path_leg, predicted
from experiments.harness.stage import Stage
from experiments.harness.study import Study, expected
from nodes.origin.generate import sha256
from results.models.slow_start import Leg, through_cold_edge, window_after
from topologies.edge_on_path import EdgeOnPath
from topologies.emulator import setting
from units import show_bytes, show_ms


class SplitTcp(Study):
    """A client fetches a response of three windows on a new connection: straight from the origin, through an edge that lacks
    it and asks the origin over a warm connection that it keeps, and from the same edge when it has it."""

    claim = "Through an edge a response takes four short round trips and one long one; straight from the origin four long ones."
    paper = "split_tcp"
    topology = EdgeOnPath
    minutes, quick_minutes = 0.6, 0.3
    quick: ClassVar = {"repetitions": "2", "warmup": "0"}
    columns: ClassVar = {}
    repetitions = setting.count("5", "measured trials of each arm", 1, 10_000)
    warmup = setting.count("1", "trials of each arm before the measured ones, left out of the answer", 0, 100)
    size = setting.size("60KiB", "size of the response; three windows are 31 to 70 segments")
    warming = setting.size("400KiB", "size of the fetch that warms the edge's connection to the origin")
    think = setting.duration("0ms", "time the origin thinks before it answers")

    def question(self) -> str:
        near, far = (show_ms(self.world.path(*ends)[0]) for ends in (("client", "edge"), ("edge", "origin")))
        return f"How long do {show_bytes(self.size)} take over {near} + {far}, straight, split at an edge, and from its cache?"

    def captures(self) -> tuple[str, ...]:
        return ("client", "edge", "origin")

    def arms(self) -> list[Arm]:
        return [{"path": path} for path in ("direct", "split", "hit")]

    def start(self, stage: Stage) -> None:
        stage.lab.node("origin").tune({"net.ipv4.tcp_slow_start_after_idle": "0"}, {})
        stage.origin("origin", "--think", f"{self.think}ms")
        stage.edge("edge", "origin")
        stage.fetch("client", "http://edge/objects/1B/first")

    def prepare(self, stage: Stage, arm: Arm, trial: int) -> None:
        """Split: the edge's one connection to the origin has just carried the warming fetch. Hit: the edge has the response."""
        if arm["path"] == "split":
            stage.control("edge", "DELETE", "http://edge/-/connections")
            stage.control("edge", "GET", f"http://edge/objects/{self.warming}B/warming-{trial}")
        elif arm["path"] == "hit":
            stage.control("edge", "GET", f"http://edge/objects/{self.size}B/page")

    def measure(self, stage: Stage, arm: Arm, trial: int) -> Row:
        path, name = arm["path"], f"page-{trial}" if arm["path"] == "split" else "page"
        row = stage.fetch("client", f"http://{'origin' if path == 'direct' else 'edge'}/objects/{self.size}B/{name}",
                          sha256=sha256(name, self.size).hex())  # fmt: skip
        said, wanted = (row["headers"] or {}).get("cache-status", ""), {"direct": "", "split": "uri-miss", "hit": "; hit"}[path]
        return row | {"unexpected": "" if wanted in said else f"the edge said {said!r} where {wanted!r} was due"}

    def laws(self) -> list[dict[str, Any]]:
        near, (far_ms, rate_bps) = path_leg(self.world, "client", "edge"), self.world.path("edge", "origin")
        kept = Leg(far_ms, rate_bps, new_connection=False, window=window_after(self.warming))
        split = through_cold_edge(client=near, origin=kept, size_bytes=self.size, think_ms=self.think)
        times = {"direct": predicted(self.world, "client", "origin", self.size).total_ms + self.think, "split": split.total_ms,
                 "hit": predicted(self.world, "client", "edge", self.size).total_ms}  # fmt: skip
        return [expected(f"law, {path}", "total_ms", {"path": path}, ms, 0.95 * ms, 1.05 * ms,
                         "slow start, segment by segment, and serialisation", "5 %") for path, ms in times.items()]  # fmt: skip

    def answer(self) -> dict[str, Any]:
        return {"template": "Straight they take {direct}, split at the edge {split}, from its cache {hit}.",
                "values": {arm["path"]: {"metric": "total_ms", "where": arm} for arm in self.arms()}}  # fmt: skip
