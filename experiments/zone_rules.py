"""What share of the traffic does each zone rule leave in a zone whose nodes die one by one?"""

from __future__ import annotations

from collections.abc import Callable
from math import sqrt
from typing import Any, ClassVar

from experiments.harness import balanced
from experiments.harness.experiment import Arm, Experiment, Row
from experiments.harness.generators import COLUMNS
from experiments.harness.stage import Stage
from topologies.emulator import setting
from topologies.open_connect import OpenConnect

REQUESTS, PER_SECOND = 300, 150
"""One request is over before the next is due, so that no rule sees a load."""


def locality(healthy: float) -> float:
    """Envoy's: a zone takes its healthy share times 1.4, at most all."""
    return min(1.0, 1.4 * healthy)


SHARES: dict[str, Callable[[float], float]] = {
    "nearest": lambda healthy: float(healthy > 0),
    "round-robin": lambda healthy: 0.5 * (healthy > 0),
    "weighted": lambda healthy: healthy / (healthy + 1),
    "zone-avoidance": lambda healthy: 0.5 * (healthy > 0),
    "locality": locality,
}
"""Of the nearer of two zones with as many nodes each, by the healthy part of its nodes; the other zone is well."""


class ZoneRules(Experiment):
    """Two zones of four nodes each, one nearer than the other. Nodes of the nearer one are killed before the load begins and
    the balancers have noticed; the shares are those that the rules' authors publish."""

    topology = OpenConnect
    topology_settings: ClassVar[dict[str, str]] = {"zones": "2", "edges_per_zone": "4", "balancers": "regional",
                                                    "zone_rtts": "1ms,2ms"}  # fmt: skip
    minutes, bears_ms = 2.0, 50.0
    repetitions = setting.count("1", "measured trials of each arm", 1, 100)
    most_repetitions = setting.count("4", "so many at most, where trials were disturbed", 0, 100)
    warmup = setting.count("0", "trials of each arm before the measured ones", 0, 100)
    rules = setting.words(",".join(SHARES), "the rules to compare")
    columns: ClassVar[dict[str, str]] = {**COLUMNS, "near_share": "share of the answers that the nearer zone gave"}

    def place(self) -> str:
        """Where the zones are, as in host names."""
        return balanced.place(self.world)

    def near(self) -> list[str]:
        """The nodes of the nearer zone."""
        zones = balanced.site(self.world, self.place()).values()
        return min(zones, key=lambda nodes: self.world.path(f"balancer.{self.place()}", nodes[0])[0])

    def question(self) -> str:
        return "What share of the traffic does each zone rule leave in a zone whose nodes die one by one?"

    def arms(self) -> list[Arm]:
        return [{"rule": rule, "dead": str(dead)} for rule in self.rules for dead in range(len(self.near()) + 1)]

    def start(self, stage: Stage) -> None:
        for nodes in balanced.site(self.world, self.place()).values():
            for node in nodes:
                stage.origin(node)
        self.balancers = balanced.by_rule(stage, self.place(), "--zone-rule", self.rules, "--check-interval", "200ms",
                                          "--check-timeout", "200ms", "--fall", "1", "--rise", "1", "--seed", "1")  # fmt: skip

    def prepare(self, stage: Stage, arm: Arm, trial: int) -> None:
        """So many nodes are dead, and all balancers know it."""
        client, dead = self.world.first("client").name, self.near()[: int(arm["dead"])]
        balanced.settled(stage, client, *self.balancers.values())
        for node in dead:
            stage.faults.kill(node)
        balanced.settled(stage, client, *self.balancers.values(), down=dead)

    def measure(self, stage: Stage, arm: Arm, trial: int) -> Row:
        client, balancer = self.world.first("client").name, self.balancers[arm["rule"]]
        load = stage.load({client: f"http://{balancer}/objects/1KiB/{{}}"}, "--arrivals", "fixed", "--rate", f"{PER_SECOND}/s",
                          "--requests", str(REQUESTS))  # fmt: skip
        stage.keep("requests", load.rows)
        answered = [row["node"] in self.near() for row in load.rows if not row["error"]]
        load.columns.pop("unexpected", None)  # a request that left late is one more that somebody was given
        return {**load.columns, "near_share": sum(answered) / len(answered) if answered else None}

    def claims(self) -> list[dict[str, Any]]:
        """Each share within four standard deviations of chance."""
        found = []
        for arm in self.arms():
            share = SHARES[arm["rule"]](1 - int(arm["dead"]) / len(self.near()))
            chance = 4 * sqrt(share * (1 - share) / REQUESTS)
            words = f"{arm['rule']}, {arm['dead']} dead"
            found += [
                {"name": f"share of the nearer zone, {words}", "metric": "near_share", "statistic": "mean", "where": arm,
                 "predicted": round(share, 4), "low": share - chance, "high": share + chance, "basis": "the rule as published",
                 "tolerance": "four standard deviations"},
                {"name": f"every request is answered, {words}", "metric": "failed", "statistic": "max", "where": arm,
                 "predicted": 0, "low": 0, "high": 0, "basis": "the balancers know who is dead", "tolerance": "exact"},
            ]  # fmt: skip
        return found

    def answer(self) -> dict[str, Any]:
        arms = {f"v{number}": arm for number, arm in enumerate(self.arms())}
        said = "; ".join(f"{arm['rule']} with {arm['dead']} dead {{{name}}}" for name, arm in arms.items())
        return {"template": f"The nearer zone keeps, of all traffic: {said}.",
                "values": {name: {"metric": "near_share", "where": arm, "statistic": "mean"}
                           for name, arm in arms.items()}}  # fmt: skip
