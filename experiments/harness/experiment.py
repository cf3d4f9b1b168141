"""The base of every experiment: a question, its arms, how one trial is measured, and what would be the answer.

It runs nothing: the runner calls it, and writes everything it says of itself into the manifest, so that the report can
be made again from the run directory alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import units
from experiments.harness.capture_plan import LEAST_SNAP_BYTES
from experiments.harness.needs import Needs
from experiments.harness.stage import ENGINES, Stage
from results.models.slow_start import Leg, Timing, transfer_time
from topologies.emulator import setting
from topologies.emulator.topology import Topology

Arm = dict[str, str]
Row = dict[str, Any]

COLUMNS = {
    "connect_ms": "time from the start of the fetch until TCP is connected, by libcurl",
    "first_byte_ms": "time from the start of the fetch to the first byte of the response, by libcurl",
    "total_ms": "time from the start of the fetch to the last byte of the body, by libcurl",
    "cap_connect_ms": "SYN to SYN-ACK in the client's capture",
    "cap_first_byte_ms": "SYN (or request, on a reused connection) to the first byte of the response in the capture",
    "cap_last_byte_ms": "SYN (or request, on a reused connection) to the last new byte of the response in the capture",
}


def _snap(text: str) -> int:
    size = units.byte_count(text)
    if 0 < size < LEAST_SNAP_BYTES:
        raise ValueError(f"less than {LEAST_SNAP_BYTES} bytes would cut headers")
    return size


class Experiment(setting.Configurable):
    """A question to a lab. Subclasses are one small file each; the class docstring is the summary of the report.

    `self.world` is the topology as the user set it.
    """

    topology: ClassVar[type[Topology]]
    minutes: ClassVar[float]
    """How long it takes with the default settings on two cores."""
    idle_paths: ClassVar[bool] = True
    """Whether nothing else is on the paths while a connection is made: its handshake must then take the path's time."""
    bears_ms: ClassVar[float] = 0.0
    """How late the links may let a single packet leave, or stand still, in a trial that counts, where that is more than the
    five milliseconds (or five per cent of the RTT) of the rule: for means over many thousands of packets."""
    columns: ClassVar[Mapping[str, str]] = {}
    """Its own columns of trials.csv beside those of a fetch: name (with its unit) -> what it means."""
    precise: ClassVar[Mapping[str, float]] = {}
    """How closely it must know its medians: metric -> width of the 95 % interval, as a share of the median, in every arm."""
    topology_settings: ClassVar[Mapping[str, str]] = {}
    """What this experiment changes of the topology's defaults; the user may change it again."""

    repetitions = setting.count("10", "measured trials of each arm", 1, 10_000)
    most_repetitions = setting.count("0", "measured trials of an arm at most, where it is repeated until enough are valid and "
                                     "medians are known as closely as the experiment needs", 0, 10_000)  # fmt: skip
    warmup = setting.count("1", "trials of each arm before the measured ones, left out of the answer", 0, 100)
    capture__points = setting.words("", "more points to capture at: a node, node:interface, a link (its ends), * (the ends of "
                                    "every emulated link), separated by commas")  # fmt: skip
    capture__snap: Any = setting.Setting("160B", "bytes kept of each packet, at least 128B; 0B: all", _snap)
    capture__merged = setting.choice("auto", "one more file a trial with the packets of all points, by mergecap: auto (where "
                                     "it is installed), yes, no", "auto", "yes", "no")  # fmt: skip
    capture__relay = setting.flag("no", "whether the relay's own log of each packet is kept: queued, released, dropped and why")
    capture__keys = setting.flag("no", "whether the captures hold the TLS keys of our daemons, so that Wireshark decrypts them")
    edge__engine = setting.choice("longhaul", "what serves as edge: longhaul (node edge) or nginx (node nginx-edge)", *ENGINES)

    def __init__(self, world: Topology, given: Mapping[str, str]) -> None:
        self.world = world
        self.configure(given)
        if "edge.engine" in self.given and not any(node.role == "edge" for node in world.nodes_info):
            raise setting.SettingError("could not set edge.engine: the topology has no edge; leave it out")

    def needs(self) -> Needs:
        """What the machine must be able to do; where it cannot, the run is `unsupported` before anything is built."""
        return Needs()

    def question(self) -> str:
        """The question, for people who did not read this file."""
        raise NotImplementedError

    def captures(self) -> tuple[str, ...]:
        """Nodes whose first interface is captured in every trial, the client first."""
        return ()

    def labels(self) -> dict[str, dict[str, str]]:
        """Wording for people: factor -> level -> words."""
        return {}

    def figures(self) -> list[dict[str, Any]]:
        """The figures of the report: see results/README.md."""
        return []

    def arms(self) -> list[Arm]:
        """What is compared: one level of each factor per arm."""
        raise NotImplementedError

    def start(self, stage: Stage) -> None:
        """Start the daemons."""
        raise NotImplementedError

    def prepare(self, stage: Stage, arm: Arm, trial: int) -> None:
        """Bring everything into the state that the arm begins in; not captured, not timed."""

    @property
    def side_by_side(self) -> int:
        """How many rows one trial measures at the same time, on paths of their own; each counts as a repetition."""
        return 1

    def measure(self, stage: Stage, arm: Arm, trial: int) -> Row | list[Row]:
        """Measure once: one row of trials.csv, as `stage.fetch` gives it, or `ok` with values of `columns`, or both.

        `error` says why it is not ok; `unexpected` sets the trial aside, with what it says as the reason. Several rows where
        `side_by_side` says so.
        """
        raise NotImplementedError

    def claims(self) -> list[dict[str, Any]]:
        """What must hold: see results/README.md."""
        raise NotImplementedError

    def answer(self) -> dict[str, Any]:
        """The sentence that answers the question, with the quantities it names; without one there is only the verdict."""
        return {}


def path_leg(world: Topology, a: str, b: str, new_connection: bool = True) -> Leg:
    """A TCP connection between two nodes as the topology specifies its path, for the slow-start model."""
    rtt_ms, rate_bps = world.path(a, b)
    return Leg(rtt_ms, rate_bps, new_connection)


def predicted(world: Topology, a: str, b: str, size_bytes: int) -> Timing:
    """What the slow-start model says of one fetch by `a` from `b` on a new connection."""
    rtt_ms, rate_bps = world.path(a, b)
    return transfer_time(rtt_ms=rtt_ms, rate_bps=rate_bps, size_bytes=size_bytes)


def within(
    name: str, metric: str, where: Arm, predicted: float, share: float, extra_ms: float, basis: str
) -> dict[str, Any]:
    """The claim that the median of a metric lies within a share and some milliseconds of its prediction."""
    margin = predicted * share + extra_ms
    return {"name": name, "metric": metric, "statistic": "median", "where": where, "predicted": round(predicted, 3),
            "low": round(predicted - margin, 3), "high": round(predicted + margin, 3), "basis": basis,
            "tolerance": f"{share:.0%} + {extra_ms:g} ms"}  # fmt: skip
