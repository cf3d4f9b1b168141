"""What does distance cost, and what does a cache near the client give back?"""

from __future__ import annotations

from typing import Any

from experiments.harness.experiment import Arm, Experiment, Row, path_leg, predicted, within
from experiments.harness.stage import Stage
from nodes.origin.generate import sha256
from results.models.slow_start import through_cold_edge
from topologies.emulator import setting
from topologies.open_connect import OpenConnect
from units import show_bytes

BASIS = "handshake, initial window of 10 segments, one more for each acknowledged, up to the rate of the link"


class EdgeVsOrigin(Experiment):
    """A client fetches objects over three paths, each time on a new connection: straight from the origin; through an
    edge that does not have the object and fetches it over a connection that it keeps open; and through the same edge
    when it has the object on its disk."""

    topology = OpenConnect
    minutes = 2.5
    sizes = setting.sizes("16KiB,256KiB,4MiB", "sizes of the objects, separated by commas")

    def nodes(self) -> tuple[str, str, str]:
        """Client, edge and origin: the first of each role."""
        return self.world.first("client").name, self.world.first("edge").name, self.world.first("origin").name

    def places(self) -> list[str]:
        """Where they stand."""
        return [node.place.name for node in map(self.world.first, ("client", "edge", "origin")) if node.place]

    def question(self) -> str:
        client, edge, origin = self.places()
        return (
            f"What does the distance to {origin} cost a client in {client}, and what does an edge in {edge} give back?"
        )

    def captures(self) -> tuple[str, ...]:
        return self.nodes()

    def labels(self) -> dict[str, dict[str, str]]:
        _, edge, origin = self.places()
        return {"path": {"direct": f"straight from the origin in {origin}", "cold": f"edge in {edge}, not cached",
                         "warm": f"edge in {edge}, cached"}}  # fmt: skip

    def arms(self) -> list[Arm]:
        return [{"path": path, "size": show_bytes(size)} for path in ("direct", "cold", "warm") for size in self.sizes]

    def start(self, stage: Stage) -> None:
        _, edge, origin = self.nodes()
        stage.origin(origin)
        stage.edge(edge, origin)

    def prepare(self, stage: Stage, arm: Arm, trial: int) -> None:
        """Warm: the edge has the object. Cold: it has not, and its connection to the origin is open and unused."""
        edge = self.nodes()[1]
        if arm["path"] == "warm":
            stage.control(edge, "GET", self.target(arm, trial)[0])
        elif arm["path"] == "cold":
            stage.control(edge, "DELETE", f"http://{edge}/-/connections")
            stage.control(edge, "GET", f"http://{edge}/objects/1KiB/opener-{trial}")

    def measure(self, stage: Stage, arm: Arm, trial: int) -> Row:
        """The digest is worked out here, not taken from the origin."""
        url, name, size = self.target(arm, trial)
        row = stage.fetch(self.nodes()[0], url, sha256=sha256(name, size).hex())
        wanted = {"direct": "", "cold": "fwd=uri-miss", "warm": "hit"}[arm["path"]]
        said = (row.get("headers") or {}).get("cache-status") or ""
        if row["ok"] and wanted not in said:
            row["unexpected"] = f"the {arm['path']} path answered with Cache-Status '{said}' where {wanted} was due"
        return row

    def target(self, arm: Arm, trial: int) -> tuple[str, str, int]:
        """URL, name and size: a new object for each cold trial, one and the same for all others of its size."""
        _, edge, origin = self.nodes()
        size = {show_bytes(size): size for size in self.sizes}[arm["size"]]
        name = f"episode-{trial}" if arm["path"] == "cold" else "episode"
        return f"http://{origin if arm['path'] == 'direct' else edge}/objects/{size}B/{name}", name, size

    def claims(self) -> list[dict[str, Any]]:
        """First byte and last byte of every arm within 5 % + 2 ms of the slow-start model."""
        client, edge, origin = self.nodes()
        near, kept = path_leg(self.world, client, edge), path_leg(self.world, edge, origin, new_connection=False)
        found = []
        for arm in self.arms():
            size = self.target(arm, 0)[2]
            timing = (through_cold_edge(client=near, origin=kept, size_bytes=size) if arm["path"] == "cold" else
                      predicted(self.world, client, edge if arm["path"] == "warm" else origin, size))  # fmt: skip
            for words, metric, value in (("first byte", "first_byte_ms", timing.first_byte_ms),
                                         ("last byte", "total_ms", timing.total_ms)):  # fmt: skip
                found.append(within(f"{words}, {arm['path']}, {arm['size']}", metric, arm, value, 0.05, 2.0, BASIS))
        return found

    def middle(self) -> str:
        """The middle size, which speaks for all in the answer."""
        return show_bytes(sorted(self.sizes)[len(self.sizes) // 2])

    def answer(self) -> dict[str, Any]:
        _, edge, origin = self.places()
        arms = {path: {"metric": "total_ms", "where": {"path": path, "size": self.middle()}}
                for path in ("direct", "cold", "warm")}  # fmt: skip
        return {"template": f"An object of {self.middle()} takes {{direct}} straight from {origin}, {{cold}} through an "
                            f"edge in {edge} that must fetch it first, and {{warm}} when the edge has it: {{times}} times "
                            "as fast as from the origin.",
                "values": {**arms, "times": {"ratio": ["direct", "warm"]}}}  # fmt: skip

    def figures(self) -> list[dict[str, Any]]:
        return [
            {"kind": "topology"},
            {"kind": "ecdf", "metric": "total_ms", "by": "path", "panels": "size", "title": "Time to the last byte"},
            {
                "kind": "ecdf",
                "metric": "first_byte_ms",
                "by": "path",
                "panels": "size",
                "title": "Time to the first byte",
            },
            {"kind": "waterfall", "by": "path", "where": {"size": self.middle()}},
            {"kind": "witnesses", "by": "path", "where": {"size": self.middle()}},
            {"kind": "sequence", "by": "path", "where": {"size": self.middle()}, "at": self.nodes()[0]},
            {"kind": "predicted"},
            {"kind": "links"},
        ]
