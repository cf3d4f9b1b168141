"""Segments that came late, told apart: sent again, and why, or merely out of order. It repairs nothing.

What a capture can tell (decided segment by segment):
- A late segment that brings no byte the capture had not seen was sent again: a retransmission. The same is true of one that
  fills a hole, when its time stamp is newer than that of the segment that showed the hole: then it was sent after it, so the
  original was lost before the capture point. Without time stamps (RFC 4737 cannot help) the time since the hole decides,
  as in tshark: within the handshake's round trip, or 3 ms where that is unknown, it is called out of order.
- `FAST`: bytes above it had been SACKed (RFC 6675) or three duplicate acks had come (RFC 5681 section 3.2).
- `PROBE`, a tail loss probe (RFC 8985 section 7): the last segment sent, nothing above it SACKed, for the first time, and
  earlier than the least time-out of Linux (200 ms) plus a round trip, or with more than one segment in flight.
- `TIMEOUT`: all others (RFC 6298): the first unacknowledged segment after silence, and what is sent again behind it.
- `spurious`: the receiver said by D-SACK (RFC 2883) that it had the bytes already.
"""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from results.captures.formats import ACK, FIN, RST, SYN
from results.captures.streams import Ints
from results.captures.tcp import Segments

FAST, TIMEOUT, PROBE = 1, 2, 3
NAMES = {FAST: "fast", TIMEOUT: "timeout", PROBE: "tail loss probe"}
LEAST_TIMEOUT_NS = 200_000_000
REORDER_NS = 3_000_000


@dataclass
class Losses:
    """By place in `Segments`. `again` (ascending) are the retransmissions, `kind` why and `spurious` whether needless, an entry
    each; `out_of_order` places of reordered segments; `duplicate_ack` marks all segments that are one; `sack_high` the
    highest relative number that each segment's own SACK blocks reach, -1 without; `filled` the bytes of holes each brought."""

    again: Ints
    kind: NDArray[np.uint8]
    spurious: NDArray[np.bool_]
    out_of_order: Ints
    duplicate_ack: NDArray[np.bool_]
    sack_high: Ints
    filled: Ints


def losses(found: Segments, handshake_ns: Ints) -> Losses:
    """Judge every late segment. `handshake_ns` is a connection's round trip, -1 where unknown."""
    duplicate = _duplicate_acks(found)
    sack_high, told = _sacks(found)
    late = np.flatnonzero(found.late)
    fills, filled = _fills(found, late)
    holder = fills[late]
    limit = np.where(handshake_ns[found.number[late]] >= 0, handshake_ns[found.number[late]], REORDER_NS)
    reordered = (holder >= 0) & _sent_before(found, late, holder, limit)
    again = late[~reordered]
    kind = _kinds(found, again, duplicate, sack_high, handshake_ns)
    return Losses(again, kind, needless(found, again, told), late[reordered], duplicate, sack_high, filled)


def _duplicate_acks(found: Segments) -> NDArray[np.bool_]:
    """RFC 5681 section 2: data outstanding, no data in it, no SYN or FIN, the same number and the same window as before."""
    raw = found.packets.window[found.row].astype(np.int64)
    plain = (found.flags & (SYN | FIN | RST | ACK)) == ACK
    same = (found.ack == found.previous(found.ack, -2)) & (raw == found.previous(raw, -1))
    result: NDArray[np.bool_] = plain & (found.payload == 0) & same & (found.other_highest > found.ack) & ~found.keep_alive
    return result


def _sacks(found: Segments) -> tuple[Ints, list[tuple[int, int, int, int]]]:
    """The highest edge of each segment's SACK blocks, and D-SACKs as (place, flow of the data, left, right)."""
    high = np.full(len(found.row), -1, np.int64)
    packets = found.packets
    if not len(packets.sack_row):
        return high, []
    place_of = np.full(len(packets), -1, np.int64)
    place_of[found.row] = np.arange(len(found.row))
    place = place_of[packets.sack_row]
    known = (place >= 0) & (found.ack[place] >= 0)
    place, left_raw, right_raw = place[known], packets.sack_left[known], packets.sack_right[known]
    own = packets.ack[found.row[place]]
    left = found.ack[place] + (left_raw - own).view(np.int32)
    right = found.ack[place] + (right_raw - own).view(np.int32)
    np.maximum.at(high, place, right)
    first = np.append(True, place[1:] != place[:-1]) if len(place) else np.empty(0, np.bool_)
    second_left, second_right = np.append(left[1:], 0), np.append(right[1:], 0)
    followed = np.append(~first[1:], False) if len(first) else first
    inside = followed & (left >= second_left) & (right <= second_right)
    told = np.flatnonzero(first & ((right <= found.ack[place]) | inside))
    flow = found.flow[place] ^ 1
    return high, [(int(place[one]), int(flow[one]), int(left[one]), int(right[one])) for one in told]


