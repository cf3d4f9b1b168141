"""The captures and logs of one trial, read back from a run directory: one fetch as each witness saw it. It draws nothing.

A witness is the client's own account (libcurl), the packets at a capture point, or the log of a daemon. All share one clock.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np

from results import logs
from results.captures.connection_table import Analysis, analyse
from results.captures.errors import CaptureError
from results.captures.exchanges import exchanges
from results.captures.reader import read
from results.rundir import Run
from results.trials import Trial

CONNECTIONS_AT_MOST = 20
"""Of one capture: a trial with more is no single fetch."""
_LOG_SLACK_NS = 5_000_000


@dataclass(frozen=True)
class Seen:
    """A capture of a trial: the point's name, its file, its connections followed."""

    point: str
    path: Path
    analysis: Analysis


@dataclass(frozen=True)
class Account:
    """One exchange as a witness has it: who saw what, times in ns since 1970 (None: not seen), and where to look it up. Of a
    new connection `connected_ns` is behind the handshake of TLS, where there is one."""

    witness: str
    what: str
    begun_ns: int
    connected_ns: int | None
    request_ns: int | None
    first_ns: int | None
    last_ns: int | None
    where: str


def captures(run: Run, trial: Trial) -> list[Seen]:
    """Every point's capture of a trial, in the order in which the experiment names them. Raises CaptureError."""
    stem = f"trial-{int(trial.text('trial')):04}"
    found = []
    for path in sorted((run.path / "captures").glob(f"{stem}.*.pcapng")):
        if path.name == f"{stem}.relay.pcapng":
            continue
        packets, capture = read(path)
        interfaces = capture.records.interfaces
        name = interfaces[0].description if interfaces else ""
        found.append(Seen(name or path.name.removeprefix(f"{stem}.").removesuffix(".pcapng"), path, analyse(packets)))
    order = {name: number for number, name in enumerate(run.manifest.raw.get("captures") or ())}
    return sorted(found, key=lambda one: order.get(one.point, len(order)))


def accounts(run: Run, trial: Trial, seen: Sequence[Seen]) -> list[Account]:
    """What each witness says of a trial's fetch, in the order of time; of capture points hosts alone. Raises CaptureError."""
    started_ns, total_ms = int(trial.text("started_ns") or 0), trial.number("total_ms")
    if not started_ns or total_ms is None:
        raise CaptureError("the trial was no fetch")
    until_ns = started_ns + round(total_ms * 1e6) + _LOG_SLACK_NS
    names = {str(node.get("address")): str(node["name"]) for node in _nodes(run)}
    url = urlsplit(trial.text("url"))
    tls_ports = {443, url.port or 443} if url.scheme == "https" else {443}
    client = seen[0].point if seen else "client"
    found = [_client(trial, client, started_ns)]
    for one in (one for one in seen if ":" not in one.point):
        found += [account for account in _on_the_wire(one, names, tls_ports)
                  if started_ns - _LOG_SLACK_NS <= account.begun_ns <= until_ns]  # fmt: skip
    found += _logged(run.path / "logs", started_ns, until_ns, names)
    rank = {"client": 0, "wire": 1, "log": 2}
    return [found[0], *sorted(found[1:], key=lambda one: (one.begun_ns, rank[one.what.partition(" ")[0]]))]


def _nodes(run: Run) -> list[dict[str, Any]]:
    return list((run.manifest.raw.get("topology") or {}).get("nodes") or ())


def _client(trial: Trial, client: str, started_ns: int) -> Account:
    def at(column: str) -> int | None:
        value = trial.number(column) if trial.text(column) else None
        return None if value is None else started_ns + round(value * 1e6)

    new = trial.text("connection") == "new"
    begun_ns = at("dns_ms") or started_ns
    connected = "tls_ms" if trial.text("tls_ms") and trial.number("tls_ms") else "connect_ms"
    return Account(client, "client", begun_ns, at(connected) if new else None, at("request_sent_ms"), at("first_byte_ms"),
                   at("total_ms"), "libcurl's own clock, in trials.csv")  # fmt: skip


def _on_the_wire(one: Seen, names: Mapping[str, str], tls_ports: set[int]) -> Iterator[Account]:
    found, table = one.analysis.segments, one.analysis.table
    frame = found.packets.frame[found.row]
    for stream in range(min(found.connections, CONNECTIONS_AT_MOST)):
        ends = [names.get(table[end][stream], table[end][stream]) for end in ("client", "server")]
        said = exchanges(one.analysis, stream)
        opened = not table["begun_before"][stream] and np.isfinite(table["handshake_ms"][stream])
        secure = bool(opened and table["server_port"][stream] in tls_ports)
        for number, exchange in enumerate(said[secure:]):  # the first one of TLS is its handshake
            request_ns = int(found.time_ns[exchange.request])
            begun_ns, connected_ns = request_ns, None
            if number == 0 and opened:
                begun_ns = int(table["start_ns"][stream])
                connected_ns = request_ns if secure else begun_ns + round(float(table["handshake_ms"][stream]) * 1e6)
            first, last = (int(found.time_ns[place]) if place >= 0 else None for place in (exchange.first, exchange.last))
            frames = [int(frame[place]) for place in (exchange.request, exchange.first, exchange.last) if place >= 0]
            if secure:  # it may be a session ticket: what an encrypted record is, the wire does not say
                first = None
            yield Account(one.point, f"wire {ends[0]} → {ends[1]}", begun_ns, connected_ns, request_ns, first, last,
                          f"captures/{one.path.name}, frames {', '.join(map(str, frames))}")  # fmt: skip


def _logged(folder: Path, started_ns: int, until_ns: int, names: Mapping[str, str]) -> Iterator[Account]:
    """Lines of daemons' access logs whose request was answered within the time."""
    for one in logs.read(folder).records:
        if "duration_ms" in one.said and started_ns <= one.began_ns and one.ended_ns <= until_ns:
            first_ms = one.said.get("first_byte_ms")
            asker = str(one.said.get("client", "")).rpartition(":")[0].strip("[]")
            first_ns = None if first_ms is None else one.began_ns + round(float(first_ms) * 1e6)
            yield Account(one.node, f"log {names.get(asker, asker)} → {one.node}", one.began_ns, None, one.began_ns, first_ns,
                          one.ended_ns, f"logs/{one.where}: {one.said.get('result', '')}".removesuffix(": "))  # fmt: skip
