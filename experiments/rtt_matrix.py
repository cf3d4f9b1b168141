"""Does a world of links have the round-trip times that were published for it, pair by pair?"""

from __future__ import annotations

from itertools import combinations
from statistics import median
from typing import Any, ClassVar

from experiments.harness.experiment import Arm, Row
from experiments.harness.pinging import rtts
from experiments.harness.stage import Stage
from experiments.harness.study import Study, expected
from topologies.emulator import places, setting
from topologies.open_connect import OpenConnect


class RttMatrix(Study):
    """Clients at places of the published tables ping each other, one pair after another, all in one topology."""

    claim = "Any pair of places has the median ping of the published table."
    source = "topologies/data/rtt_ms.csv: azure 2023, aws 2019, ibm 2024"
    topology = OpenConnect
    topology_settings: ClassVar = {"edges": "", "clients": "Virginia,Mumbai,Chennai,Sao Paulo,Tokyo,Frankfurt"}
    minutes, quick_minutes = 2.0, 0.7
    quick: ClassVar = {"repetitions": "1", "echoes": "10"}
    columns: ClassVar = {"rtt_ms": "median of the echoes, by ping", "lost": "echoes without an answer"}
    echoes = setting.count("20", "echoes of one trial", 1, 1000)

    def question(self) -> str:
        return f"Do the {len(self.arms())} pairs have the round-trip times that were published?"

    def pairs(self) -> dict[str, tuple[Any, Any]]:
        """The places' first clients, two by two, by the name of the pair."""
        first = {node.place.name: node for node in reversed(self.world.nodes_info) if node.role == "client" and node.place}
        return {f"{a} - {b}": (first[a], first[b]) for a, b in combinations(sorted(first), 2)}

    def arms(self) -> list[Arm]:
        return [{"pair": pair} for pair in self.pairs()]

    def measure(self, stage: Stage, arm: Arm, trial: int) -> Row:
        here, there = self.pairs()[arm["pair"]]
        echoes = stage.ping(here.name, there.name, seconds=self.echoes * 0.05, every_ms=50).results()
        stage.keep("ping", echoes)
        found = rtts(echoes)
        return {"ok": True, "rtt_ms": median(found), "lost": len(echoes) - len(found)}

    def laws(self) -> list[dict[str, Any]]:
        found = []
        for pair, (a, b) in self.pairs().items():
            known = places.rtt(a.place, b.place, self.world.network)
            margin = max(1.0, 0.01 * known.ms)
            why = f"the {self.world.network} table lacks this pair: it is estimated from the distance" if known.estimate else ""
            found.append(expected(pair, "rtt_ms", {"pair": pair}, known.ms, known.ms - margin, known.ms + margin,
                                  known.source, "1 ms or 1 %", incomparable=why))  # fmt: skip
        return found
