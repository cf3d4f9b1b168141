"""The same packets found in two captures: one-way delay, losses located, reordering. It presumes one clock, as a lab has.

A packet is known again by what no router changes: addresses, ports, protocol, IP id, sequence and acknowledgement numbers,
flags, time stamps, length and, of datagrams, the bytes that their payload opens with (unless a snap length cut those). Not by
its checksum: with offloading it is filled in only on the way. TTL, tags and link headers may differ. Equal packets, such as a
segment sent twice without time stamps, are told apart by order: the n-th at one point is the n-th at the other. Where a loss
makes their numbers differ, those belong together whose delay is nearest to what their flow usually takes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from results.captures.columns import FRAGMENT, ICMP, ICMP6, MAPPED, UDP, Packets
from results.captures.streams import Ints

WITHIN_NS = 60 * 10**9
"""No packet is on its way for longer: equal ones farther apart are others."""
_TRIED = 4096
"""Pairs of equal packets of which each is tried with each."""
BEFORE_NS = 1_000_000
"""A packet may seem to arrive so much before it left: kernels stamp at different places."""


@dataclass
class Way:
    """Packets of one direction between points: `sent` and `received` are rows of the sending and of the receiving capture,
    `delay_ns` one-way, `queueing_ns` what is above the least of them; `lost` rows of the sending capture that never came;
    `overtaken` counts packets that arrived after one sent later (RFC 4737 section 3)."""

    sent: Ints
    received: Ints
    delay_ns: Ints
    queueing_ns: Ints
    lost: Ints
    overtaken: int

    def percentiles_ms(self, *shares: float) -> list[float]:
        """Of the one-way delay; none without packets."""
        return [float(one) / 1e6 for one in np.percentile(self.delay_ns, shares)] if len(self.delay_ns) else []


def match(a: Packets, b: Packets) -> tuple[Way, Way]:
    """What went from point a to point b, and back.

    A packet's direction is told by which capture has it first. A packet that only one of them has counts as lost on
    the way from there, when others of its source and destination went that way; what never goes to the other point is left
    out. So are packets without a source address, which both ends may send alike, those from before the other capture began and
    those of the last second, which may be under way still.
    """
    openings = not (_unopened(a) or _unopened(b))
    keys = [identity(one, openings) for one in (a, b)]
    rows = [np.flatnonzero((one.version > 0) & ((one.state & FRAGMENT) == 0) & ~_nobody(one)) for one in (a, b)]
    flow = [flows(one) for one in (a, b)]
    in_a, in_b = _pairs(keys[0], keys[1], rows[0], rows[1], a.time_ns, b.time_ns, flow[0])
    delay = b.time_ns[in_b] - a.time_ns[in_a]
    forward = _direction(flow[0][in_a], delay)
    return (_way(a, b, in_a[forward], in_b[forward], flow, rows[0]),
            _way(b, a, in_b[~forward], in_a[~forward], flow[::-1], rows[1]))  # fmt: skip


def identity(packets: Packets, openings: bool = True) -> Any:
    """64 bits of everything that a packet keeps on its way; `openings` too."""
    mixed = np.zeros(len(packets), np.uint64)
    with np.errstate(over="ignore"):
        for name in ("source_low", "destination_low", "source_high", "destination_high"):
            mixed = _mix(mixed ^ getattr(packets, name))
        ports = packets.source_port.astype(np.uint64) << np.uint64(16) | packets.destination_port
        mixed = _mix(mixed ^ (ports << np.uint64(32) | packets.seq))
        mixed = _mix(mixed ^ (packets.ack.astype(np.uint64) << np.uint64(32) | packets.ip_id.astype(np.uint64) << np.uint64(16)
                              | packets.flags.astype(np.uint64)))  # fmt: skip
        mixed = _mix(mixed ^ (packets.payload.astype(np.uint64) << np.uint64(32) | packets.protocol.astype(np.uint64)
                              | packets.icmp.astype(np.uint64) << np.uint64(8)))  # fmt: skip
        if openings:
            mixed = _mix(mixed ^ packets.opening.astype(np.uint64))
        return _mix(mixed ^ (packets.stamp.astype(np.uint64) << np.uint64(32) | packets.echo))


def _unopened(packets: Packets) -> bool:
    """Whether the snap length left the opening of some datagram out, so that another capture may have what this one has not."""
    whole = np.isin(packets.protocol, (UDP, ICMP, ICMP6)) & ((packets.state & FRAGMENT) == 0)
    return bool((whole & (packets.payload > 0) & (packets.opening == 0)).any())


def _nobody(packets: Packets) -> NDArray[np.bool_]:
    """Whether the source is the unspecified address, as in questions whether an address is taken."""
    result: NDArray[np.bool_] = (packets.source_high == 0) & ((packets.source_low == 0) | (packets.source_low == MAPPED))
    return result


def _mix(value: Any) -> Any:
    value = (value ^ (value >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    value = (value ^ (value >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return value ^ (value >> np.uint64(31))


def _pairs(
    key_a: Any, key_b: Any, rows_a: Ints, rows_b: Ints, time_a: Ints, time_b: Ints, flow: Any
) -> tuple[Ints, Ints]:
    """Rows of the same packet in both, ascending in a."""
    sorted_a, sorted_b = (rows[np.argsort(key[rows], kind="stable")] for key, rows in ((key_a, rows_a), (key_b, rows_b)))
    ka, kb = key_a[sorted_a], key_b[sorted_b]
    low, high = np.searchsorted(kb, ka, "left"), np.searchsorted(kb, ka, "right")
    rank = _ranks(ka)
    counts_a = _counts(ka)
    single = (high - low == counts_a) & (high > low)
    found_a, found_b = [sorted_a[single]], [sorted_b[(low + rank)[single]]]
    # As many are not in both: some was lost, so the n-th need not be the n-th.
    odd = np.flatnonzero((high > low) & ~single)
    usual = _medians(flow[found_a[0]], time_b[found_b[0]] - time_a[found_a[0]])
    begin = 0
    more_a, more_b = [], []
    while begin < len(odd):
        end = begin
        while end < len(odd) and ka[odd[end]] == ka[odd[begin]]:
            end += 1
        pairs = _greedy(sorted_a[odd[begin:end]], sorted_b[low[odd[begin]] : high[odd[begin]]], time_a, time_b,
                        usual.get(int(flow[sorted_a[odd[begin]]]), 0))  # fmt: skip
        more_a += [one for one, _ in pairs]
        more_b += [one for _, one in pairs]
        begin = end
    a = np.concatenate([*found_a, np.array(more_a, np.int64)])
    b = np.concatenate([*found_b, np.array(more_b, np.int64)])
    near = np.abs(time_b[b] - time_a[a]) < WITHIN_NS
    a, b = a[near], b[near]
    order = np.argsort(a, kind="stable")
    return a[order], b[order]


def _medians(flow: Any, delay: Ints) -> dict[int, int]:
    """Of each flow's delays; negative where the other point has its packets first."""
    order = np.lexsort((delay, flow))
    flow, delay = flow[order], delay[order]
    begins = np.flatnonzero(_starts(flow))
    middle = (begins + np.append(begins[1:], len(flow))) // 2
    return dict(zip(flow[begins].tolist(), delay[middle].tolist(), strict=True))


