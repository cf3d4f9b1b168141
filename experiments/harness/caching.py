"""A cache in zones on a stage: memcached in every zone, sources of truth, and clients that take orders. It measures nothing."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from experiments.harness.experiment import Experiment
from experiments.harness.needs import Needs
from experiments.harness.stage import Daemon, Stage, StageError
from topologies.emulator import setting
from topologies.zones import Zones

PORT, TRUTH_PORT, FACE_PORT = 11211, 9100, 8090
APP = "LAB"


def zone_of(node: str) -> str:
    """`az1.virginia` of `cache1.az1.virginia`."""
    return node.partition(".")[2]


class CacheExperiment(Experiment):
    """The base of experiments with a cache in zones: their topology, and what they need."""

    topology = Zones
    world: Zones

    most_repetitions = setting.count("15", "measured trials of an arm at most, where some do not count", 0, 10_000)

    def needs(self) -> Needs:
        return Needs(programs=("memcached",))


class CacheClient:
    """`nodes/evcache_client` on a node: each order has one result."""

    def __init__(self, stage: Stage, node: str) -> None:
        """Raises StageError."""
        self.stage, self.node = stage, node
        self.daemon: Daemon = stage.daemon(node, "evcache_client", instrument=True)
        self._told, self._results = 0, dict[int, dict[str, Any]]()

    def tell(self, op: str, cache: str = "a", **order: Any) -> int:
        """Give an order; `result` is to be asked for it. Others are carried out while a load goes on. Raises StageError."""
        self._told += 1
        self.daemon.order({"op": op, "cache": cache, "id": self._told, **order}, f"{op} on {self.node}")
        return self._told

    def result(self, number: int, within_s: float = 30.0) -> dict[str, Any]:
        """What came of an order; `ok` may be false. Raises StageError when the client died or is silent."""
        while number not in self._results:
            heard = self.daemon.read(within_s, f"hear from the cache's client on {self.node}", self.stage.trouble)
            self._results[heard["id"]] = heard
        return self._results.pop(number)

    def ask(self, op: str, cache: str = "a", *, within_s: float = 30.0, **order: Any) -> dict[str, Any]:
        """An order that must go well. Raises StageError."""
        done = self.result(self.tell(op, cache, **order), within_s)
        if not done["ok"]:
            raise StageError(f"could not {op} on {self.node}: {done['error']}")
        return done


def memcached(stage: Stage, node: str, *options: str) -> Daemon:
    """A memcached on a cache node. Raises StageError."""
    return stage.daemon(node, "memcached", "--listen", f"{stage.lab.address(node)}:{PORT}", *options)


def truth(stage: Stage, node: str) -> str:
    """A source of truth on a node, with its rows on the run directory's disk; gives its URL. Raises StageError."""
    stage.scratch.mkdir(parents=True, exist_ok=True)
    stage.daemon(node, "truth", "--listen", f"{stage.lab.address(node)}:{TRUTH_PORT}", "--database",
                 str(stage.scratch / f"{node}.db"))  # fmt: skip
    return truth_url(stage, node)


def truth_url(stage: Stage, node: str) -> str:
    """Where the source of truth of a node listens."""
    return f"http://{stage.lab.address(node)}:{TRUTH_PORT}"


def node_list(stage: Stage, nodes: Iterable[str]) -> str:
    """EVCache's list of cache nodes, zone by zone."""
    zones: dict[str, list[str]] = {}
    for node in nodes:
        zones.setdefault(zone_of(node), []).append(f"{stage.lab.address(node)}:{PORT}")
    return f"{APP}-NODES=" + ";".join(f"{zone}={','.join(some)}" for zone, some in zones.items())


def face(stage: Stage, node: str, nodes: Sequence[str], truth_node: str, *options: str) -> Daemon:
    """The cache's daemon on a node, whose zone is read first. Raises StageError."""
    listen, truth = f"{stage.lab.address(node)}:{FACE_PORT}", truth_url(stage, truth_node)
    return stage.daemon(node, "evcache", "--listen", listen, "--zone", zone_of(node), "--nodes", node_list(stage, nodes),
                        "--truth", truth, *options)  # fmt: skip


def metric(text: str, name: str, **labels: str) -> float:
    """The sum of a metric's samples that have these labels, in Prometheus' text."""
    wanted = [f'{label}="{value}"' for label, value in labels.items()]
    return sum(float(line.rpartition(" ")[2]) for line in text.splitlines()
               if line.partition("{")[0] == name and all(one in line for one in wanted))  # fmt: skip


def settings(**fields: Any) -> Mapping[str, Any]:
    """Fields of nodes/evcache/settings.py for a lab: no jitter, and time for a read of a far zone."""
    return {"jitter": 0.0, "read_s": 1.0, **fields}


def text_of(value: str | None) -> str | None:
    """A row's value in the source of truth's JSON, as the history of a load has it."""
    return None if value is None else base64.b64decode(value).decode().rstrip()
