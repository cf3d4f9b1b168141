"""What one measured fetch looked like on the wire, and whether the client's own times agree. It judges no experiment.

It reads cleartext HTTP/1.1 at the client's side: with TLS the first server byte is a handshake, not a body.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from results.captures.connections import Connection, Exchange, connections
from results.captures.errors import CaptureError
from results.captures.packets import segments

TOLERANCE_MS, TOLERANCE = 1.0, 0.01
"""Client and capture agree within 1 ms + 1 % of the capture's time."""

_CLOCK_SLACK_NS = 1_000_000
"""A packet may carry a time this much before the client's note of its start: same clock, read at another moment."""


@dataclass(frozen=True)
class Transfer:
    """One exchange on the wire. Times in ms since `began_ns`: the SYN of a new connection, else the request's packet.

    `connect_ms` is SYN to SYN-ACK, None on a reused connection. `first_byte_ms` and `last_byte_ms` are the first and
    the last new payload byte from the server, `payload_bytes` the new payload bytes (header and body).
    `retransmissions` counts both directions as `results.captures.connections` defines it, `out_of_order` the segments
    that brought new bytes late, `missing_bytes` what the connection carried and the capture does not hold.
    """

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

    def columns(self) -> dict[str, float | int | str]:
        """The `cap_*` columns of `trials.csv`."""
        return {
            "cap_connect_ms": "" if self.connect_ms is None else round(self.connect_ms, 6),
            "cap_first_byte_ms": round(self.first_byte_ms, 6),
            "cap_last_byte_ms": round(self.last_byte_ms, 6),
            "cap_bytes": self.payload_bytes,
            "cap_retransmissions": self.retransmissions,
            "cap_packets": self.packets,
        }


def transfer(path: Path, local_port: int, start_ns: int | None = None) -> Transfer:
    """The first exchange of the client's `local_port` that began at `start_ns` (ns since 1970) or later.

    Raises CaptureError when the capture is broken, holds no such exchange, or no byte of its response.
    """
    seen = [one for one in connections(segments(path)) if one.client[1] == local_port]
    earliest = 0 if start_ns is None else start_ns - _CLOCK_SLACK_NS
    for connection in seen:
        for index, exchange in enumerate(connection.exchanges):
            if exchange.request_ns >= earliest:
                return _transfer(path, connection, exchange, first=index == 0, earliest=earliest)
    what = "no connection" if not seen else "no request" + ("" if start_ns is None else " after the fetch began")
    raise CaptureError(f"could not find the fetch in {path.name}: it holds {what} from port {local_port}; was the "
                       "capture running before the fetch, on the interface it used?")  # fmt: skip


def _transfer(path: Path, connection: Connection, exchange: Exchange, first: bool, earliest: int) -> Transfer:
    if exchange.first_byte_ns is None or exchange.last_byte_ns is None:
        raise CaptureError(f"could not find the response in {path.name}: port {connection.client[1]} sent a request "
                           "and no server byte was captured; see the client's own error for this fetch")  # fmt: skip
    opened_ns = connection.syn_ns if first and connection.syn_ns is not None and connection.syn_ns >= earliest else None
    began_ns = exchange.request_ns if opened_ns is None else opened_ns
    rtt_ns = None if opened_ns is None else connection.handshake_rtt_ns
    return Transfer(
        local_port=connection.client[1],
        began_ns=began_ns,
        connect_ms=None if rtt_ns is None else rtt_ns / 1e6,
        request_ms=(exchange.request_ns - began_ns) / 1e6,
        first_byte_ms=(exchange.first_byte_ns - began_ns) / 1e6,
        last_byte_ms=(exchange.last_byte_ns - began_ns) / 1e6,
        payload_bytes=exchange.response_bytes,
        packets=exchange.packets,
        retransmissions=exchange.retransmissions_to_client + exchange.retransmissions_to_server,
        out_of_order=exchange.out_of_order,
        missing_bytes=connection.to_client.missing_bytes + connection.to_server.missing_bytes,
        closed=connection.fin or connection.rst,
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