def _greedy(a: Ints, b: Ints, time_a: Ints, time_b: Ints, usual: int) -> list[tuple[int, int]]:
    """Pairs of equal packets whose delay is nearest to their flow's usual one, each used once."""
    if len(a) * len(b) > _TRIED:
        return _in_order(a, b, time_a, time_b, usual)
    close = sorted((abs(int(time_b[two] - time_a[one]) - usual), int(one), int(two)) for one in a for two in b)
    used_a, used_b, pairs = set[int](), set[int](), []
    for _, one, two in close:
        if one not in used_a and two not in used_b:
            used_a.add(one)
            used_b.add(two)
            pairs.append((one, two))
    return pairs


def _in_order(a: Ints, b: Ints, time_a: Ints, time_b: Ints, usual: int) -> list[tuple[int, int]]:
    """Of very many equal packets, such as acknowledgements without an IP id, none of which overtook another: those that
    are left out are the ones whose successors fit better."""
    if len(b) > len(a):
        return [(one, two) for two, one in _in_order(b, a, time_b, time_a, -usual)]
    pairs, at, spare = list[tuple[int, int]](), 0, len(a) - len(b)
    for two in b.tolist():
        due = int(time_b[two]) - usual
        while spare and abs(due - int(time_a[a[at]])) > abs(due - int(time_a[a[at + 1]])):
            at, spare = at + 1, spare - 1
        pairs.append((int(a[at]), two))
        at += 1
    return pairs


def _starts(keys: Any) -> NDArray[np.bool_]:
    return np.append(True, keys[1:] != keys[:-1]) if len(keys) else np.empty(0, np.bool_)


def _ranks(keys: Any) -> Ints:
    """Of each among its equals, in sorted keys."""
    places = np.arange(len(keys))
    first = _starts(keys)
    return places - places[first][np.cumsum(first) - 1] if len(keys) else places


def _counts(keys: Any) -> Ints:
    first = _starts(keys)
    begins = np.flatnonzero(first)
    return np.diff(np.append(begins, len(keys)))[np.cumsum(first) - 1] if len(keys) else begins


def flows(packets: Packets) -> Any:
    """64 bits of each packet's source and destination addresses, in that order."""
    with np.errstate(over="ignore"):
        source, destination = (_mix(low ^ _mix(high + np.uint64(1))) for low, high in (
            (packets.source_low, packets.source_high), (packets.destination_low, packets.destination_high)))  # fmt: skip
        return _mix(source * np.uint64(3) + destination)


def _direction(flow: Any, delay: Ints) -> NDArray[np.bool_]:
    """Whether each pair went from a to b: all packets of one source and destination go as most of them do."""
    _, number = np.unique(flow, return_inverse=True)
    votes = np.bincount(number, np.sign(delay).astype(np.float64)) if len(number) else np.empty(0)
    result: NDArray[np.bool_] = votes[number] >= 0 if len(number) else np.empty(0, np.bool_)
    return result


def _way(source: Packets, target: Packets, sent: Ints, received: Ints, flows: list[Any], candidates: Ints) -> Way:
    delay = target.time_ns[received] - source.time_ns[sent]
    sound = delay >= -BEFORE_NS
    sent, received, delay = sent[sound], received[sound], delay[sound]
    least = int(delay.min()) if len(delay) else 0
    lost = np.empty(0, np.int64)
    if len(sent):
        there = np.zeros(len(source), np.bool_)
        there[sent] = True
        missing = candidates[~there[candidates]]
        missing = missing[np.isin(flows[0][missing], np.unique(flows[0][sent]))]
        times = source.time_ns[missing]
        settled = max(10**9, 2 * int(delay.max()))
        begun = times + least >= target.time_ns[0]
        over = times <= min(int(target.time_ns[-1]), int(source.time_ns[-1])) - settled
        ended = times <= source.time_ns[sent[-1]]  # a later packet came: this one had its time
        lost = missing[begun & (over | ended)]
    arrival = target.time_ns[received]
    latest = np.maximum.accumulate(arrival) if len(arrival) else arrival
    return Way(sent, received, delay, delay - least, lost, int((arrival < latest).sum()))
