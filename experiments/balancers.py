"""Which rule for picking a node is best when one node is at half speed and all together are 90 % busy?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from random import Random
from typing import Any, ClassVar

from experiments.harness import balanced
from experiments.harness.experiment import Arm, Experiment, Row
from experiments.harness.generators import COLUMNS
from experiments.harness.stage import Stage
from nodes.balancer.catalogue import node_rule, node_rule_names
from nodes.balancer.picks.machinery.node_state import NodeState
from nodes.balancer.picks.machinery.pick import Keyed
from topologies.emulator import setting
from topologies.open_connect import OpenConnect

BLIND = ("round-robin", "random", "rendezvous", "ketama", "maglev")
"""They give every node, or every key, its share whatever comes back."""
OBJECTS = 200
HEAD_BYTES = 450
"""Of an answer, with the headers of its packets, beside the content: measured on the wire."""
PACKET_BYTES = 66
"""Ethernet, IP and TCP with timestamps, of each packet of 1448 bytes of payload."""


class Balancers(Experiment):
    """Four nodes of one zone, each behind a link of its own, one of them with half the rate of the others; the load is 90 % of
    all four rates together. Rules that share alike give the slow node more than it can carry; rules that look at what is
    under way or at response times need not."""

    topology = OpenConnect
    topology_settings: ClassVar[dict[str, str]] = {
        "edges_per_zone": "4", "balancers": "regional", "rate": "1gbit",
        "changes": "router.az1.mumbai-edge1.az1.mumbai: rate 1mbit queue 4MiB | "
                   + " | ".join(f"router.az1.mumbai-edge{number}.az1.mumbai: rate 2mbit queue 4MiB" for number in (2, 3, 4)),
    }  # fmt: skip
    minutes, bears_ms = 5.0, 30.0
    repetitions = setting.count("2", "measured trials of each arm", 1, 100)
    most_repetitions = setting.count("6", "so many at most, where trials were disturbed", 0, 100)
    warmup = setting.count("0", "trials of each arm before the measured ones", 0, 100)
    size = setting.size("16KiB", "size of the objects")
    seconds = setting.count("8", "how long requests are due, in seconds", 2, 120)
    busy = setting.percentage("90%", "load, as a share of all rates together")
    rules = setting.words(",".join(node_rule_names()), "the rules to compare")
    columns: ClassVar[dict[str, str]] = {**COLUMNS, "slow_share": "share of the answers that the slow node gave",
                                         "one_node": "share of the objects that one node alone answered"}  # fmt: skip

    def nodes(self) -> list[str]:
        """All nodes, those with the least rate first."""
        edges = [name for some in balanced.site(self.world, balanced.place(self.world)).values() for name in some]
        return sorted(edges, key=self.rate_bps)

    def rate_bps(self, node: str) -> float:
        """Of the way from a node to the client."""
        return self.world.path(self.world.first("client").name, node)[1] or float("inf")

    def per_second(self) -> float:
        """Requests a second that make the load, by the bytes that an answer has on the wire."""
        packets = -(-(self.size + HEAD_BYTES) // 1448)
        wire_bits: float = 8 * (self.size + HEAD_BYTES + packets * PACKET_BYTES)
        load: float = self.busy * sum(map(self.rate_bps, self.nodes())) / wire_bits
        return load

    def question(self) -> str:
        return f"How long do the slowest answers take by each rule when one of {len(self.nodes())} nodes is at half speed?"

    def arms(self) -> list[Arm]:
        return [{"rule": rule} for rule in self.rules]

    def start(self, stage: Stage) -> None:
        """Origins stand on the edges' hosts: nothing is cached, every answer is generated there."""
        for node in self.nodes():
            stage.origin(node)
        self.balancers = balanced.by_rule(stage, balanced.place(self.world), "--node-rule", self.rules, "--outlier-failures",
                                          "1000", "--checks", "off", "--node-timeout", "60s", "--node-connect", "60s", "--seed",
                                          "1")  # fmt: skip

    def measure(self, stage: Stage, arm: Arm, trial: int) -> Row:
        client = self.world.first("client").name
        load = stage.load({client: f"http://{self.balancers[arm['rule']]}/objects/{self.size}B/{{}}"}, "--rate",
                          f"{self.per_second():.3f}/s", "--time", f"{self.seconds}s", "--objects", str(OBJECTS), "--zipf", "0",
                          "--connections", "800", "--timeout", "60s")  # fmt: skip
        stage.keep("requests", load.rows)
        answered = [row for row in load.rows if not row["error"]]
        slow = sum(row["node"] == self.nodes()[0] for row in answered)
        by_object: dict[str, set[str]] = {}
        for row in answered:
            by_object.setdefault(row["url"], set()).add(row["node"])
        one = sum(len(nodes) == 1 for nodes in by_object.values())
        return {**load.columns, "slow_share": slow / len(answered) if answered else None,
                "one_node": one / len(by_object) if by_object else None}  # fmt: skip

    def shares(self, rule: str) -> list[float]:
        """What part of the load each of `nodes` is given by a rule that looks at nothing: by the keys, or alike."""
        nodes = self.nodes()
        pick = node_rule(rule)([NodeState(name) for name in nodes], Random(1))
        if not isinstance(pick, Keyed):
            return [1 / len(nodes)] * len(nodes)
        keys = [f"/objects/{self.size}B/{number}" for number in range(1, OBJECTS + 1)]
        chosen = Counter(pick.pick(key, 0.0).name for key in keys)
        return [chosen[name] / OBJECTS for name in nodes]

    def claims(self) -> list[dict[str, Any]]:
        """A node that is given more than it can carry is behind by the difference, growing as long as the load lasts."""
        rates = [self.rate_bps(node) for node in self.nodes()]
        offered_bps = self.busy * sum(rates)

        def behind_ms(shares: Sequence[float]) -> float:
            late: list[float] = [self.seconds * 1e3 * (share * offered_bps / rate - 1)
                                 for share, rate in zip(shares, rates, strict=True)]  # fmt: skip
            return max(late)

        alike_ms, found = behind_ms([1 / len(rates)] * len(rates)), []
        for rule in self.rules:
            where, blind = {"rule": rule}, rule in BLIND
            shares = self.shares(rule) if blind else [rate / sum(rates) for rate in rates]
            late_ms = behind_ms(shares) if blind else 0.0
            keyed = issubclass(node_rule(rule), Keyed) and blind

            def claim(name: str, metric: str, statistic: str, predicted: float | None, low: float, high: float, basis: str,
                      rule: str = rule, where: Arm = where) -> dict[str, Any]:  # fmt: skip
                return {"name": f"{name}, {rule}", "metric": metric, "statistic": statistic, "where": where, "basis": basis,
                        "predicted": predicted, "low": low, "high": high, "tolerance": "from the prediction"}  # fmt: skip

            found += [
                claim("every request is answered", "failed", "max", 0, 0, 0, "nodes are slow, not dead"),
                claim("share of the slow node", "slow_share", "median", shares[0], 0.7 * shares[0], 1.3 * shares[0],
                      ("by the keys" if keyed else "alike") if blind else "by speed"),
                claim("99 of 100 answers", "p99_ms", "median", late_ms, 0.6 * late_ms, self.seconds * 1e3 + late_ms,
                      "how far the node that is given too much is behind at the end, first come first served; all that came "
                      "before may wait for it where answers share its link")
                if blind else claim("99 of 100 answers", "p99_ms", "median", None, 0.0, 0.4 * alike_ms,
                                    "two fifths of what sharing alike costs"),
            ]  # fmt: skip
            if keyed:
                found.append(claim("one node for each object", "one_node", "min", 1.0, 1.0, 1.0, "the key decides"))
        return found

    def figures(self) -> list[dict[str, Any]]:
        return [{"kind": "series", "name": "requests", "x": "due_ms", "y": "latency_ms", "by": "rule", "lines": "node",
                 "title": "How long each request took, by when it was due"}]  # fmt: skip

    def answer(self) -> dict[str, Any]:
        values = {f"r{n}": {"metric": "p99_ms", "where": {"rule": rule}} for n, rule in enumerate(self.rules)}
        said = ", ".join(f"{{r{n}}} by {rule}" for n, rule in enumerate(self.rules))
        return {"template": f"99 of 100 answers take at most {said}.", "values": values}
