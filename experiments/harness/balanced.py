"""Balancers in front of the edge hosts of a site of `open_connect`: who is whose member follows from the topology.

It starts no edge and decides no rule: those are options of `longhaul node balancer`.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Sequence
from typing import Any

from experiments.harness.daemon import StageError
from experiments.harness.stage import Stage
from topologies.emulator.topology import Topology

SETTLE_S = 30.0
LOOK_EVERY_S = 0.1
FIRST_PORT = 8000


def place(world: Topology) -> str:
    """Where the first edge is, as in host names: `mumbai`."""
    return world.first("edge").name.rpartition(".")[2]


def site(world: Topology, place: str) -> dict[str, list[str]]:
    """The edge hosts of a site by zone: `{"az1": ["edge1.az1.mumbai", ...]}`. `place` is as in host names."""
    found: dict[str, list[str]] = {}
    for node in world.nodes_info:
        name, _, rest = node.name.partition(".")
        if node.role == "edge" and rest.endswith(f".{place}"):
            found.setdefault(rest.removesuffix(f".{place}"), []).append(f"{name}.{rest}")
    return found


def members(world: Topology, balancer: str, nodes: dict[str, list[str]]) -> dict[str, Any]:
    """What a balancer is told: zones with the round-trip time to the nearest of their nodes, and the nodes."""
    away = {zone: min(world.path(balancer, one)[0] for one in some) for zone, some in nodes.items()}
    return {"zones": {zone: {"distance": f"{rtt_ms:g}ms"} for zone, rtt_ms in away.items()},
            "nodes": {one: {"zone": zone} for zone, some in nodes.items() for one in some}}  # fmt: skip


def regional(stage: Stage, place: str, *options: str) -> str:
    """One balancer that picks zone and node; its name."""
    name = f"balancer.{place}"
    stage.balancer(name, members(stage.lab.topology, name, site(stage.lab.topology, place)), *options)
    return name


def two_tier(stage: Stage, place: str, *options: str) -> str:
    """A balancer in each zone, and one before them that picks the zone; its name. All have the same options."""
    zones, name = site(stage.lab.topology, place), f"balancer.{place}"
    for zone, nodes in zones.items():
        stage.balancer(f"balancer.{zone}.{place}", members(stage.lab.topology, f"balancer.{zone}.{place}", {zone: nodes}),
                       *options)  # fmt: skip
    below = {zone: [f"balancer.{zone}.{place}"] for zone in zones}
    stage.balancer(name, members(stage.lab.topology, name, below), *options)
    return name


def by_rule(stage: Stage, place: str, option: str, rules: Sequence[str], *options: str) -> dict[str, str]:
    """A balancer of a region for each rule, all on one host and in front of the same edges; rule -> HOST:PORT. `option` is
    the one that names the rule."""
    name = f"balancer.{place}"
    told, found = members(stage.lab.topology, name, site(stage.lab.topology, place)), dict[str, str]()
    for port, rule in enumerate(rules, FIRST_PORT):
        stage.balancer(name, told, option, rule, *options, "--listen", f"{stage.lab.address(name)}:{port}")
        found[rule] = f"{name}:{port}"
    return found


def settled(stage: Stage, node: str, *balancers: str, down: Collection[str] = ()) -> None:
    """Wait until these balancers, asked from a node, take all that they know for well, except those that are down. Raises
    StageError."""
    deadline = time.monotonic() + SETTLE_S
    for balancer in balancers:
        while wrong := [f"{name} is {one['health']}" for name, one in _status(stage, node, balancer)["nodes"].items()
                        if (one["health"] == "up") == (name in down)]:  # fmt: skip
            if time.monotonic() > deadline:
                raise StageError(f"could not begin: {balancer} still finds after {SETTLE_S:g} s that {', '.join(wrong)}")
            time.sleep(LOOK_EVERY_S)


def _status(stage: Stage, node: str, balancer: str) -> dict[str, Any]:
    found: dict[str, Any] = stage.control(node, "GET", f"http://{balancer}/-/status").json()
    return found
