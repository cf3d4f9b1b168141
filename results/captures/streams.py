"""Which connection each TCP segment belongs to, as vectors. It orders no bytes and times nothing.

A connection is a pair of endpoints, or, where captures of several points were merged, such a pair at one interface. As in
tshark, a SYN that is not its sender's first segment begins another connection on the same pair when its sequence number is not
that of the connection's own SYN. Numbers count from 0 in order of first packets, as `tcp.stream` does.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from results.captures import compiled
from results.captures.columns import CUT, FRAGMENT, MALFORMED, TCP, Packets
from results.captures.formats import ACK, SYN
from results.captures.memory import Memory

Ints = NDArray[np.int64]
_FEW = 2000


@dataclass
class Streams:
    """TCP segments grouped. `order` are their rows, connection after connection, each in file order; `begins` where each
    connection begins in `order`; `number` the connection of each place in `order`. `reverse` is true for segments that the
    connection's second endpoint sent; the first is who sent the first segment."""

    order: Ints
    begins: Ints
    number: Ints
    reverse: NDArray[np.bool_]


def tcp_rows(packets: Packets) -> Ints:
    """Rows with a whole TCP header."""
    return np.flatnonzero((packets.protocol == TCP) & ((packets.state & (FRAGMENT | MALFORMED)) == 0)
                          & ~(((packets.state & CUT) > 0) & (packets.header_bytes == 0)))  # fmt: skip


def streams(packets: Packets, apart: bool = False, memory: Memory | None = None) -> Streams:
    """Group the TCP segments of `packets`; `apart` at each interface for itself. What comes out may lie in `memory`."""
    rows = tcp_rows(packets)
    if not len(rows):
        nothing = np.empty(0, np.int64)
        return Streams(nothing, nothing, nothing, np.empty(0, np.bool_))
    if (core := compiled.core()) is not None:
        return Streams(*compiled.streams(core, packets, rows, apart, memory or Memory()))
    group = _pairs(packets, rows, apart)
    order = stable_order(group)
    group, rows = group[order], rows[order]
    first = np.append(True, group[1:] != group[:-1])
    first |= _used_again(packets, rows, group, first)
    begins = np.flatnonzero(first)
    # By first packets: connections that the same pair of endpoints used later stand behind others.
    rank = np.argsort(rows[begins], kind="stable")
    if not (rank == np.arange(len(rank))).all():
        place = stable_order(np.argsort(rank, kind="stable")[np.cumsum(first) - 1])
        rows, first = rows[place], first[place]
        begins = np.flatnonzero(first)
    number = np.cumsum(first) - 1
    head = rows[begins][number]
    reverse = ~_same_sender(packets, rows, head)
    return Streams(rows, begins, number, reverse)


def stable_order(values: Ints) -> Ints:
    """A stable argsort of small numbers; numpy sorts 16 bits by radix, ten times as fast as 64."""
    return np.argsort(values.astype(np.uint16) if len(values) and int(values.max()) < 1 << 16 else values, kind="stable")


def endpoint_hash(high: Any, low: Any, port: Any) -> Any:
    """64 bits of an address and a port, well mixed (the finisher of splitmix64)."""
    with np.errstate(over="ignore"):
        mixed = low ^ (high * np.uint64(0x9E3779B97F4A7C15))
        mixed = mixed + (port.astype(np.uint64) + np.uint64(1)) * np.uint64(0xD1342543DE82EF95)
        mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return mixed ^ (mixed >> np.uint64(31))


def pair_hash(packets: Packets) -> Any:
    """64 bits that both directions of a pair of endpoints share."""
    with np.errstate(over="ignore"):
        return endpoint_hash(packets.source_high, packets.source_low, packets.source_port) \
            + endpoint_hash(packets.destination_high, packets.destination_low, packets.destination_port)  # fmt: skip


def _pairs(packets: Packets, rows: Ints, apart: bool) -> Ints:
    """A number for each pair of endpoints, by its first segment."""
    hashes = pair_hash(packets)[rows]
    if apart:
        here = packets.interface[rows].astype(np.uint64)
        hashes = hashes ^ endpoint_hash(here, here, packets.interface[rows])
    first, group = _factored(hashes)
    heads = rows[first][group]
    if not (_same_sender(packets, rows, heads) | _same_receiver(packets, rows, heads)).all():
        group = _exact(packets, rows, apart)  # two pairs with one hash: one in 2^64, or made by somebody
    return group


