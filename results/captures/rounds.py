"""Rounds of a sender: how many bytes went out in each round trip, as slow start doubles them. It knows no congestion window.

A round begins with the first segment sent after the acknowledgement of the segment that began the round before (as HyStart++
counts them, RFC 9406 section 4.2). The first round of a connection is its initial window as seen on the wire (RFC 6928).
Where the capture stands away from the sender, what an acknowledgement calls forth passes only after the way there and back.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from results.captures.tcp import Segments

_AWAY = 0.25
"""Of the round trip. A sender's own time to answer is less, and a way of less blurs a round by no more."""
_SOONER = 0.9
"""Of the way to the sender and back as the handshake took it: jitter."""


def beyond_ms(table: Mapping[str, Any], number: int, side: int) -> float:
    """The time from the point of capture to one end of a connection (0 the client, 1 the server) and back, by the handshake; 0
    where the point is near to that end, and where no handshake was captured."""
    whole = float(table["initial_rtt_ms"][number])
    to_server = min(float(table["handshake_ms"][number]), whole)  # a repeated SYN makes it longer than the whole
    way = to_server if side else whole - to_server
    return way if math.isfinite(way) and way > _AWAY * whole else 0.0


def rounds(found: Segments, flow: int, most: int = 24, span: tuple[int, int] | None = None,
           away_ms: float = 0.0) -> list[tuple[int, int]]:  # fmt: skip
    """(time in ns since 1970 of its first segment, new payload bytes) of the first `most` rounds of a flow whose sender is
    `away_ms` (`beyond_ms`); of its segments at places from the first of `span` to before the second alone."""
    number = flow >> 1
    begin = int(found.streams.begins[number])
    end = int(found.streams.begins[number + 1]) if number + 1 < found.connections else len(found.row)
    places = np.arange(*(span or (begin, end)))
    data = places[(found.flow[places] == flow) & (found.payload[places] > 0) & ~found.late[places] & ~found.keep_alive[places]]
    acks = places[(found.flow[places] == flow ^ 1) & (found.ack[places] >= 0)]
    reached = np.maximum.accumulate(found.ack[acks]) if len(acks) else acks
    times, away_ns = found.time_ns[data], int(_SOONER * away_ms * 1e6)
    out: list[tuple[int, int]] = []
    first = 0
    while first < len(data) and len(out) < most:
        answered = int(np.searchsorted(reached, found.end[data[first]]))
        until = int(np.searchsorted(data, acks[answered])) if answered < len(acks) else len(data)
        if away_ns and answered < len(acks):
            until = int(np.searchsorted(times, found.time_ns[acks[answered]] + away_ns))
        until = max(until, first + 1)
        out.append((int(times[first]), int(found.payload[data[first:until]].sum())))
        first = until
    return out
