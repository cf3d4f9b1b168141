"""A steady load through a balancer, among whose edges something fails for a while and comes back: what such experiments share.

It chooses no fault and starts no balancer.
"""

from __future__ import annotations

from typing import Any

from experiments.harness import balanced
from experiments.harness.experiment import Experiment
from experiments.harness.generators import Load
from experiments.harness.stage import Stage
from topologies.emulator import setting
from topologies.open_connect import OpenConnect

CHECK_S, RISE, EJECT_AFTER, EJECTED_S = 0.5, 2, 5, 2.0
"""Seconds between checks, and for how long one waits; good ones in a row that bring a node back; failures of requests in a row
that eject it, and seconds for which they do."""


class UnderFault(Experiment):
    """The base of experiments with edges behind a balancer that fail; all fetch one object, which every edge has."""

    topology = OpenConnect
    path: str
    fall: int
    """Bad checks in a row that bring a node down."""

    minutes, bears_ms = 1.5, 20.0
    warmup = setting.count("0", "trials of each arm before the measured ones", 0, 100)
    rate = setting.count("80", "requests a second", 20, 1000)
    patience = setting.duration("1s", "how long the balancer waits for a node to answer")

    def place(self) -> str:
        """Where the edges are, as in host names."""
        return balanced.place(self.world)

    def edges(self) -> list[str]:
        """All edges there."""
        return [name for some in balanced.site(self.world, self.place()).values() for name in some]

    def feed(self, stage: Stage) -> None:
        """Start the origin and all edges of the place."""
        origin = self.world.first("origin").name
        stage.origin(origin)
        for edge in self.edges():
            stage.edge(edge, origin)

    def watching(self) -> tuple[str, ...]:
        """Options of every balancer: how it finds out, and for how long a node is out."""
        return ("--node-rule", "round-robin", "--check-interval", f"{CHECK_S}s", "--check-timeout", f"{CHECK_S}s",
                "--fall", str(self.fall), "--rise", str(RISE), "--outlier-failures", str(EJECT_AFTER),
                "--outlier-time", f"{EJECTED_S}s", "--node-timeout", f"{self.patience}ms")  # fmt: skip

    def make_ready(self, stage: Stage, balancer: str) -> None:
        """Every edge has the object, and the balancer takes all that it knows for well."""
        client = self.world.first("client").name
        balanced.settled(stage, client, balancer)
        for edge in self.edges():
            stage.control(client, "GET", f"http://{edge}{self.path}")

    def load(self, stage: Stage, balancer: str, time_s: float, faults: str) -> Load:
        """The load of a trial, with its faults; its requests are kept."""
        done = stage.load({self.world.first("client").name: f"http://{balancer}{self.path}"}, "--arrivals", "fixed",
                          "--rate", f"{self.rate}/s", "--time", f"{time_s}s", faults=faults)  # fmt: skip
        stage.keep("requests", done.rows)
        return done

    def figures(self) -> list[dict[str, Any]]:
        return [{"kind": "series", "name": "requests", "x": "due_ms", "y": "latency_ms", "by": "fault",
                 "title": "How long each request took, by when it was due"}]  # fmt: skip
