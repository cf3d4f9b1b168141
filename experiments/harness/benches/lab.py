"""A lab of 60 nodes: up and verified, down again, beside stock Mininet with the same nodes and plain links."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from pathlib import Path

from mininet.log import setLogLevel
from mininet.net import Mininet
from mininet.node import Host
from mininet.topo import Topo

from experiments.harness.bench import Row
from topologies.emulator import sandbox
from topologies.emulator.lab import Lab
from topologies.open_connect import OpenConnect

SETTINGS = {"edges": "Mumbai,Singapore,London", "clients": "Chennai,Paris,Tokyo", "edges_per_zone": "2",
            "clients_per_place": "14"}  # fmt: skip
"""Seven regions: 60 nodes, 21 emulated links between them, 53 plain cables."""


def measure(repetitions: int) -> list[Row]:
    """Up, down and the relay's memory; ours and stock Mininet in turn."""
    ours, stock = [], []
    for _ in range(repetitions):
        ours.append(timed(_ours))
        stock.append(timed(_stock))
    return [
        Row("60 nodes up and every link verified", "s", column(ours, "up_s"), 4.0,
            "stock Mininet, unshaped, unverified", column(stock, "up_s")),
        Row("60 nodes down", "s", column(ours, "down_s"), 0.5, "stock Mininet", column(stock, "down_s")),
        Row("relay memory, 21 links", "MB", column(ours, "relay_mb"), 60),
    ]  # fmt: skip


def column(runs: list[dict[str, float]], name: str) -> tuple[float, ...]:
    """One figure of every run."""
    return tuple(run[name] for run in runs)


def timed(build: Callable[[float], dict[str, float]]) -> dict[str, float]:
    """What `build` found in a sandbox of its own, given the time at which it began, and `down_s` if it did not say.

    `down_s` is then how long the end of the sandbox takes, until this process may go on. Seconds.
    """
    reading, writing = os.pipe()

    def lab() -> int:
        began = time.monotonic()
        found = build(began)
        os.write(writing, json.dumps({**found, "ready": time.monotonic()}).encode())
        return 0

    sandbox.run(lab)
    ended = time.monotonic()
    os.close(writing)
    with os.fdopen(reading) as pipe:
        found: dict[str, float] = json.loads(pipe.read())
    # Ours goes down by the end of the sandbox; stock Mininet's stop has been timed inside.
    found.setdefault("down_s", ended - found["ready"])
    return found


def _ours(began: float) -> dict[str, float]:
    lab = Lab(OpenConnect(**SETTINGS))
    wrong = [row["reasons"] for row in lab.verify()["links"] if not row["ok"]]
    if wrong:
        raise RuntimeError(f"links out of tolerance: {wrong}")
    up_s = time.monotonic() - began
    return {"up_s": up_s, "relay_mb": sum(map(_memory_mb, lab.links.describe().get("pids", ())))}


def _stock(began: float) -> dict[str, float]:
    setLogLevel("error")
    Mininet.inited = True
    net = Mininet(topo=_Stock(), host=Host, controller=None)
    net.start()
    up_s = time.monotonic() - began
    began = time.monotonic()
    net.stop()
    return {"up_s": up_s, "down_s": time.monotonic() - began}


class _Stock(Topo):  # type: ignore[misc]  # mininet has no types
    def build(self) -> None:
        """As many nodes and links between the same two, by Mininet's own means."""
        world = OpenConnect(**SETTINGS)
        names = {node.name: self.addHost(f"h{number}") for number, node in enumerate(world.nodes_info)}
        for link in world.links_info:
            self.addLink(names[link.a], names[link.b])


def _memory_mb(pid: int) -> float:
    lines = Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM"))
