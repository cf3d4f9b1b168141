"""TCP connections of many packets at once: states of both directions at every segment, as vectors. It sums up nothing.

Sequence and acknowledgement numbers are relative to each sender's initial one (its SYN has 0, its first byte 1; where the
capture began later the first segment seen has 1) and go on past 2^32 (RFC 9293 section 3.4). All arrays stand in the order of
`Streams`: connection after connection, each in file order.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from results.captures.columns import Packets
from results.captures.formats import ACK, FIN, RST, SYN
from results.captures.streams import Ints, Streams, stable_order

Bools = NDArray[np.bool_]

_SHIFT = 42
"""Bits kept for relative sequence numbers beside a connection's number: 4 TiB a direction, two million connections."""


@dataclass
class Segments:
    """Segments of all connections. Shape of every array: one entry a TCP segment.

    `number` of the connection; `row` in the packets; `flow` is 2 * number, plus 1 for what the server sent. `seq`, `end`
    (behind the last byte; SYN and FIN count one) and `ack` (-1 before any) are relative. What was so before it: `highest`
    is the highest `end` of its sender, `other_highest` of the other side, `acked` the highest number that the other side had
    acknowledged, `own_acked` that its sender had; -1 before any. `window` is scaled bytes. `late` marks segments with bytes
    that begin below `highest` (sent again or out of order), `gap` those that begin above it, and `keep_alive` probes
    (RFC 9293 section 3.8.4).
    """

    packets: Packets
    streams: Streams
    number: Ints
    row: Ints
    flow: Ints
    time_ns: Ints
    payload: Ints
    flags: NDArray[np.uint16]
    seq: Ints
    end: Ints
    ack: Ints
    highest: Ints
    acked: Ints
    own_acked: Ints
    other_highest: Ints
    window: Ints
    late: Bools
    gap: Bools
    keep_alive: Bools
    opened: Bools
    scaled: Bools

    @cached_property
    def flow_order(self) -> Ints:
        """Places flow after flow, each in file order."""
        return stable_order(self.flow)

    @cached_property
    def flow_begins(self) -> Ints:
        """Where each flow begins in `flow_order`."""
        ordered = self.flow[self.flow_order]
        return np.flatnonzero(np.append(True, ordered[1:] != ordered[:-1])) if len(ordered) else np.empty(0, np.int64)

    def previous(self, values: Any, none: int) -> Any:
        """For every segment the value of the same sender's segment before it; `none` for its first."""
        shifted = np.empty_like(values)
        shifted[self.flow_order[1:]] = values[self.flow_order[:-1]]
        if len(shifted):
            shifted[self.flow_order[self.flow_begins]] = none
        return shifted

    def highest_seen(self, values: Ints) -> tuple[Ints, Ints]:
        """The highest of `values` (-1 for none) before each segment: of its own sender, and of the other side."""
        return _highest_before(values, (self.flow & 1).astype(np.bool_), self.number, self.streams.begins)

    @property
    def connections(self) -> int:
        """How many there are."""
        return len(self.streams.begins)


def segments(packets: Packets, grouped: Streams) -> Segments:
    """Follow every connection of `packets`, `grouped` already."""
    row, number = grouped.order, grouped.number
    flags = packets.flags[row]
    flow, opened = _flows(packets, grouped, flags)
    flow_order = stable_order(flow)
    sorted_flow = flow[flow_order]
    flow_begins = np.flatnonzero(np.append(True, sorted_flow[1:] != sorted_flow[:-1])) if len(row) else np.empty(0, np.int64)
    payload = packets.payload[row].astype(np.int64)
    sequence, base, has_base = _sequence(packets.seq[row], flags, flow, flow_order, flow_begins, 2 * len(grouped.begins))
    ack = _acknowledged(packets.ack[row], flags, flow, flow_order, flow_begins, base, has_base)
    occupies = payload + ((flags & SYN) > 0) + ((flags & FIN) > 0)
    end = sequence + occupies
    server = (flow & 1).astype(np.bool_)
    highest, other_highest = _highest_before(end, server, number, grouped.begins)
    own_acked, acked = _highest_before(ack, server, number, grouped.begins)
    known = highest >= 0
    plain = (flags & (SYN | FIN | RST)) == 0
    keep_alive = plain & (payload <= 1) & known & (sequence == highest - 1) & ((flags & ACK) > 0) & (acked >= highest)
    held = (occupies > 0) & known & ((flags & RST) == 0)
    window, scaled = _window(packets, row, flags, flow, number, len(grouped.begins))
    return Segments(
        packets, grouped, number, row, flow, packets.time_ns[row], payload, flags, sequence, end, ack, highest, acked,
        own_acked, other_highest, window, held & (sequence < highest) & ~keep_alive, held & (sequence > highest), keep_alive,
        opened, scaled,
    )  # fmt: skip


