"""What one measured fetch looked like on the wire, and whether the client's own times agree. It judges no experiment.

It reads cleartext HTTP/1.1 at the client's side: of TLS, whose first server byte is a handshake and whose last an alert, it
tells the connection alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from results.captures.columns import Packets
from results.captures.connection_table import Analysis, analyse
from results.captures.errors import CaptureError
from results.captures.exchanges import Exchange, exchanges
from results.captures.reader import read

TOLERANCE_MS, TOLERANCE = 1.0, 0.01
"""Client and capture agree within 1 ms + 1 % of the capture's time."""

_CLOCK_SLACK_NS = 1_000_000
"""A packet may carry a time this much before the client's note of its start: same clock, read at another moment."""


@dataclass(frozen=True)
class Transfer:
    """One exchange on the wire. Times in ms since `began_ns`: the SYN of a new connection, else the request's packet.

    `connect_ms` is SYN to SYN-ACK, None on a reused connection. `first_byte_ms` and `last_byte_ms` are the first and
    the last new payload byte from the server, `payload_bytes` the new payload bytes (header and body).
    `retransmissions` counts both directions as `results.captures.losses` tells them, `out_of_order` segments that others
    overtook, `missing_bytes` what the connection carried and the capture does not hold. `stream` is the connection.
    """

    stream: int
    local_port: int
    began_ns: int
    connect_ms: float | None
    request_ms: float
    first_byte_ms: float
    last_byte_ms: float
    payload_bytes: int
    packets: int
    retransmissions: int
    out_of_order: int
    missing_bytes: int
    closed: bool

    def columns(self, encrypted: bool = False) -> dict[str, float | int | str]:
        """The `cap_*` columns of `trials.csv`; of an encrypted connection those that do not tell of its content."""
        return {
            "cap_connect_ms": "" if self.connect_ms is None else round(self.connect_ms, 6),
            "cap_first_byte_ms": "" if encrypted else round(self.first_byte_ms, 6),
            "cap_last_byte_ms": "" if encrypted else round(self.last_byte_ms, 6),
            "cap_bytes": "" if encrypted else self.payload_bytes,
            "cap_retransmissions": self.retransmissions,
            "cap_packets": "" if encrypted else self.packets,
        }


@dataclass(frozen=True)
class Followed:
    """A capture that was whole, with its connections followed."""

    name: str
    analysis: Analysis

    def streams(self, client_port: int) -> list[int]:
        """Connections of clients with that port, in order of appearance."""
        return [int(one) for one in np.flatnonzero(self.analysis.table["client_port"] == client_port)]

    def sum(self, column: str, streams: list[int]) -> int:
        """Of a column of the connection table, both directions."""
        table = self.analysis.table
        return sum(int(table[f"{column}_{way}"][one]) for one in streams for way in ("up", "down"))


def follow(path: Path) -> Followed:
    """Read a capture. Raises CaptureError unless it is whole, cut in no header."""
    packets, capture = read(path)
    capture.check()
    return followed(path.name, packets)


def followed(name: str, packets: Packets) -> Followed:
    """Packets of a capture that were read already."""
    return Followed(name, analyse(packets))


def transfer(seen: Followed | Path, local_port: int, start_ns: int | None = None) -> Transfer:
    """The first exchange of the client's `local_port` that began at `start_ns` (ns since 1970) or later.

    Raises CaptureError when the capture is broken, holds no such exchange, or no byte of its response.
    """
    view = follow(seen) if isinstance(seen, Path) else seen
    streams = view.streams(local_port)
    earliest = 0 if start_ns is None else start_ns - _CLOCK_SLACK_NS
    time_ns = view.analysis.segments.time_ns
    for stream in streams:
        for index, exchange in enumerate(exchanges(view.analysis, stream)):
            if time_ns[exchange.request] >= earliest:
                return _transfer(view, stream, exchange, first=index == 0, earliest=earliest)
    what = "no connection" if not streams else "no request" + ("" if start_ns is None else " after the fetch began")
    raise CaptureError(f"could not find the fetch in {view.name}: it holds {what} from port {local_port}; was the "
                       "capture running before the fetch, on the interface it used?")  # fmt: skip


def _transfer(view: Followed, stream: int, exchange: Exchange, first: bool, earliest: int) -> Transfer:
    found, table, losses = view.analysis.segments, view.analysis.table, view.analysis.losses
    port = int(table["client_port"][stream])
    if exchange.first < 0:
        raise CaptureError(f"could not find the response in {view.name}: port {port} sent a request "
                           "and no server byte was captured; see the client's own error for this fetch")  # fmt: skip
    request_ns, syn_ns = int(found.time_ns[exchange.request]), int(table["start_ns"][stream])
    opened = first and not table["begun_before"][stream] and syn_ns >= earliest
    began_ns = syn_ns if opened else request_ns
    connect_ms = float(table["handshake_ms"][stream])
    span = exchange.request, exchange.until
    return Transfer(
        stream=stream,
        local_port=port,
        began_ns=began_ns,
        connect_ms=connect_ms if opened and connect_ms == connect_ms else None,  # noqa: PLR0124
        request_ms=(request_ns - began_ns) / 1e6,
        first_byte_ms=int(found.time_ns[exchange.first] - began_ns) / 1e6,
        last_byte_ms=int(found.time_ns[exchange.last] - began_ns) / 1e6,
        payload_bytes=exchange.response_bytes,
        packets=exchange.until - exchange.request,
        retransmissions=int(np.diff(np.searchsorted(losses.again, span))[0]),
        out_of_order=int(np.diff(np.searchsorted(losses.out_of_order, span))[0]),
        missing_bytes=view.sum("missing", [stream]),
        closed=bool(view.sum("fin", [stream]) + view.sum("rst", [stream])),
    )


def agreement(client: Mapping[str, float | None], capture: Transfer) -> str:
    """Empty when the client's times agree with the capture within 1 ms + 1 %, else words that name both.

    `client` holds `connect_ms`, `first_byte_ms`, `total_ms`, and `dns_ms`, all from the start of the fetch as libcurl
    counts. The name look-up ends before the first packet, so it is taken off on a new connection.
    """
    before_ms = (client.get("dns_ms") or 0.0) if capture.connect_ms is not None else 0.0
    pairs = (("connect", client.get("connect_ms"), capture.connect_ms),
             ("first byte", client.get("first_byte_ms"), capture.first_byte_ms),
             ("last byte", client.get("total_ms"), capture.last_byte_ms))  # fmt: skip
    words = []
    for name, client_ms, capture_ms in pairs:
        if client_ms is None or capture_ms is None:
            continue
        apart_ms = client_ms - before_ms - capture_ms
        if not abs(apart_ms) <= TOLERANCE_MS + TOLERANCE * capture_ms:
            words.append(f"{name}: client {client_ms - before_ms:.3f} ms, capture {capture_ms:.3f} ms")
    return "; ".join(words)