def _fills(found: Segments, late: Ints) -> tuple[Ints, Ints]:
    """For every place of a late segment that brings bytes not seen before: the place that showed the hole, else -1; and how
    many bytes it brought."""
    out, filled = np.full(len(found.row), -1, np.int64), np.zeros(len(found.row), np.int64)
    gaps = np.flatnonzero(found.gap)
    if not len(gaps) or not len(late):
        return out, filled
    flows = np.unique(found.flow[gaps])
    asked = late[np.isin(found.flow[late], flows)]
    events = np.sort(np.concatenate([gaps, asked]))
    columns = zip(events.tolist(), found.flow[events].tolist(), found.gap[events].tolist(), found.seq[events].tolist(),
                  found.end[events].tolist(), found.highest[events].tolist(), strict=True)  # fmt: skip
    holes: dict[int, list[tuple[int, int, int]]] = {}
    for place, flow, is_gap, seq, end, highest in columns:
        mine = holes.setdefault(flow, [])
        if is_gap:
            mine.append((highest, seq, place))
        else:
            out[place], filled[place] = _fill(mine, seq, end)
    return out, filled


def _fill(holes: list[tuple[int, int, int]], seq: int, end: int) -> tuple[int, int]:
    """Take [seq, end) out of the ascending holes; who showed the first of them (-1: there was none), and bytes taken."""
    first = max(0, bisect_left(holes, (seq, seq, -1)) - 1)
    while first < len(holes) and holes[first][1] <= seq:
        first += 1
    last, rest, shown, taken = first, [], -1, 0
    while last < len(holes) and holes[last][0] < end:
        left, right, place = holes[last]
        shown = place if shown < 0 else shown
        taken += min(end, right) - max(seq, left)
        rest += [(left, seq, place)] * (left < seq) + [(end, right, place)] * (right > end)
        last += 1
    holes[first:last] = rest
    return shown, taken


def _sent_before(found: Segments, late: Ints, holder: Ints, limit: Ints) -> NDArray[np.bool_]:
    """Whether late segments were sent before those that showed their holes."""
    packets, mine, its = found.packets, found.row[late], found.row[np.maximum(holder, 0)]
    stamped = packets.has_stamp[mine] & packets.has_stamp[its]
    older = (packets.stamp[mine] - packets.stamp[its]).view(np.int32) <= 0
    soon = found.time_ns[late] - found.time_ns[np.maximum(holder, 0)] < limit
    # A stamp's tick may hold both: then, too, only a short time makes it reordering.
    result: NDArray[np.bool_] = soon & (older | ~stamped)
    return result


def _kinds(found: Segments, again: Ints, duplicate: Any, sack_high: Ints, handshake_ns: Ints) -> NDArray[np.uint8]:
    _, sacked = found.highest_seen(sack_high)
    above = sacked[again] > found.end[again]
    thrice = _duplicates_before(found, duplicate)[again] >= 3
    since = found.time_ns - found.previous(found.time_ns, 0)
    silent = (since[again] >= LEAST_TIMEOUT_NS) & (found.seq[again] <= found.acked[again])
    tail = found.end[again] == found.highest[again]
    round_trip = np.maximum(handshake_ns[found.number[again]], 0)
    several = found.seq[again] > found.acked[again]
    seen = set[tuple[int, int]]()
    first = np.zeros(len(again), np.bool_)
    for number, key in enumerate(zip(found.flow[again].tolist(), found.seq[again].tolist(), strict=True)):
        first[number] = key not in seen
        seen.add(key)
    probe = tail & first & ~above & (several | (since[again] < LEAST_TIMEOUT_NS + round_trip))
    kind = np.full(len(again), TIMEOUT, np.uint8)
    kind[probe & ~thrice] = PROBE
    kind[(above | thrice) & ~silent] = FAST
    return kind


def _duplicates_before(found: Segments, duplicate: Any) -> Ints:
    """How many duplicate acks in a row had come from the other side before each segment."""
    order, begins = found.flow_order, found.flow_begins
    flags = duplicate[order]
    carries = (found.ack >= 0)[order]
    total = np.cumsum(flags)
    reset = np.where(carries & ~flags, total, 0)
    if len(begins):
        reset[begins] = np.maximum(reset[begins], total[begins] - flags[begins])
    run = np.empty(len(order), np.int64)
    run[order] = total - np.maximum.accumulate(reset) if len(order) else total
    # Brought to the other side: the run at its latest segment before.
    server = (found.flow & 1).astype(np.bool_)
    out = np.zeros(len(order), np.int64)
    places = np.arange(len(order))
    for side in (False, True):
        latest = np.maximum.accumulate(np.where(server != side, places, -1)) if len(order) else places
        mine = np.flatnonzero(server == side)
        at = latest[mine]
        same = (at >= 0) & (found.number[np.maximum(at, 0)] == found.number[mine])
        out[mine] = np.where(same, run[np.maximum(at, 0)], 0)
    return out


def needless(found: Segments, again: Ints, told: list[tuple[int, int, int, int]]) -> NDArray[np.bool_]:
    """Which retransmissions a D-SACK answered: the latest before it of those bytes. `told` are (place, flow, left, right)."""
    out = np.zeros(len(again), np.bool_)
    if not told or not len(again):
        return out
    by_begin: dict[tuple[int, int], list[int]] = {}
    for number, (flow, seq) in enumerate(zip(found.flow[again].tolist(), found.seq[again].tolist(), strict=True)):
        by_begin.setdefault((flow, seq), []).append(number)
    begins: dict[int, list[int]] = {}
    for flow, seq in sorted(by_begin):
        begins.setdefault(flow, []).append(seq)
    for place, flow, left, right in told:
        mine = begins.get(flow, [])
        for seq in mine[bisect_left(mine, left) : bisect_left(mine, right)]:
            before = [number for number in by_begin[flow, seq] if again[number] < place and not out[number]]
            if before:
                out[before[-1]] = True
    return out