def _flows(packets: Packets, grouped: Streams, flags: Any) -> tuple[Ints, Bools]:
    """Flow of each segment, and for each connection whether the capture holds a SYN of it.

    The client is who sent the SYN, or whom a SYN-ACK answered; where the capture began later, who uses the higher port.
    """
    count = len(grouped.begins)
    role = np.full(count, -1, np.int64)  # 1 when the first segment came from the server
    syn_ack = np.flatnonzero((flags & (SYN | ACK)) == (SYN | ACK))[::-1]
    role[grouped.number[syn_ack]] = ~grouped.reverse[syn_ack]
    syn = np.flatnonzero((flags & (SYN | ACK)) == SYN)[::-1]
    role[grouped.number[syn]] = grouped.reverse[syn]
    opened = role >= 0
    heads = grouped.order[grouped.begins]
    guessed = packets.source_port[heads] < packets.destination_port[heads]
    first_from_server = np.where(opened, role == 1, guessed)
    from_server = grouped.reverse ^ first_from_server[grouped.number] if count else grouped.reverse
    return 2 * grouped.number + from_server, opened


def _sequence(raw: Any, flags: Any, flow: Ints, order: Ints, begins: Ints, flows: int) -> tuple[Ints, Any, Bools]:
    """Relative sequence numbers, the raw number that has 0 in each flow, and which flows have one."""
    sequence = _unwrapped(raw, order, begins)
    base, has_base = np.zeros(flows, np.uint32), np.zeros(flows, np.bool_)
    heads = order[begins]
    syn = (flags[heads] & SYN) > 0
    start = np.where(syn, 0, 1)
    sequence += _spread(start, order, begins)
    base[flow[heads]] = raw[heads] - start.astype(np.uint32)
    has_base[flow[heads]] = True
    return sequence, base, has_base


def _spread(values: Any, order: Ints, begins: Ints) -> Any:
    """One value a flow, laid out over its segments."""
    out = np.empty(len(order), np.int64)
    out[order] = np.repeat(values, np.diff(np.append(begins, len(order))))
    return out


def _unwrapped(raw: Any, order: Ints, begins: Ints) -> Ints:
    """Numbers of each flow past 2^32, 0 at its first: neighbours are less than 2^31 apart."""
    values = raw[order]
    steps = np.zeros(len(values), np.int64)
    steps[1:] = (values[1:] - values[:-1]).view(np.int32)
    steps[begins] = 0
    total = np.cumsum(steps)
    total -= np.repeat(total[begins], np.diff(np.append(begins, len(order)))) if len(begins) else 0
    out = np.empty(len(values), np.int64)
    out[order] = total
    return out


def _acknowledged(raw: Any, flags: Any, flow: Ints, order: Ints, begins: Ints, base: Any, has_base: Bools) -> Ints:
    """Relative acknowledgement numbers; -1 for segments without one."""
    carries = ((flags & ACK) > 0)[order]
    mine = order[carries]
    if not len(mine):
        return np.full(len(raw), -1, np.int64)
    sorted_flow = flow[mine]
    starts = np.flatnonzero(np.append(True, sorted_flow[1:] != sorted_flow[:-1]))
    compact = _unwrapped(raw[mine], np.arange(len(mine)), starts)
    other = sorted_flow[starts] ^ 1
    head = raw[mine[starts]]
    first = np.where(has_base[other], (head - base[other]).view(np.int32).astype(np.int64), 1)
    compact += np.repeat(first, np.diff(np.append(starts, len(mine))))
    out = np.full(len(raw), -1, np.int64)
    out[mine] = compact
    return out


def _highest_before(values: Ints, server: Bools, number: Ints, begins: Ints) -> tuple[Ints, Ints]:
    """The highest value before each segment from its own sender, and from the other side; -1 before any."""
    bias = number << _SHIFT
    floor = 1 << (_SHIFT - 1)  # numbers below the base are negative
    found = []
    for side in (False, True):
        mine = np.where(server == side, np.maximum(values, -floor + 1), -floor) + bias
        running = np.maximum.accumulate(mine) if len(mine) else mine
        before = np.empty_like(running)
        before[1:] = running[:-1]
        if len(begins):
            before[begins] = -floor + (np.arange(len(begins)) << _SHIFT)
        before -= bias
        found.append(np.where(before <= -floor, -1, before))
    return np.where(server, found[1], found[0]), np.where(server, found[0], found[1])


def _window(packets: Packets, row: Ints, flags: Any, flow: Ints, number: Ints, count: int) -> tuple[Ints, Bools]:
    """Receive windows in bytes (RFC 7323 section 2.2), and which connections' scale is known. A scale counts only when both
    SYNs carry one, and never in a SYN itself; unknown scales count as 0."""
    scale = np.full(2 * count, -1, np.int64)
    syn = (flags & SYN) > 0
    opening = np.flatnonzero(syn)
    scale[flow[opening]] = packets.scale[row[opening]]
    seen = np.zeros(2 * count, np.bool_)
    seen[flow[opening]] = True
    both = (scale[0::2] >= 0) & (scale[1::2] >= 0)
    shift = np.where(np.repeat(both, 2), scale, 0)
    raw = packets.window[row].astype(np.int64)
    return raw << np.where(syn, 0, shift[flow]), seen[0::2] & seen[1::2]
