"""Our balancer beside nginx's proxy_pass: how long it takes to choose, to pass content on, and what it adds to a first byte.

Both stand in front of the same node, an nginx that serves files, and have one worker on processor 0; node and client share
processor 1. Ours has its access log and metrics on, nginx has none. Choosing is measured in this process.
"""

from __future__ import annotations

import json
import statistics
import tempfile
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from random import Random

from experiments.harness.bench import Row
from experiments.harness.load import first_byte, nginx_server, wrk
from experiments.harness.load.engine import Engine
from experiments.harness.load.turns import Patience, Turns, say
from nodes.balancer import catalogue
from nodes.balancer.balance import Balance, Settings
from nodes.balancer.members import parse
from nodes.balancer.picks.machinery.node_state import NodeState
from units import show_bytes

SERVER, CLIENT = "0", "1"
KIB, MIB = 2**10, 2**20
SIZES = ((64 * KIB, 0.5), (MIB, 0.9))
"""Size, and the goal as a ratio to nginx."""
CONNECTIONS = 16
NODES, ZONES, UNDER_WAY = 100, 3, 40
TABLES = ("ketama", "maglev")
CHOICE_US, TABLE_US = 10.0, 3.0
MOVED = {"ketama": 100 / NODES + 2, "rendezvous": 100 / NODES + 2, "maglev": 300 / NODES}
"""At most so many of 100 keys."""
GONE = 10
ADDED_MS = 0.5


@dataclass(frozen=True)
class Length:
    """How many runs there are, and how long they take."""

    repetitions: int
    choices: int
    first_bytes: int
    repeated: int


def measure(repetitions: int) -> list[Row]:
    """All rows."""
    return _measure(Length(repetitions, 20_000, 1000, 10 * repetitions))


def quick() -> list[Row]:
    """The same with one short run of each."""
    return _measure(Length(1, 1000, 100, 2))


def _measure(length: Length) -> list[Row]:
    rows = [_choosing("nearest", rule, length) for rule in catalogue.node_rule_names()]
    rows += [_choosing(rule, "round-robin", length) for rule in catalogue.zone_rule_names() if rule != "nearest"]
    rows += [_moving(rule, length) for rule in MOVED]
    with tempfile.TemporaryDirectory(prefix="longhaul-bench-") as name, ExitStack() as stack:
        folder = Path(name)
        folder.chmod(0o755)
        objects = {"small": KIB, **{str(size): size for size, _ in SIZES}}
        node = stack.enter_context(nginx_server.files("node", folder / "node", objects, CLIENT))
        (folder / "members.json").write_text(json.dumps({"zones": {"z": {}}, "nodes": {"n": {"zone": "z", "url": node.url}}}))
        ours = stack.enter_context(Engine("balancer", "--members", str(folder / "members.json"), "--log",
                                          str(folder / "ours.jsonl"), "--check-path", "/small", cpus=SERVER))  # fmt: skip
        peer = stack.enter_context(nginx_server.proxy("nginx", folder / "nginx", node.url, SERVER))
        ours.beside = peer.beside = (node,)
        turns = Turns(ours, peer, length.repetitions, Patience(length.repeated))
        rows += [_proxying(turns, size, goal) for size, goal in SIZES]
        rows.append(_first_byte(node, turns, length))
    return rows


def _choosing(zone_rule: str, node_rule: str, length: Length) -> Row:
    zones = {f"z{number}": {"distance": f"{number}ms"} for number in range(ZONES)}
    nodes = {f"n{number}": {"zone": f"z{number % ZONES}", "url": f"http://10.0.0.{number}:80"} for number in range(NODES)}
    balance = Balance(parse({"zones": zones, "nodes": nodes}), Settings(zone_rule, node_rule), Random(1), 0.0)
    for number in range(UNDER_WAY):
        placed = balance.place(f"/warm/{number}", 0.0)
        assert placed is not None
        balance.began(placed.member)
    keys, samples = [f"/objects/64KiB/{number}" for number in range(length.choices)], []
    for _ in range(length.repetitions):
        began = time.perf_counter()
        for key in keys:
            balance.place(key, 1.0)
        samples.append((time.perf_counter() - began) / len(keys) * 1e6)
    goal_us = TABLE_US if node_rule in TABLES else CHOICE_US
    return Row(f"choosing by {zone_rule}, then {node_rule}", "us", tuple(samples), goal_us)


def _moving(rule: str, length: Length) -> Row:
    """Keys that have another node when one goes, its own among them; a sample for each of some nodes that go."""
    nodes, keys = [NodeState(f"n{number}") for number in range(NODES)], [f"/{number}" for number in range(length.choices)]
    whole, samples = catalogue.node_rule(rule)(nodes, Random(1)), []
    for gone in nodes[:: NODES // GONE]:
        less = catalogue.node_rule(rule)([node for node in nodes if node is not gone], Random(1))
        samples.append(100 * sum(whole.pick(key, 0.0) is not less.pick(key, 0.0) for key in keys) / len(keys))
    return Row(f"keys moved when one of {NODES} nodes goes, {rule}", "%", tuple(samples), MOVED[rule])


def _proxying(turns: Turns, size: int, goal: float) -> Row:
    by_bytes = size >= MIB
    what, unit = f"proxied {show_bytes(size)}, {CONNECTIONS} connections", "GB/s" if by_bytes else "1000/s"

    def run(engine: Engine) -> tuple[float, str]:
        rate = wrk.run(f"{engine.url}/{size}", CONNECTIONS, 1, CLIENT)
        return rate.bytes_per_s / 1e9 if by_bytes else rate.requests_per_s / 1e3, ""

    samples = turns.take(run, what, unit)
    return Row(what, unit, samples.ours, None, "nginx", samples.peer, ratio_at_least=goal, warning=samples.warning)


def _first_byte(node: Engine, turns: Turns, length: Length) -> Row:
    """What the balancer adds to a direct fetch, and beside it what nginx adds; each run has a direct one of its own."""
    added: dict[str, list[float]] = {turns.ours.kind: [], turns.peer.kind: []}
    for _ in range(length.repetitions):
        for engine in (turns.ours, turns.peer):
            direct_ms = first_byte.median_ms(node, "/small", length.first_bytes)
            added[engine.kind].append(first_byte.median_ms(engine, "/small", length.first_bytes) - direct_ms)
    ours, peer = added[turns.ours.kind], added[turns.peer.kind]
    say(f"  added to the first byte: ours {statistics.median(ours):.3f}, nginx {statistics.median(peer):.3f} ms")
    return Row("added to the first byte of a direct fetch", "ms", tuple(ours), ADDED_MS, "nginx", tuple(peer))
