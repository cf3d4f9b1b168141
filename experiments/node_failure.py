"""A node dies, or hangs, under load: how long until nobody is sent there any more, and does anybody fail?"""

from __future__ import annotations

from typing import Any, ClassVar

from experiments.harness import balanced, disturbed, under_fault
from experiments.harness.experiment import Arm, Row
from experiments.harness.generators import COLUMNS
from experiments.harness.stage import Stage
from experiments.harness.under_fault import CHECK_S, EJECT_AFTER, EJECTED_S, RISE
from topologies.emulator import setting

FAULT_S, WELL_S, TIME_S = 3.0, 7.0, 11.0
MARGIN_MS = 150.0
"""What scheduling on two processors may add to a moment."""


class NodeFailure(under_fault.UnderFault):
    """A balancer shares a steady load among the edges of a zone, one after the other. One edge is killed, so that it refuses
    connections at once, or stopped, so that it takes them and never answers; later it is back."""

    path, fall = "/objects/16KiB/title", 3
    topology_settings: ClassVar[dict[str, str]] = {"edges_per_zone": "4", "balancers": "regional"}
    repetitions = setting.count("2", "measured trials of each arm", 1, 100)
    most_repetitions = setting.count("5", "so many at most, where trials were disturbed", 0, 100)
    columns: ClassVar[dict[str, str]] = {
        **COLUMNS,
        "moved_ms": "from the fault until the last request due that it reached: failed, or sent to another node",
        "back_ms": "from the end of the fault until the first request due that the node answered",
        "reached": "requests that the fault reached",
    }

    def question(self) -> str:
        return "What does a client notice when one of the edges behind a balancer dies or hangs, and for how long?"

    def labels(self) -> dict[str, dict[str, str]]:
        return {"fault": {"kill": "the node is killed", "pause": "the node hangs"}}

    def arms(self) -> list[Arm]:
        return [{"fault": "kill"}, {"fault": "pause"}]

    def start(self, stage: Stage) -> None:
        self.feed(stage)
        self.balancer = balanced.regional(stage, self.place(), *self.watching())

    def prepare(self, stage: Stage, arm: Arm, trial: int) -> None:
        self.make_ready(stage, self.balancer)

    def measure(self, stage: Stage, arm: Arm, trial: int) -> Row:
        """The second edge fails."""
        failing = self.edges()[1]
        load = self.load(stage, self.balancer, TIME_S, f"from {FAULT_S}s to {WELL_S}s {arm['fault']} {failing}")
        return {**load.columns, "moved_ms": disturbed.moved_ms(load.rows, FAULT_S * 1e3),
                "back_ms": disturbed.back_ms(load.rows, WELL_S * 1e3, [failing]),
                "reached": len(disturbed.touched(load.rows))}  # fmt: skip

    def claims(self) -> list[dict[str, Any]]:
        """EJECT_AFTER failures in a row eject, and failures come one for each turn of the node, at once or after
        the balancer's patience; checks alone would take `fall` intervals and one timeout."""
        turn_ms = 1e3 * len(self.edges()) / self.rate
        by_checks = (self.fall + 1) * CHECK_S * 1e3
        base_ms = self.world.path(self.world.first("client").name, f"balancer.{self.place()}")[0]
        found = []
        for fault, each_ms in (("kill", 0.0), ("pause", self.patience)):
            moved_ms = min(by_checks, each_ms + EJECT_AFTER * turn_ms)
            found += [
                _claim("no request fails", "failed", "max", fault, 0, 0, 0, "safe requests are sent once more, elsewhere"),
                _claim("nobody is sent there after", "moved_ms", "max", fault, moved_ms, 0.0, moved_ms + MARGIN_MS,
                       f"{EJECT_AFTER} failures in a row eject; one each {turn_ms:g} ms"),
                _claim("the longest wait", "max_ms", "max", fault, base_ms + each_ms, base_ms + each_ms * 0.95,
                       2 * base_ms + each_ms + MARGIN_MS, "the path's round trip and the balancer's patience"),
                _claim("back", "back_ms", "max", fault, RISE * CHECK_S * 1e3, 0.0,
                       max((RISE + 1) * CHECK_S * 1e3, EJECTED_S * 1e3) + turn_ms + 2 * MARGIN_MS,
                       f"{RISE} good checks bring it back, and the end of its ejection"),
            ]  # fmt: skip
        return found

    def answer(self) -> dict[str, Any]:
        values = {f"{metric}_{fault}": {"metric": metric, "where": {"fault": fault}, "statistic": "max"}
                  for fault in ("kill", "pause") for metric in ("moved_ms", "max_ms", "reached")}  # fmt: skip
        return {"template": "A killed node costs nobody an answer: {reached_kill} requests were sent again, all due within "
                            "{moved_ms_kill}, the longest took {max_ms_kill}. A node that hangs is noticed after "
                            "{moved_ms_pause}; {reached_pause} requests waited, the longest {max_ms_pause}.",
                "values": values}  # fmt: skip


def _claim(name: str, metric: str, statistic: str, fault: str, predicted: float, low: float, high: float,
           basis: str) -> dict[str, Any]:  # fmt: skip
    return {"name": f"{name}, {fault}", "metric": metric, "statistic": statistic, "where": {"fault": fault},
            "predicted": predicted, "low": low, "high": high, "basis": basis, "tolerance": "from the prediction"}  # fmt: skip
