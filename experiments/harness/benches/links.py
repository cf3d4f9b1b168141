"""What the relay's links carry: one TCP flow in MTU-sized frames, one with segments passed whole, and small packets.

It says nothing of netem, and nothing of how punctual links are: that is `longhaul verify --all`.
"""

from __future__ import annotations

import json
import sys
import time
from typing import Any

from experiments.harness.bench import Row
from experiments.harness.benches.lab import column, timed
from topologies.emulator.hosts import LabNode
from topologies.emulator.lab import Lab
from topologies.emulator.links.spec import Direction, LinkSpec
from topologies.emulator.topology import Topology

SECONDS = 4
SMALL_EACH_WAY = 125_000
"""Packets of 100 bytes offered a second in each direction; more than the goal, so that the figure is not the offer."""

WAY = Direction(0.5, None, 1_000_000)
"""1 ms of RTT and no rate: what is measured is the relay."""

_FLOOD = """
import socket, sys, time
address, each_second, seconds = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as flood:
    flood.setsockopt(socket.IPPROTO_UDP, 103, 58)  # UDP_SEGMENT: packets of 100 bytes with their headers
    flood.connect((address, 9))
    began, sent = time.monotonic(), 0
    while (now := time.monotonic() - began) < seconds:
        while sent < now * each_second:
            flood.send(bytes(58 * 32))
            sent += 32
        time.sleep(0.0002)
"""
_SINK = "import socket, time; s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.bind(('', 9)); time.sleep(60)"


def measure(repetitions: int) -> list[Row]:
    """Goodput of one cubic flow beside the same over a plain cable, and packets a second of both directions together."""
    frames, passed, cable = [], [], []
    for _ in range(repetitions):
        frames.append(timed(_frames))
        passed.append(timed(_passed))
        cable.append(timed(_cable))
    return [
        Row("relay, one flow, MTU frames, 1 ms", "Gbit/s", column(frames, "flow"), None,
            "plain veth cable", column(cable, "frames"), 2.5),
        Row("relay, one flow, segments passed, 1 ms", "Gbit/s", column(passed, "flow"), None,
            "plain veth cable with TSO", column(cable, "passed"), 15),
        Row("relay, 100-byte packets, both ways together", "k/s", column(frames, "small"), at_least=200),
    ]  # fmt: skip


class _Pair(Topology):
    """near ==== far; whether segments pass is a setting that every topology has."""

    def build(self) -> None:
        for name in ("near", "far"):
            self.host(name)
        self.join()

    def join(self) -> None:
        self.link("near", "far", LinkSpec(WAY, WAY), name="line")


class _Cable(_Pair):
    """near ---- far."""

    def join(self) -> None:
        self.cable("near", "far")


def _frames(began: float) -> dict[str, float]:
    lab = Lab(_Pair(segments="frames"), "relay")
    return {"flow": _flow(lab), "small": _small(lab)}


def _passed(began: float) -> dict[str, float]:
    return {"flow": _flow(Lab(_Pair(segments="passed"), "relay"))}


def _cable(began: float) -> dict[str, float]:
    lab = Lab(_Cable())
    frames = _flow(lab)
    for name in ("near", "far"):
        node = lab.node(name)
        node.cmd(f"ethtool -K {node.defaultIntf().name} tso on gso on gro on")
    return {"frames": frames, "passed": _flow(lab)}


def _flow(lab: Lab) -> float:
    """Gbit/s at the receiver, without the first second."""
    server = lab.node("far").popen(["iperf3", "-s", "-1"])
    try:
        for _ in range(20):  # until it listens
            said = lab.node("near").cmd(f"iperf3 -J -C cubic -O 1 -t {SECONDS} -c {lab.address('far')}")
            result: dict[str, Any] = json.loads(said)
            if "error" not in result:
                return float(result["end"]["sum_received"]["bits_per_second"]) / 1e9
            time.sleep(0.1)
        raise RuntimeError(f"could not measure a flow: {result['error']}")
    finally:
        server.kill()
        server.wait()


def _small(lab: Lab) -> float:
    """Thousands of packets a second that arrived while both ends sent them."""
    ends: list[LabNode] = [lab.node("near"), lab.node("far")]
    running = [end.popen([sys.executable, "-c", _SINK]) for end in ends]
    time.sleep(0.3)
    for end, other in zip(ends, reversed(ends), strict=True):
        command = [sys.executable, "-c", _FLOOD, lab.address(other.name), str(SMALL_EACH_WAY), str(SECONDS)]
        running.append(end.popen(command))
    time.sleep(1)
    counted = []
    for pause_s in (SECONDS - 2, 0):
        ways = lab.links.counters()["line"].values()
        counted.append((time.monotonic(), sum(way.delivered for way in ways)))
        time.sleep(pause_s)
    for process in running:
        process.kill()
        process.wait()
    (from_s, before), (to_s, after) = counted
    return (after - before) / (to_s - from_s) / 1000
