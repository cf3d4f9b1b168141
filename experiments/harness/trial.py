"""One trial: prepared, captured, measured, held against its captures.

It says whether it counts, not what it means.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from experiments.harness import one_way
from experiments.harness.capture import CaptureError, Outcome, Overhead, Recorder, overhead
from experiments.harness.experiment import Arm, Experiment
from experiments.harness.points import Point
from experiments.harness.stage import Stage, StageError
from results.captures.columns import Packets
from results.captures.errors import CaptureError as PcapError
from results.captures.reader import read
from results.captures.transfer import Followed, agreement, followed, transfer
from topologies.emulator import watch
from topologies.emulator.lab import Lab

CLIENT_COLUMNS = (
    "started_ns", "url", "ok", "error", "http_status", "connection", "dns_ms", "connect_ms", "tls_ms",
    "request_sent_ms",
    "first_byte_ms", "total_ms", "size_bytes", "digest_ok", "cache_status", "retransmits", "local_port",
    "rank", "site", "miss",
)  # fmt: skip
CAPTURE_COLUMNS = (
    "cap_connect_ms", "cap_first_byte_ms", "cap_last_byte_ms", "cap_bytes", "cap_retransmissions", "cap_packets",
    "disagreement",
)  # fmt: skip
MARGIN_NS = 1_000_000
"""A change of a link so shortly before or after a handshake counts as during it."""

HEAD_COLUMNS = ("trial", "repetition", "order", "warmup", "valid", "reason")


def columns(factors: Iterable[str], own: Iterable[str]) -> list[str]:
    """The header of trials.csv; `own` are the experiment's columns."""
    return [*HEAD_COLUMNS, *factors, *CLIENT_COLUMNS, *CAPTURE_COLUMNS, *own]


@dataclass(frozen=True)
class Measured:
    """A trial: its rows of trials.csv without the head, mostly one; what was changed of the links, for links.json; why its
    handshake was not held against the path (empty where it was, or where none was made); and what capturing it took."""

    rows: list[dict[str, Any]]
    changes: list[dict[str, Any]]
    unchecked: str
    overhead: Overhead


def measure(experiment: Experiment, stage: Stage, arm: Arm, trial: int, recorder: Recorder) -> Measured:
    """Measure once. The links' schedules begin with the measurement; what is changed of the links is changed back afterwards.

    Raises StageError when a daemon died, CaptureError when tcpdump did not start, BackendError when a link could not be
    changed: none can be cured by another trial.
    """
    live = stage.lab.live
    stage.trial = trial
    with live.as_found(), stage.faults.as_found() as broken:
        experiment.prepare(stage, arm, trial)
        captures = recorder.trial(trial)
        began, clocks = time.monotonic(), time.time() - time.monotonic()
        # The links are watched during the trial itself: what starting and stopping tcpdump does to the machine touches none.
        with captures, stage.lab.watched(f"trial {trial}", experiment.bears_ms) as late, live.scheduled() as tardy:
            fetched = experiment.measure(stage, arm, trial)
        took_s = time.monotonic() - began
        step = clock_step(time.time() - time.monotonic() - clocks, took_s)
        changes = [one.as_dict(live.began_ns) for one in live.done]
    if stage.faults.done:
        stage.keep("faults", stage.faults.rows())
    troubles = [*late, *tardy, *broken, *captures.problems, *filter(None, [step])]
    found = fetched if isinstance(fetched, list) else [fetched]
    if len(found) != experiment.side_by_side:
        raise StageError(f"could not use trial {trial}: it measured {len(found)} rows where side_by_side says "
                         f"{experiment.side_by_side}; mend the experiment")  # fmt: skip
    seen, unreadable = _seen(captures.outcomes)
    specs, moved = live.states(round(began * 1e9) - MARGIN_NS, round((began + took_s) * 1e9))
    delays = one_way.rows(stage.lab.topology, seen, specs, moved)
    stage.keep(one_way.SERIES, delays)
    troubles += [*one_way.wrong(delays, experiment.idle_paths, stage.lab.tolerance), *unreadable]
    fetches = any(one.get("url") for one in found)
    views = [(one, followed(one.path.name, seen[one.point])) for one in captures.own if fetches and one.point in seen]
    rows, unchecked = [], ""
    for one in found:
        row = {**dict.fromkeys((*CLIENT_COLUMNS, *CAPTURE_COLUMNS), ""), **client_columns(one),
               **{name: cell(one.get(name)) for name in experiment.columns}, **arm}  # fmt: skip
        reasons = list(troubles)
        if not one["ok"]:
            reasons.append(f"the {'fetch' if one.get('url') else 'measurement'} failed: {one['error']}")
        elif one.get("unexpected"):
            reasons.append(str(one["unexpected"]))
        elif one.get("url") and views and len(views) == len(captures.own):
            own = _own_first(views, str(one.get("node")))
            reasons += _from_captures(row, own)
            if experiment.idle_paths and row["cap_connect_ms"] != "":
                wrong, unchecked = _handshake(stage.lab, own[0][0].point.node, _server(stage.lab, one), row,
                                              round(clocks * 1e9))  # fmt: skip
                reasons += filter(None, [wrong])
        rows.append({**row, "valid": int(not reasons), "reason": "; ".join(reasons)})
    return Measured(rows, changes, unchecked, overhead(captures.outcomes, took_s))


