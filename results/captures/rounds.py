"""Rounds of a sender: how many bytes went out in each round trip, as slow start doubles them. It knows no congestion window.

A round begins with the first segment sent after the acknowledgement of the segment that began the round before (as HyStart++
counts them, RFC 9406 section 4.2). The first round of a connection is its initial window as seen on the wire (RFC 6928).
"""

from __future__ import annotations

import numpy as np

from results.captures.tcp import Segments


def rounds(found: Segments, flow: int, most: int = 24, span: tuple[int, int] | None = None) -> list[tuple[int, int]]:
    """(time in ns since 1970 of its first segment, new payload bytes) of the first `most` rounds of a flow; of its segments at
    places from the first of `span` to before the second alone."""
    number = flow >> 1
    begin = int(found.streams.begins[number])
    end = int(found.streams.begins[number + 1]) if number + 1 < found.connections else len(found.row)
    places = np.arange(*(span or (begin, end)))
    data = places[(found.flow[places] == flow) & (found.payload[places] > 0) & ~found.late[places] & ~found.keep_alive[places]]
    acks = places[(found.flow[places] == flow ^ 1) & (found.ack[places] >= 0)]
    reached = np.maximum.accumulate(found.ack[acks]) if len(acks) else acks
    out: list[tuple[int, int]] = []
    first = 0
    while first < len(data) and len(out) < most:
        answered = int(np.searchsorted(reached, found.end[data[first]]))
        until = int(np.searchsorted(data, acks[answered])) if answered < len(acks) else len(data)
        until = max(until, first + 1)
        out.append((int(found.time_ns[data[first]]), int(found.payload[data[first:until]].sum())))
        first = until
    return out
