"""Round-trip times of TCP from captures, by sequence numbers and by time stamps. It smooths nothing and drops nothing.

A sample is the time from a segment to what answers it *at the capture point*: near the sender that is the whole round trip,
near the receiver only the receiver's own delay.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from results.captures.formats import ACK, RST, SYN
from results.captures.streams import Ints
from results.captures.tcp import Segments


@dataclass
class Samples:
    """One entry a sample, in the order of the acknowledging segments. `answer` and `asked` are places in `Segments`;
    `ambiguous` samples are of a segment that was sent more than once: Karn's algorithm (RFC 6298 section 3) leaves them out."""

    answer: Ints
    asked: Ints
    rtt_ns: Ints
    ambiguous: NDArray[np.bool_]


def by_sequence(found: Segments) -> Samples:
    """From the first transmission of a segment to the first acknowledgement of exactly its last byte.

    That is `tcp.analysis.ack_rtt` of tshark. SYN and FIN occupy a number and give samples too.
    """
    asks = np.flatnonzero(found.end > found.seq)
    keys, asked = _first_of(found.flow[asks], found.end[asks], asks)
    answers = np.flatnonzero((found.ack > found.own_acked) & ((found.flags & (ACK | RST)) == ACK))
    matched, answer = _matched(keys, asked, found.flow[answers] ^ 1, found.ack[answers], answers)
    late = np.flatnonzero(found.late)
    again = np.sort(_key(found.flow[late], found.seq[late]))
    low, high = (np.searchsorted(again, _key(found.flow[matched], edge[matched])) for edge in (found.seq, found.end))
    return Samples(answer, matched, found.time_ns[answer] - found.time_ns[matched], high > low)


def by_stamps(found: Segments) -> Samples:
    """From the first segment with a time stamp to the first that echoes it (RFC 7323 section 4), both ways.

    A stamp's tick may cover many segments: the first counts, so a sample may be too long by the receiver's delay, never too
    short. None is ambiguous: a retransmission carries another stamp.
    """
    rows = found.row
    has = found.packets.has_stamp[rows]
    stamp = found.packets.stamp[rows].astype(np.int64)
    asks = np.flatnonzero(has & (stamp != found.previous(stamp, -1)))
    keys, asked = _first_of(found.flow[asks], stamp[asks], asks)
    echo = found.packets.echo[rows].astype(np.int64)
    answers = np.flatnonzero(has & (echo != found.previous(echo, -1)) & ((found.flags & (ACK | RST)) == ACK))
    matched, answer = _matched(keys, asked, found.flow[answers] ^ 1, echo[answers], answers)
    # An echo that stands again after another came between is no first one.
    first = np.zeros(len(found.row), np.int64)
    first[:] = -1
    first[matched[::-1]] = answer[::-1]
    kept = first[matched] == answer
    matched, answer = matched[kept], answer[kept]
    return Samples(answer, matched, found.time_ns[answer] - found.time_ns[matched], np.zeros(len(answer), np.bool_))


def handshakes(found: Segments) -> tuple[Ints, Ints]:
    """Two times in ns for each connection, -1 where the capture does not hold them.

    First SYN to SYN-ACK: the round trip at the client, and more when a SYN was lost. And `tcp.analysis.initial_rtt` of tshark:
    the latest SYN to the client's ACK that completes the handshake, which is the whole round trip at any point of the path.
    """
    count = found.connections
    first_syn, last_syn, syn_ack, done = (np.full(count, -1, np.int64) for _ in range(4))
    kind = found.flags & (SYN | ACK | RST)
    client = (found.flow & 1) == 0
    _first(done, found, np.flatnonzero((kind == ACK) & client & (found.seq == 1) & (found.acked >= 1) & (found.ack >= 1)))
    _first(syn_ack, found, np.flatnonzero(kind == (SYN | ACK)))
    syn = np.flatnonzero((kind == SYN) & client)
    _first(first_syn, found, syn)
    before = syn[(done[found.number[syn]] < 0) | (syn < done[found.number[syn]])]
    last_syn[found.number[before]] = before
    return _between(found, first_syn, syn_ack), _between(found, last_syn, done)


def _first(target: Ints, found: Segments, places: Ints) -> None:
    target[found.number[places[::-1]]] = places[::-1]


def _between(found: Segments, begin: Ints, end: Ints) -> Ints:
    both = (begin >= 0) & (end > begin)
    out = np.full(len(begin), -1, np.int64)
    out[both] = found.time_ns[end[both]] - found.time_ns[begin[both]]
    return out


def _key(flow: Any, value: Any) -> Any:
    return (flow << 42) + value


def _first_of(flow: Ints, value: Ints, places: Ints) -> tuple[Ints, Ints]:
    """Ascending keys without doubles, and for each the earliest place."""
    keys = _key(flow, value)
    order = np.argsort(keys, kind="stable")
    keys, places = keys[order], places[order]
    first = np.append(True, keys[1:] != keys[:-1]) if len(keys) else np.empty(0, np.bool_)
    return keys[first], places[first]


def _matched(keys: Ints, asked: Ints, flow: Ints, value: Ints, answers: Ints) -> tuple[Ints, Ints]:
    """Places of questions and answers whose keys are equal, the question earlier."""
    wanted = _key(flow, value)
    at = np.minimum(np.searchsorted(keys, wanted), max(0, len(keys) - 1))
    same = keys[at] == wanted if len(keys) else np.zeros(len(wanted), np.bool_)
    asks, answers = asked[at[same]] if len(keys) else at[same], answers[same]
    earlier = asks < answers
    return asks[earlier], answers[earlier]