def _seen(outcomes: list[Outcome]) -> tuple[dict[Point, Packets], list[str]]:
    """The packets of every point whose capture is whole, and why others could not be read."""
    found, unreadable = dict[Point, Packets](), []
    for one in outcomes:
        if not one.problem:
            try:
                packets, capture = read(one.path)
                capture.check()
                found[one.point] = packets
            except PcapError as error:
                unreadable.append(str(error))
    return found, unreadable


def _own_first(views: list[tuple[Outcome, Followed]], node: str) -> list[tuple[Outcome, Followed]]:
    """The capture where the fetch was made comes first, whoever else was captured."""
    return sorted(views, key=lambda view: view[0].point.node != node)


def clock_step(moved_s: float, duration_s: float) -> str:
    """Why the clock of a trial is not to be trusted: the time of day moved against the steady clock. Captures carry the
    one, links and client the other. Empty when it kept within 0.5 ms and 0.1 % (NTP slews by 0.05 % at most)."""
    if abs(moved_s) <= 0.0005 + 0.001 * duration_s:
        return ""
    return f"the time of day was set during the trial, by {moved_s * 1e3:+.3g} ms"


def _server(lab: Lab, fetched: Mapping[str, Any]) -> str:
    """The node that answered, by its address where the client tells it; else the host of the URL."""
    return (lab.topology.named(str(fetched.get("remote") or "").rpartition(":")[0])
            or urlsplit(str(fetched["url"])).hostname or "")  # fmt: skip


def _handshake(lab: Lab, client: str, server: str, row: dict[str, Any], clocks_ns: int) -> tuple[str, str]:
    """What is wrong with the handshake, and why it was not judged; `clocks_ns` is the time of day minus the steady clock."""
    world = lab.topology
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
        "connection": _CONNECTION.get(fetched.get("new_connection"), ""),
        "cache_status": (fetched.get("headers") or {}).get("cache-status", ""),
        "retransmits": info.get("total_retrans", ""),
        **{name: (fetched.get("ranked") or fetched).get(name) for name in ("rank", "site", "miss")},
    }
    return {name: cell(found.get(name)) for name in CLIENT_COLUMNS}


_CONNECTION: Mapping[Any, str] = {True: "new", False: "reuse"}


def cell(value: Any) -> Any:
    """A value as trials.csv has it: nothing is empty, yes and no are 1 and 0."""
    return "" if value is None else int(value) if isinstance(value, bool) else value


def _from_captures(row: dict[str, Any], views: list[tuple[Outcome, Followed]]) -> list[str]:
    port, started_ns = int(row["local_port"]), int(row["started_ns"])
    try:
        seen = transfer(views[0][1], port, started_ns)
        encrypted = str(row["url"]).startswith("https:")
        row.update(seen.columns(encrypted))
    except PcapError as error:
        return [str(error)]
    # A segment lost on its way shows as a retransmission only where it was sent from: count at every point.
    row["cap_retransmissions"] = max(view.sum("retransmissions", view.streams(port)) for _, view in views)
    compared = ("connect_ms", "dns_ms") if encrypted else ("connect_ms", "first_byte_ms", "total_ms", "dns_ms")
    row["disagreement"] = agreement({name: row[name] or None for name in compared}, seen)
    return [f"the capture of {one.point.name} lacks {missing} bytes of the connection from port {client_port}"
            for one, view in views for stream, client_port in enumerate(view.analysis.table["client_port"])
            if (missing := view.sum("missing", [stream]))]  # fmt: skip


__all__ = ["CaptureError", "Measured", "columns", "measure"]
