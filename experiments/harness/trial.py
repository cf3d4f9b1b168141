"""One trial: prepared, captured, measured, held against its captures.

It says whether it counts, not what it means.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from experiments.harness.capture import CaptureError, Captures, Outcome
from experiments.harness.experiment import Arm, Experiment
from experiments.harness.stage import Stage
from results.captures import connections, packets
from results.captures.errors import CaptureError as PcapError
from results.captures.transfer import agreement, transfer
from topologies.emulator import watch
from topologies.emulator.lab import Lab

CLIENT_COLUMNS = (
    "started_ns", "url", "ok", "error", "http_status", "connection", "dns_ms", "connect_ms", "tls_ms",
    "request_sent_ms",
    "first_byte_ms", "total_ms", "size_bytes", "digest_ok", "cache_status", "retransmits", "local_port",
)  # fmt: skip
CAPTURE_COLUMNS = (
    "cap_connect_ms", "cap_first_byte_ms", "cap_last_byte_ms", "cap_bytes", "cap_retransmissions", "cap_packets",
    "disagreement",
)  # fmt: skip
CONNECTION: dict[bool | None, str] = {True: "new", False: "reuse", None: ""}
MARGIN_NS = 1_000_000
"""A change of a link so shortly before or after a handshake counts as during it."""

HEAD_COLUMNS = ("trial", "repetition", "order", "warmup", "valid", "reason")


def columns(factors: Iterable[str], own: Iterable[str]) -> list[str]:
    """The header of trials.csv; `own` are the experiment's columns."""
    return [*HEAD_COLUMNS, *factors, *CLIENT_COLUMNS, *CAPTURE_COLUMNS, *own]


@dataclass(frozen=True)
class Measured:
    """A trial: its row of trials.csv without the head; what was changed of the links, for links.json; why its handshake was
    not held against the path (empty where it was, or where none was made); and packets captured and dropped by captures."""

    row: dict[str, Any]
    changes: list[dict[str, Any]]
    unchecked: str
    captured: int
    capture_drops: int


def measure(experiment: Experiment, stage: Stage, arm: Arm, trial: int, folder: Path, run_id: str) -> Measured:
    """Measure once. The links' schedules begin with the measurement; what is changed of the links is changed back afterwards.

    Raises StageError when a daemon died, CaptureError when tcpdump did not start, BackendError when a link could not be
    changed: none can be cured by another trial.
    """
    live = stage.lab.live
    stage.trial = trial
    with live.as_found(), stage.faults.as_found() as broken:
        experiment.prepare(stage, arm, trial)
        captures = Captures(stage.lab, experiment.captures(), folder, trial, run_id)
        began, clocks = time.monotonic(), time.time() - time.monotonic()
        # The links are watched during the trial itself: what starting and stopping tcpdump does to the machine touches none.
        with captures, stage.lab.watched(f"trial {trial}") as late, live.scheduled() as tardy:
            fetched = experiment.measure(stage, arm, trial)
        step = clock_step(time.time() - time.monotonic() - clocks, time.monotonic() - began)
        changes = [one.as_dict(live.began_ns) for one in live.done]
    row = {**dict.fromkeys((*CLIENT_COLUMNS, *CAPTURE_COLUMNS), ""), **client_columns(fetched),
           **{name: cell(fetched.get(name)) for name in experiment.columns}, **arm}  # fmt: skip
    if stage.faults.done:
        stage.keep("faults", stage.faults.rows())
    reasons = [*late, *tardy, *broken, *filter(None, (step, *(outcome.problem for outcome in captures.outcomes)))]
    unchecked = ""
    if not fetched["ok"]:
        reasons.append(f"the {'fetch' if fetched.get('url') else 'measurement'} failed: {fetched['error']}")
    elif fetched.get("unexpected"):
        reasons.append(str(fetched["unexpected"]))
    elif captures.outcomes and fetched.get("url"):
        reasons += _from_captures(row, captures.outcomes)
        if experiment.idle_paths and row["cap_connect_ms"] != "":
            wrong, unchecked = _handshake(stage.lab, captures.outcomes[0].node, row, round(clocks * 1e9))
            reasons += filter(None, [wrong])
    outcomes = captures.outcomes
    return Measured({**row, "valid": int(not reasons), "reason": "; ".join(reasons)}, changes, unchecked,
                    sum(one.packets for one in outcomes), sum(max(0, one.dropped) for one in outcomes))  # fmt: skip


def clock_step(moved_s: float, duration_s: float) -> str:
    """Why the clock of a trial is not to be trusted: the time of day moved against the steady clock. Captures carry the
    one, links and client the other. Empty when it kept within 0.5 ms and 0.1 % (NTP slews by 0.05 % at most)."""
    if abs(moved_s) <= 0.0005 + 0.001 * duration_s:
        return ""
    return f"the time of day was set during the trial, by {moved_s * 1e3:+.3g} ms"


def _handshake(lab: Lab, client: str, row: dict[str, Any], clocks_ns: int) -> tuple[str, str]:
    """What is wrong with the handshake, and why it was not judged; `clocks_ns` is the time of day minus the steady clock."""
    world, server = lab.topology, urlsplit(str(row["url"])).hostname or ""
    if server not in world.plans:
        return "", f"{server} is no node"
    begun_ns = int(row["started_ns"]) - clocks_ns
    specs, moved = lab.live.states(begun_ns - MARGIN_NS, begun_ns + round(float(row["connect_ms"]) * 1e6) + MARGIN_NS)
    changed = moved & {link.name for link, _ in (*world.hops(client, server), *world.hops(server, client))}
    if changed:
        return "", f"link {', '.join(sorted(changed))} was changed during the handshake"
    due = world.handshake(client, server, specs)
    if isinstance(due, str):
        return "", due
    return watch.handshake(*due, float(row["cap_connect_ms"]), lab.tolerance), ""


def client_columns(fetched: Mapping[str, Any]) -> dict[str, Any]:
    """What the client said, in the words of trials.csv."""
    info = fetched.get("tcp_info") or {}
    found = {
        **fetched,
        "connection": CONNECTION[fetched.get("new_connection")],
        "cache_status": (fetched.get("headers") or {}).get("cache-status", ""),
        "retransmits": info.get("total_retrans", ""),
    }
    return {name: cell(found.get(name)) for name in CLIENT_COLUMNS}


def cell(value: Any) -> Any:
    """A value as trials.csv has it: nothing is empty, yes and no are 1 and 0."""
    return "" if value is None else int(value) if isinstance(value, bool) else value


def _from_captures(row: dict[str, Any], outcomes: list[Outcome]) -> list[str]:
    port, started_ns = int(row["local_port"]), int(row["started_ns"])
    try:
        seen = transfer(outcomes[0].path, port, started_ns)
        row.update(seen.columns())
        found = [(outcome.node, one) for outcome in outcomes
                 for one in connections.connections(packets.segments(outcome.path))]  # fmt: skip
    except PcapError as error:
        return [str(error)]
    # A segment lost on its way shows as a retransmission only where it was sent from: count at every point.
    row["cap_retransmissions"] = max(
        one.to_client.retransmissions + one.to_server.retransmissions for _, one in found if one.client[1] == port
    )
    row["disagreement"] = agreement(
        {k: row[k] or None for k in ("connect_ms", "first_byte_ms", "total_ms", "dns_ms")}, seen
    )
    return [f"the capture of {node} lacks {missing} bytes of the connection from port {one.client[1]}"
            for node, one in found if (missing := one.to_client.missing_bytes + one.to_server.missing_bytes)]  # fmt: skip


__all__ = ["CaptureError", "Measured", "columns", "measure"]
