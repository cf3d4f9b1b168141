"""How long does a read take that finds its value in the same zone, in another one, in another region, or nowhere but at the
source of truth?"""

from __future__ import annotations

import statistics
from typing import Any, ClassVar

from experiments.harness import caching
from experiments.harness.experiment import Arm, Row, within
from experiments.harness.stage import Stage
from topologies.emulator import setting

BASIS = "a round trip to each place that is asked, one after another: the local zone, then where the value is"


class NearestRead(caching.CacheExperiment):
    """An application in the second region reads values that are only in one place: its own zone, the other zone of its region,
    a zone of the third region, the source of truth in the first. It asks its own zone first, and then that place."""

    topology_settings: ClassVar = {"regions": "Virginia,Mumbai,Chennai", "zones": "1", "far_zones": "2"}
    minutes = 2.0
    gets = setting.count("10", "reads of a trial, one after another; their median counts", 1, 1000)
    size = setting.size("1KiB", "size of the values")
    columns: ClassVar = {"read_ms": "time from the call of get until it returned, median of the trial's reads"}

    def places(self) -> dict[str, str]:
        """Where the value is -> the node that has it."""
        caches = self.world.names("cache")
        _, here, there = dict.fromkeys(one.rpartition(".")[2] for one in caches)
        near, other = [one for one in caches if one.endswith(f".{here}")][:2]
        far = next(one for one in caches if one.endswith(f".{there}"))
        return {"same zone": near, "other zone": other, "other region": far, "truth": self.world.names("truth")[0]}

    def question(self) -> str:
        return "How long does a read take, by where its value is found?"

    def arms(self) -> list[Arm]:
        return [{"place": place} for place in self.places()]

    def start(self, stage: Stage) -> None:
        places = self.places()
        near = places["same zone"]
        for node in list(places.values())[:3]:
            caching.memcached(stage, node)
        truth = caching.truth(stage, places["truth"])
        self.client = caching.CacheClient(stage, f"app1.{caching.zone_of(near)}")
        for place, node in places.items():
            nodes = [near] if place in ("same zone", "truth") else [near, node]
            settings = caching.settings(namespace=place.replace(" ", "-"), local_zone=caching.zone_of(near))
            self.client.ask("open", place, nodes=caching.node_list(stage, nodes), truth=truth, settings=settings)

    def prepare(self, stage: Stage, arm: Arm, trial: int) -> None:
        """The values are in every place of the arm, and then no more in the local zone, unless that is the arm's."""
        self.client.ask("put", arm["place"], key=f"trial-{trial}", count=self.gets, bytes=self.size, policy="all")
        if arm["place"] != "same zone":
            self.client.ask("forget", arm["place"], key=f"trial-{trial}", count=self.gets,
                            zones=[caching.zone_of(self.places()["same zone"])])  # fmt: skip

    def measure(self, stage: Stage, arm: Arm, trial: int) -> Row:
        done = self.client.ask("get", arm["place"], key=f"trial-{trial}", count=self.gets)
        stage.keep("reads", [{**arm, **call} for call in done["calls"]])
        row: Row = {"ok": True, "read_ms": statistics.median(call["ms"] for call in done["calls"])}
        wanted = "truth" if arm["place"] == "truth" else caching.zone_of(self.places()[arm["place"]])
        if elsewhere := {call["source"] for call in done["calls"]} - {wanted}:
            row["unexpected"] = f"values came from {', '.join(sorted(elsewhere))} where they were to come from {wanted}"
        return row

    def predicted_ms(self, place: str) -> float:
        """The round trip to where it is; the own zone's, asked before, is none."""
        places = self.places()
        app = f"app1.{caching.zone_of(places['same zone'])}"
        return self.world.path(app, places["same zone"])[0] + self.world.path(app, places[place])[0]

    def claims(self) -> list[dict[str, Any]]:
        return [within(f"read, {place}", "read_ms", {"place": place}, self.predicted_ms(place), 0.05, 1.0, BASIS)
                for place in self.places()]  # fmt: skip

    def answer(self) -> dict[str, Any]:
        names = dict(zip(("same", "other", "far", "truth"), self.places(), strict=True))
        return {"template": "A read takes {same} in its own zone, {other} in the other zone of its region, {far} in another "
                            "region, and {truth} from the source of truth.",
                "values": {name: {"metric": "read_ms", "where": {"place": place}}
                           for name, place in names.items()}}  # fmt: skip

    def figures(self) -> list[dict[str, Any]]:
        return [{"kind": "ecdf", "metric": "read_ms", "by": "place", "title": "Time of a read"}]