def _factored(values: Any) -> tuple[Ints, Ints]:
    """(where each value is first, number of each) with numbers in order of appearance."""
    for shift in (0, 16, 32, 48):  # of few values 16 bits mostly tell them apart, and are sorted ten times as fast
        bits = (values >> np.uint64(shift)).astype(np.uint16)
        order = np.argsort(bits, kind="stable")
        ordered, kept = values[order], bits[order]
        begins = np.flatnonzero(np.append(True, kept[1:] != kept[:-1]))
        sizes = np.diff(np.append(begins, len(values)))
        if len(begins) > _FEW:
            break
        if (ordered == np.repeat(ordered[begins], sizes)).all():
            first = order[begins]
            number = np.empty(len(values), np.int64)
            number[order] = np.repeat(_ranks(first), sizes)
            return np.sort(first), number
    _, first, inverse = np.unique(values, return_index=True, return_inverse=True)
    return np.sort(first), _ranks(first)[inverse]


def _ranks(values: Ints) -> Ints:
    rank = np.empty(len(values), np.int64)
    rank[np.argsort(values, kind="stable")] = np.arange(len(values))
    return rank


def _exact(packets: Packets, rows: Ints, apart: bool) -> Ints:
    ends = [np.stack([high[rows], low[rows], port[rows].astype(np.uint64)], 1) for high, low, port in (
        (packets.source_high, packets.source_low, packets.source_port),
        (packets.destination_high, packets.destination_low, packets.destination_port))]  # fmt: skip
    here = packets.interface[rows].tolist() if apart else [0] * len(rows)
    keys = [(*sorted((tuple(a), tuple(b))), at)
            for a, b, at in zip(*(end.tolist() for end in ends), here, strict=True)]  # fmt: skip
    seen: dict[Any, int] = {}
    return np.array([seen.setdefault(key, len(seen)) for key in keys], np.int64)


def _same_sender(packets: Packets, rows: Ints, heads: Ints) -> Any:
    return _equal(packets, rows, heads, "source", "source") & _equal(packets, rows, heads, "destination", "destination")


def _same_receiver(packets: Packets, rows: Ints, heads: Ints) -> Any:
    return _equal(packets, rows, heads, "source", "destination") & _equal(packets, rows, heads, "destination", "source")


def _equal(packets: Packets, rows: Ints, heads: Ints, mine: str, its: str) -> Any:
    pairs = [(getattr(packets, f"{mine}_{part}"), getattr(packets, f"{its}_{part}")) for part in ("port", "low", "high")]
    return np.logical_and.reduce([a[rows] == b[heads] for a, b in pairs])


def _used_again(packets: Packets, rows: Ints, group: Ints, first: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Where a SYN begins another connection on a pair of endpoints."""
    opens = (packets.flags[rows] & (SYN | ACK)) == SYN
    found = np.zeros(len(rows), np.bool_)
    asked = np.flatnonzero(opens & ~first)
    if not len(asked):
        return found
    starts = np.flatnonzero(first)
    begin_of = starts[np.searchsorted(starts, asked, "right") - 1]
    base: dict[tuple[int, bool], int] = {}
    last_begin = -1
    for place, begin in zip(asked.tolist(), begin_of.tolist(), strict=True):
        if begin != last_begin:
            base, last_begin, since = {}, begin, begin
        forward = bool(_same_sender(packets, rows[place : place + 1], rows[begin : begin + 1])[0])
        seq = int(packets.seq[rows[place]])
        known = base.get((since, forward))
        if known is None:  # the first segment of this sender in the connection that is open now
            between = rows[since:place]
            sent = np.flatnonzero(_same_sender(packets, between, np.full(len(between), rows[begin])) == forward)
            known = int(packets.seq[between[sent[0]]]) if len(sent) else seq
        if known != seq:
            found[place], since = True, place
        base[since, forward] = seq
    return found
