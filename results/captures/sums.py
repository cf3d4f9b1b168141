"""Sums over the segments of each flow and each connection. It names no column of a table: see `connection_table`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from results.captures.formats import FIN, RST, SYN
from results.captures.losses import Losses
from results.captures.streams import Ints
from results.captures.tcp import Segments

IDLE_NS = 100_000_000


@dataclass
class Sums:
    """The first ten with one entry a flow (2 * connection, plus 1 for the server's), all others with one a connection.

    `head` is the place of a flow's first segment, -1 without; sizes are payload bytes; `missing` those of holes that nothing
    filled; `initial_window` what was sent before the first acknowledgement of data; `busy_ns` from first to last payload;
    `idle_ns` the times over `IDLE_NS` before which all that was sent had been acknowledged.
    """

    head: Ints
    bytes: Ints
    new_bytes: Ints
    window_max: Ints
    in_flight_max: Ints
    initial_window: Ints
    missing: Ints
    fin: Ints
    rst: Ints
    busy_ns: Ints
    duplicate_acks: Ints
    sack_blocks: Ints
    zero_windows: Ints
    keep_alives: Ints
    idle_ns: Ints
    simultaneous: NDArray[np.bool_]


def sums(found: Segments, lost: Losses, fresh: Ints) -> Sums:
    """Of all connections; `fresh` are the new bytes of each segment."""
    count, flows, of = found.connections, 2 * found.connections, found.flow
    head = np.full(flows, -1, np.int64)
    head[of[::-1]] = np.arange(len(of))[::-1]
    syn_free = (found.flags & (SYN | FIN | RST)) == 0
    sending = np.where(found.end > found.seq, in_flight(found), 0)
    opening = (found.acked <= 1) & (found.payload > 0)
    return Sums(
        head, summed(of, found.payload, flows), summed(of, fresh, flows),
        _most(of, np.where(found.flags & RST, 0, found.window), flows), _most(of, sending, flows),
        summed(of, np.where(opening, fresh, 0), flows), _missing(found, lost, flows),
        summed(of, (found.flags & FIN) > 0, flows), summed(of, (found.flags & RST) > 0, flows), _busy(found, flows),
        summed(found.number, lost.duplicate_ack, count), summed(found.number, found.packets.sacks[found.row], count),
        summed(found.number, (found.window == 0) & syn_free, count), summed(found.number, found.keep_alive, count),
        _idle(found, count), _simultaneous(found),
    )  # fmt: skip


def summed(of: Ints, values: Any, count: int) -> Ints:
    """The sum of `values` by the number that each belongs to."""
    weights = np.broadcast_to(np.asarray(values, np.float64), of.shape)
    return np.bincount(of, weights, count).astype(np.int64)


def _most(of: Ints, values: Ints, count: int) -> Ints:
    out = np.zeros(count, np.int64)
    np.maximum.at(out, of, values)
    return out


def in_flight(found: Segments) -> Ints:
    """Bytes that the sender of each segment has outstanding with it; what was SACKed counts as outstanding."""
    return np.maximum(found.highest, found.end) - np.maximum(found.acked, _base(found))


def _base(found: Segments) -> Ints:
    """What counts as acknowledged before any acknowledgement: where the sender's first segment began."""
    begin = np.zeros(2 * found.connections, np.int64)
    firsts = found.flow_order[found.flow_begins]
    begin[found.flow[firsts]] = found.seq[firsts]
    return begin[found.flow]


def _busy(found: Segments, flows: int) -> Ints:
    places = np.flatnonzero(found.payload > 0)
    first, last = np.zeros(flows, np.int64), np.zeros(flows, np.int64)
    first[found.flow[places[::-1]]] = found.time_ns[places[::-1]]
    last[found.flow[places]] = found.time_ns[places]
    return last - first


def _missing(found: Segments, lost: Losses, flows: int) -> Ints:
    """Bytes of the holes that later segments showed, without what was filled."""
    holes = np.zeros(flows, np.int64)
    shown = np.flatnonzero(found.gap)
    np.add.at(holes, found.flow[shown], found.seq[shown] - found.highest[shown])
    filled = np.flatnonzero(lost.filled > 0)
    np.subtract.at(holes, found.flow[filled], lost.filled[filled])
    return holes


def _simultaneous(found: Segments) -> Any:
    opens = np.flatnonzero((found.flags & (SYN | 0x10)) == SYN)
    seen = np.zeros(2 * found.connections, np.bool_)
    seen[found.flow[opens]] = True
    return seen[0::2] & seen[1::2]


def _idle(found: Segments, count: int) -> Ints:
    gaps = np.zeros(len(found.row), np.int64)
    gaps[1:] = found.time_ns[1:] - found.time_ns[:-1]
    gaps[found.streams.begins] = 0
    quiet = (found.highest <= found.acked) & (found.other_highest <= found.own_acked) & (gaps > IDLE_NS)
    return summed(found.number, np.where(quiet, gaps, 0), count)
