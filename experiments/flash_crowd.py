"""A crowd asks for one new title at the same moment: how many of them does the origin see?"""

from __future__ import annotations

import json
import time
from typing import Any, ClassVar

from experiments.harness import balanced
from experiments.harness.experiment import Arm, Experiment, Row
from experiments.harness.generators import COLUMNS
from experiments.harness.stage import Stage, StageError
from topologies.emulator import setting
from topologies.open_connect import OpenConnect
from units import show_bytes

LOG_WITHIN_S = 3.0


class FlashCrowd(Experiment):
    """Two edge sites, each with zones, edges and a balancer that sends a title always to the same edge of its nearest zone.
    Clients near both sites ask for one title that no edge has, all at once, each on a connection of its own. A title that may
    not be stored shows what the same crowd costs without a cache."""

    topology = OpenConnect
    topology_settings: ClassVar[dict[str, str]] = {"edges": "Mumbai,Frankfurt", "clients": "Chennai,Paris", "zones": "2",
                                                    "edges_per_zone": "2", "clients_per_place": "2",
                                                    "balancers": "regional"}  # fmt: skip
    minutes, bears_ms = 1.0, 50.0
    repetitions = setting.count("5", "measured trials of each arm", 1, 100)
    most_repetitions = setting.count("8", "so many at most, where trials were disturbed", 0, 100)
    crowd = setting.count("200", "clients, all sites together", 4, 3000)
    size = setting.size("16KiB", "size of the title")
    columns: ClassVar[dict[str, str]] = {**COLUMNS, "origin_fetches": "requests that the origin answered",
                                         "sites_served": "sites that gave answers",
                                         "collapsed": "answers that an edge gave from another client's fetch"}  # fmt: skip

    def question(self) -> str:
        return f"When {self.crowd} clients ask for one new title at once, how often is the origin asked?"

    def labels(self) -> dict[str, dict[str, str]]:
        return {"title": {"new": "may be stored", "unstorable": "may not be stored"}}

    def arms(self) -> list[Arm]:
        return [{"title": "new"}, {"title": "unstorable"}]

    def sites(self) -> list[str]:
        """Places with edges, as in host names."""
        return list(dict.fromkeys(node.name.rpartition(".")[2] for node in self.world.nodes_info if node.role == "edge"))

    def clients(self) -> list[str]:
        """All hosts that send."""
        return [node.name for node in self.world.nodes_info if node.role == "client"]

    def start(self, stage: Stage) -> None:
        self.origin = self.world.first("origin").name
        stage.origin(self.origin)
        for place in self.sites():
            for edges in balanced.site(self.world, place).values():
                for edge in edges:
                    stage.edge(edge, self.origin)
            balanced.regional(stage, place, "--zone-rule", "nearest", "--node-rule", "rendezvous")

    def prepare(self, stage: Stage, arm: Arm, trial: int) -> None:
        """All balancers take all edges for well."""
        balanced.settled(stage, self.clients()[0], *(f"balancer.{place}" for place in self.sites()))

    def measure(self, stage: Stage, arm: Arm, trial: int) -> Row:
        each = self.crowd // len(self.clients())
        path = f"/objects/{self.size}B/title-{trial}" + ("?cache-control=no-store" if arm["title"] == "unstorable" else "")
        nearest = {client: min((f"balancer.{place}" for place in self.sites()), key=lambda one: self.world.path(client, one)[0])
                   for client in self.clients()}  # fmt: skip
        load = stage.load({client: f"http://{balancer}{path}" for client, balancer in nearest.items()}, "--arrivals", "burst",
                          "--requests", str(each), "--connection", "new", "--timeout", "30s")  # fmt: skip
        stage.keep("requests", load.rows)
        answered = [row for row in load.rows if not row["error"]]
        return {**load.columns, "origin_fetches": self._fetches(stage, f"title-{trial}"),
                "sites_served": len({row["node"].rpartition(".")[2] for row in answered}),
                "collapsed": sum("collapsed" in row["cache_status"] for row in answered)}  # fmt: skip

    def _fetches(self, stage: Stage, title: str) -> int:
        """How many requests for a title stand in the origin's access log once it is written, at most 0.2 s late."""
        time.sleep(0.5)
        log = stage.logs / f"{self.origin}.jsonl"
        if not log.exists():
            raise StageError(f"could not count the fetches of {title}: {self.origin} has no access log")
        lines = log.read_text(encoding="utf-8").splitlines()
        return sum(title in json.loads(line)["target"].partition("?")[0].split("/") for line in lines)

    def claims(self) -> list[dict[str, Any]]:
        """One fetch for each site where the title may be stored, one for each client where it may not."""
        sent, sites = self.crowd // len(self.clients()) * len(self.clients()), len(self.sites())

        def claim(name: str, metric: str, title: str, value: float, basis: str) -> dict[str, Any]:
            return {"name": f"{name}, {title}", "metric": metric, "statistic": statistic, "where": {"title": title},
                    "predicted": value, "low": value, "high": value, "basis": basis, "tolerance": "exact"}  # fmt: skip

        found = []
        for statistic in ("min", "max"):
            found += [
                claim(f"every client is answered ({statistic})", "failed", "new", 0, "nobody is refused"),
                claim(f"all sites serve ({statistic})", "sites_served", "new", sites, "clients go to the nearest site"),
                claim(f"the origin is asked ({statistic})", "origin_fetches", "new", sites, "one fetch for each site"),
                claim(f"the origin is asked ({statistic})", "origin_fetches", "unstorable", sent, "one for each client"),
            ]
        return found

    def answer(self) -> dict[str, Any]:
        values = {f"{metric}_{title}": {"metric": metric, "where": {"title": title}}
                  for title in ("new", "unstorable") for metric in ("origin_fetches", "p50_ms", "p99_ms")}  # fmt: skip
        return {"template": f"{self.crowd} clients who ask for one title of {show_bytes(self.size)} at once cost the origin "
                            "{origin_fetches_new} fetches, and take {p50_ms_new} (99 of 100 at most {p99_ms_new}); where the "
                            "title may not be stored, {origin_fetches_unstorable} fetches and {p50_ms_unstorable}.",
                "values": values}  # fmt: skip
