"""Time of a TCP transfer that begins in slow start, segment by segment. It models no loss and no HyStart.

The law: the sender may have `window` segments under way, each acknowledged segment adds one (so the window doubles
every round trip) until the path is full; from then on the rate of the link rules. Sources: Cardwell, Savage and
Anderson, "Modeling TCP Latency", INFOCOM 2000; Dukkipati et al., "An Argument for Increasing TCP's Initial Congestion
Window", CCR 2010; RFC 5681 section 3.1 and RFC 6928 (initial window 10). Every segment is sent on its own: it leaves
when the window allows it and the bottleneck is free, so trains of packets and their ACK clock come out exactly.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

MSS_BYTES = 1448
"""Payload of a full segment: MTU 1500 without IPv4 (20), TCP (20) and the time stamp option (12)."""

OVERHEAD_BYTES = 66
"""What a segment adds on the wire: Ethernet 14, IPv4 20, TCP 32."""

HANDSHAKE_BYTES = 74
"""A SYN or SYN-ACK with Linux's options on the wire."""


@dataclass(frozen=True)
class Leg:
    """One TCP connection over one path.

    `rtt_ms` is both ways without serialisation, `rate_bps` the bottleneck in each direction (None: no limit).
    `window` is the congestion window in segments when the request arrives; `new_connection` adds a handshake.
    `largest_window` caps it (receive buffer, or the queue); None: no cap.
    """

    rtt_ms: float
    rate_bps: float | None
    new_connection: bool = True
    window: int = 10
    largest_window: int | None = None

    def __post_init__(self) -> None:
        if not (math.isfinite(self.rtt_ms) and self.rtt_ms >= 0):
            raise ValueError(f"RTT {self.rtt_ms} ms is not zero or more")
        if self.rate_bps is not None and not self.rate_bps > 0:
            raise ValueError(f"rate {self.rate_bps} bit/s is not above zero")
        if self.window < 1 or (self.largest_window is not None and self.largest_window < 1):
            raise ValueError(f"a window of {self.window} (at most {self.largest_window}) segments sends nothing")

    def wire_ms(self, wire_bytes: float) -> float:
        """Serialisation of so many bytes at the bottleneck."""
        return 0.0 if self.rate_bps is None else wire_bytes * 8e3 / self.rate_bps


@dataclass(frozen=True)
class Timing:
    """Milliseconds since the start of the fetch: connected, first and last byte of the body at the client."""

    connect_ms: float
    first_byte_ms: float
    total_ms: float


def transfer_time(
    *, rtt_ms: float, rate_bps: float | None, size_bytes: int, new_connection: bool = True, think_ms: float = 0.0,
    initial_window: int = 10, warm_window: int | None = None, largest_window: int | None = None,
    request_bytes: int = 150, response_header_bytes: int = 300,
) -> Timing:  # fmt: skip
    """One request over one connection. `warm_window` is the window of a reused connection, in segments (default: the
    initial one, as after an idle time with `tcp_slow_start_after_idle=1`). Raises ValueError on absurd values."""
    window = initial_window if new_connection or warm_window is None else warm_window
    leg = Leg(rtt_ms, rate_bps, new_connection, window, largest_window)
    connect_ms, asked_ms = _ask(leg, request_bytes)
    sizes = segment_sizes(size_bytes + response_header_bytes)
    arrived = train(leg, sizes, [asked_ms + think_ms])
    return Timing(connect_ms, arrived[0], arrived[-1])


def through_cold_edge(
    *, client: Leg, origin: Leg, size_bytes: int, think_ms: float = 0.0,
    request_bytes: int = 150, response_header_bytes: int = 300,
) -> Timing:  # fmt: skip
    """A miss: the edge asks the origin (`origin` leg, usually a kept connection) and passes segments on as they come.

    Split TCP: Kurose and Ross, "Computer Networking", chapter 2; Pathak et al., PAM 2010.
    """
    connect_ms, at_edge_ms = _ask(client, request_bytes)
    _, at_origin_ms = _ask(origin, request_bytes)
    sizes = segment_sizes(size_bytes + response_header_bytes)
    at_edge = train(origin, sizes, [at_edge_ms + at_origin_ms + think_ms])
    arrived = train(client, sizes, at_edge)
    return Timing(connect_ms, arrived[0], arrived[-1])


def window_after(size_bytes: int, initial_window: int = 10, response_header_bytes: int = 300) -> int:
    """Congestion window, in segments, after a response of `size_bytes` that the window limited all along: each of its
    segments was acknowledged and added one. Upper bound: Linux adds none while the sender has too little to send."""
    return initial_window + len(segment_sizes(size_bytes + response_header_bytes))


def segment_sizes(payload_bytes: int) -> list[int]:
    """Payload of each segment of a response; at least one segment."""
    if payload_bytes < 0:
        raise ValueError(f"a response of {payload_bytes} bytes is not zero or more")
    full, rest = divmod(payload_bytes, MSS_BYTES)
    return [MSS_BYTES] * full + ([rest] if rest or not full else [])


def train(leg: Leg, sizes: Sequence[int], ready_ms: Sequence[float]) -> list[float]:
    """When each segment is at the receiver. `ready_ms[k]` is when the sender has segment k; the last value holds for
    all that follow."""
    arrived: list[float] = []
    free_ms = 0.0
    one_way_ms = leg.rtt_ms / 2
    ack_ms = one_way_ms + leg.wire_ms(OVERHEAD_BYTES)
    last_ready = len(ready_ms) - 1
    for k, size in enumerate(sizes):
        send_ms = ready_ms[min(k, last_ready)]
        # k + 1 segments are allowed once a + window(a) reaches it, where window(a) = window + a after a ACKs, capped.
        acks = (k + 2 - leg.window) // 2
        if leg.largest_window is not None:
            acks = max(acks, k + 1 - min(leg.largest_window, leg.window + max(acks, 0)))
        if acks > 0:
            send_ms = max(send_ms, arrived[acks - 1] + ack_ms)
        free_ms = max(send_ms, free_ms) + leg.wire_ms(size + OVERHEAD_BYTES)
        arrived.append(free_ms + one_way_ms)
    return arrived


def _ask(leg: Leg, request_bytes: int) -> tuple[float, float]:
    """When the client is connected, and when the server has the request."""
    connect_ms = leg.rtt_ms + 2 * leg.wire_ms(HANDSHAKE_BYTES) if leg.new_connection else 0.0
    return connect_ms, connect_ms + leg.rtt_ms / 2 + leg.wire_ms(request_bytes + OVERHEAD_BYTES)
