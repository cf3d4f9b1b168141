"""Bulk flows between nodes of a lab: several at once, each with its own congestion control, begin, windows and pace.

It sends nothing itself: `nodes/flow` does, one worker a node. What a flow achieved is what its sender's kernel saw
acknowledged.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Protocol

from experiments.harness.daemon import StageError
from topologies.emulator.lab import Lab

AHEAD_S = 0.25
"""How long before their beginning the senders are told, so that all of them have read it by then."""
SAMPLE_MS = 100.0
LONGEST_SIZED_S = 3600.0


@dataclass(frozen=True)
class Flow:
    """A connection from `sender` to `receiver` that always has something to send: for `seconds`, or until `size_bytes` arrived.

    `start_s` counts from the common beginning. `window_bytes` is the most that the receiver advertises, `pace_bps` the most
    that the sender's kernel sends; buffers are SO_SNDBUF and SO_RCVBUF. None leaves it to the kernel, or to the routes.
    With `nagle` a last segment that is not full waits for an acknowledgement (RFC 896); TCP_NODELAY otherwise.
    """

    sender: str
    receiver: str
    seconds: float | None = None
    size_bytes: int | None = None
    start_s: float = 0.0
    congestion_control: str | None = None
    window_bytes: int | None = None
    receive_buffer_bytes: int | None = None
    send_buffer_bytes: int | None = None
    pace_bps: int | None = None
    nagle: bool = False
    name: str = ""


class Worker(Protocol):
    """A process in a node that takes orders by lines of JSON and answers each with one."""

    def order(self, order: Mapping[str, Any], attempt: str) -> None:
        """Give an order."""

    def read(self, within_s: float, attempt: str, trouble: Callable[[], str]) -> dict[str, Any]:
        """Its next answer."""


class Flows:
    """The flows of a stage. `worker` gives that of a node, `trouble` says what died, `keep` takes the samples."""

    def __init__(self, lab: Lab, worker: Callable[[str], Worker], trouble: Callable[[], str],
                 keep: Callable[[str, Sequence[Mapping[str, Any]]], None]) -> None:  # fmt: skip
        self.lab, self._worker, self._trouble, self.keep = lab, worker, trouble, keep
        self._ports: dict[tuple[str, int | None, int | None], int] = {}

    def begin(self, flows: Sequence[Flow], sample_ms: float = SAMPLE_MS) -> Running:
        """Begin flows together and come back at their beginning. Raises StageError."""
        named = [(flow, flow.name or f"{number}.{flow.sender}-{flow.receiver}") for number, flow in enumerate(flows, 1)]
        orders: dict[str, list[dict[str, Any]]] = {}
        for flow, name in named:
            orders.setdefault(flow.sender, []).append({
                "host": self.lab.address(flow.receiver), "port": self._port(flow), "name": name,
                **{key: value for key, value in asdict(flow).items()
                   if key in ("seconds", "size_bytes", "start_s", "congestion_control", "send_buffer_bytes", "pace_bps",
                            "nagle")},
            })  # fmt: skip
        workers = {node: self._worker(node) for node in orders}
        begin_ns = time.monotonic_ns() + round(AHEAD_S * 1e9)
        for node, wanted in orders.items():
            workers[node].order({"flows": wanted, "begin_ns": begin_ns, "sample_ms": sample_ms}, "begin a flow")
        time.sleep(max(0.0, (begin_ns - time.monotonic_ns()) / 1e9))
        return Running(self, named, workers, begin_ns)

    def _port(self, flow: Flow) -> int:
        """Of the sink that a flow needs; each is opened once."""
        key = (flow.receiver, flow.window_bytes, flow.receive_buffer_bytes)
        if key not in self._ports:
            worker = self._worker(flow.receiver)
            worker.order({"sink": {"host": self.lab.address(flow.receiver), "window_bytes": flow.window_bytes,
                                   "receive_buffer_bytes": flow.receive_buffer_bytes}}, "open a sink")  # fmt: skip
            said = worker.read(10.0, "open a sink", self._trouble)
            if not said["ok"]:
                raise StageError(f"could not send to {flow.receiver}: {said['error']}")
            self._ports[key] = int(said["port"])
        return self._ports[key]

    def drained_s(self, flow: Flow) -> float:
        """How long what a flow left behind may still be under way: full queues and both delays."""
        world = self.lab.topology
        ways = [(link, getattr(self.lab.specs[link.name], way)) for link, way in world.hops(flow.sender, flow.receiver)]
        queues: float = sum(way.room_bytes(link.spec.mtu) * 8 / way.nominal_bps for link, way in ways if way.nominal_bps)
        return queues + world.path(flow.sender, flow.receiver)[0] / 1e3


class Running:
    """Flows that have begun, at `begin_ns` (CLOCK_MONOTONIC)."""

    def __init__(self, flows: Flows, named: Sequence[tuple[Flow, str]], workers: Mapping[str, Worker], begin_ns: int) -> None:
        self._flows, self._named, self._workers, self.begin_ns = flows, named, workers, begin_ns
        self._last_s = max(flow.start_s + (LONGEST_SIZED_S if flow.seconds is None else flow.seconds) for flow, _ in named)

    @property
    def now_s(self) -> float:
        """How long since they began."""
        return (time.monotonic_ns() - self.begin_ns) / 1e9

    def results(self) -> list[dict[str, Any]]:
        """Wait for their ends and for the links to be empty again: a result each, in the order they were given, with its
        `samples` as dicts. All samples are kept as the series `flows`. A flow that failed has `ok` false and `error`."""
        found: dict[str, dict[str, Any]] = {}
        for node, worker in self._workers.items():
            said = worker.read(self._last_s - self.now_s + 15, f"see the end of the flows of {node}", self._flows._trouble)
            if not said["ok"]:
                raise StageError(f"could not send from {node}: {said['error']}")
            for one in said["flows"]:
                one["samples"] = [dict(zip(said["sample"], values, strict=True)) for values in one["samples"]]
                found[one["name"]] = one
        time.sleep(max(self._flows.drained_s(flow) for flow, _ in self._named))
        results = [found[name] for _, name in self._named]
        self._flows.keep("flows", [{"flow": one["name"], "congestion_control": one.get("congestion_control", ""), **sample,
                                    "goodput_mbps": between(before, sample)}
                                   for one in results
                                   for before, sample in zip(one["samples"], one["samples"][1:], strict=False)])  # fmt: skip
        return results


def between(before: Mapping[str, Any], after: Mapping[str, Any]) -> float:
    """What was acknowledged between two samples, in Mbit/s of payload."""
    span_s, acked_bytes = float(after["t_s"] - before["t_s"]), float(after["acked_bytes"] - before["acked_bytes"])
    return acked_bytes * 8e-6 / span_s if span_s > 0 else 0.0


def goodput_mbps(result: Mapping[str, Any], begin_s: float, end_s: float) -> float | None:
    """Payload acknowledged a second between the samples next to two moments; None when fewer than two lie there."""
    inside = [one for one in result["samples"] if begin_s - 1e-3 <= one["t_s"] <= end_s + 1e-3]
    return between(inside[0], inside[-1]) if len(inside) > 1 else None


def failed(results: Sequence[Mapping[str, Any]]) -> str:
    """Why a trial with these flows does not count; empty when all went well."""
    return "; ".join(f"flow {one['name']}: {one['error']}" for one in results if not one["ok"])

