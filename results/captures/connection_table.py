"""One row a TCP connection: the figures a person asks first. It makes no figure and reads no file.

Suffixes `_up` and `_down` name the direction: up is what the client sent. Times are ms, sizes bytes, rates bit/s.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from results.captures import losses, rtt
from results.captures.columns import Packets, address
from results.captures.formats import FIN, RST, SYN
from results.captures.losses import Losses
from results.captures.rtt import Samples
from results.captures.streams import Ints
from results.captures.tcp import Segments, segments

Table = dict[str, Any]
"""Columns of one length by name, numpy arrays or lists."""

COLUMNS = {
    "stream": "number of the connection, as tcp.stream",
    "client": "address that opened it", "client_port": "", "server": "", "server_port": "",
    "interface": "number of the interface that captured its first frame",
    "first_frame": "number of its first frame", "start_ns": "time of its first frame, since 1970",
    "duration_ms": "first frame to last", "packets": "both directions",
    "begun_before": "whether it began before the capture: no SYN of it was seen",
    "simultaneous": "whether both sides sent a SYN without ACK (RFC 9293 section 3.5)",
    "handshake_ms": "first SYN to SYN-ACK", "initial_rtt_ms": "SYN to the client's ACK, as tcp.analysis.initial_rtt",
    "bytes_up": "payload, with what was sent again", "bytes_down": "",
    "new_bytes_up": "payload without what was sent again", "new_bytes_down": "",
    "throughput_up_bps": "payload over the time from first to last payload", "throughput_down_bps": "",
    "goodput_up_bps": "the same of new bytes", "goodput_down_bps": "",
    "rtt_min_up_ms": "of samples by sequence of the client's data, without ambiguous ones", "rtt_min_down_ms": "",
    "rtt_median_up_ms": "", "rtt_median_down_ms": "", "rtt_max_up_ms": "", "rtt_max_down_ms": "",
    "rtt_samples_up": "how many", "rtt_samples_down": "",
    "retransmissions_up": "segments sent again, see results.captures.losses", "retransmissions_down": "",
    "fast": "of them, both directions: fast retransmissions", "timeouts": "", "tail_probes": "",
    "spurious": "of them: answered by D-SACK",
    "out_of_order": "segments that a later one overtook", "duplicate_acks": "", "sack_blocks": "blocks, all segments",
    "zero_windows": "segments that announce a window of 0", "window_up_max": "largest window the client announced",
    "window_down_max": "", "scale_known": "whether both SYNs were seen, so that windows are true bytes",
    "in_flight_up_max": "most bytes sent and not acknowledged", "in_flight_down_max": "",
    "initial_window_up": "bytes sent before the first acknowledgement of data", "initial_window_down": "",
    "missing_up": "bytes of holes that nothing filled", "missing_down": "",
    "keep_alives": "", "idle_ms": "sum of the times over 100 ms in which nothing was outstanding",
    "fin_up": "", "fin_down": "", "rst_up": "", "rst_down": "",
}  # fmt: skip
"""Every column and what it means; an empty text says that its name, or the column before, tells."""

IDLE_NS = 100_000_000


@dataclass
class Analysis:
    """Everything that is known of the TCP of some packets. `fresh` are the payload bytes of each segment that none before it
    had brought."""

    segments: Segments
    losses: Losses
    fresh: Ints
    samples: Samples
    stamps: Samples
    table: Table


def analyse(packets: Packets, apart: bool = False) -> Analysis:
    """Follow all connections of `packets`, which must hold each of them whole; `apart` at each interface for itself."""
    found = segments(packets, apart)
    handshake, initial = rtt.handshakes(found)
    lost = losses.losses(found, np.where(initial >= 0, initial, handshake))
    samples = rtt.by_sequence(found)
    fresh = _fresh(found, lost)
    table = _table(found, lost, fresh, samples, handshake, initial)
    return Analysis(found, lost, fresh, samples, rtt.by_stamps(found), table)


def _fresh(found: Segments, lost: Losses) -> Ints:
    """A late segment brings what it fills of holes, and what it has beyond the highest byte."""
    beyond = np.minimum(np.maximum(found.end - found.highest, 0), found.payload)
    return np.where(found.keep_alive, 0, np.where(found.late, lost.filled + beyond, found.payload))


def _table(found: Segments, lost: Losses, fresh: Ints, samples: Samples, handshake: Ints, initial: Ints) -> Table:
    count, packets = found.connections, found.packets
    begins = found.streams.begins
    heads = np.full(2 * count, -1, np.int64)
    heads[found.flow[::-1]] = np.arange(len(found.flow))[::-1]
    client = found.row[np.where(heads[0::2] >= 0, heads[0::2], heads[1::2])] if count else np.empty(0, np.int64)
    swapped = heads[0::2] < 0  # the client sent nothing that was captured
    ends = [_endpoint(packets, client, swapped ^ other) for other in (False, True)]
    last = np.append(begins[1:], len(found.row)) - 1 if count else begins
    start, finish = found.time_ns[begins], found.time_ns[last]
    table: Table = {
        "stream": np.arange(count), "client": ends[0][0], "client_port": ends[0][1],
        "server": ends[1][0], "server_port": ends[1][1],
        "interface": packets.interface[found.row[begins]].astype(np.int64),
        "first_frame": packets.frame[found.row[begins]], "start_ns": start, "duration_ms": (finish - start) / 1e6,
        "packets": last - begins + 1, "begun_before": ~found.opened, "simultaneous": _simultaneous(found),
        "handshake_ms": _ms(handshake), "initial_rtt_ms": _ms(initial),
    }  # fmt: skip
    flows = 2 * count
    holes = _holes(found, lost, flows)
    sent, new = _sum(found.flow, found.payload, flows), _sum(found.flow, fresh, flows)
    busy = _busy(found, flows)
    with np.errstate(divide="ignore", invalid="ignore"):
        rates = {name: np.where(busy > 0, size * 8e9 / busy, np.nan) for name, size in (("throughput", sent), ("goodput", new))}
    syn_free = (found.flags & (SYN | FIN | RST)) == 0
    in_flight = np.where(found.end > found.seq, np.maximum(found.highest, found.end) - np.maximum(found.acked, _base(found)), 0)
    opening = (found.acked <= 1) & (found.payload > 0)
    per_flow = {
        "bytes": sent, "new_bytes": new, "retransmissions": _sum(found.flow[lost.again], 1, flows),
        "window_max": _max(found.flow, np.where(found.flags & RST, 0, found.window), flows),
        "in_flight_max": _max(found.flow, in_flight, flows),
        "initial_window": _sum(found.flow, np.where(opening, fresh, 0), flows), "missing": holes,
        "fin": _sum(found.flow, (found.flags & FIN) > 0, flows) > 0,
        "rst": _sum(found.flow, (found.flags & RST) > 0, flows) > 0,
    }  # fmt: skip
    for name, values in (*per_flow.items(), *((f"{name}_bps", values) for name, values in rates.items())):
        stem = name.removesuffix("_max").removesuffix("_bps")
        unit = name[len(stem) :]
        table[f"{stem}_up{unit}"], table[f"{stem}_down{unit}"] = values[0::2], values[1::2]
    table |= _round_trips(found, samples)
    of = found.number
    for name, kind in (("fast", losses.FAST), ("timeouts", losses.TIMEOUT), ("tail_probes", losses.PROBE)):
        table[name] = _sum(of[lost.again], lost.kind == kind, count)
    table["spurious"] = _sum(of[lost.again], lost.spurious, count)
    table["out_of_order"] = _sum(of[lost.out_of_order], 1, count)
    table["duplicate_acks"] = _sum(of, lost.duplicate_ack, count)
    table["sack_blocks"] = _sum(of, packets.sacks[found.row], count)
    table["zero_windows"] = _sum(of, (found.window == 0) & syn_free, count)
    table["scale_known"] = found.scaled
    table["keep_alives"] = _sum(of, found.keep_alive, count)
    table["idle_ms"] = _idle(found, count) / 1e6
    return {name: table[name] for name in COLUMNS}


def _endpoint(packets: Packets, rows: Ints, other: Any) -> tuple[list[str], Any]:
    mine = [np.where(other, getattr(packets, f"destination_{part}")[rows], getattr(packets, f"source_{part}")[rows])
            for part in ("high", "low", "port")]  # fmt: skip
    known: dict[tuple[int, int], str] = {}
    words = []
    for high, low in zip(mine[0].tolist(), mine[1].tolist(), strict=True):
        if (high, low) not in known:
            known[high, low] = address(high, low)
        words.append(known[high, low])
    return words, mine[2].astype(np.int64)


def _ms(values_ns: Ints) -> Any:
    return np.where(values_ns >= 0, values_ns / 1e6, np.nan)


def _sum(of: Ints, values: Any, count: int) -> Ints:
    weights = np.broadcast_to(np.asarray(values, np.float64), of.shape)
    return np.bincount(of, weights, count).astype(np.int64)


def _max(of: Ints, values: Ints, count: int) -> Ints:
    out = np.zeros(count, np.int64)
    np.maximum.at(out, of, values)
    return out


def _base(found: Segments) -> Ints:
    """What counts as acknowledged before any acknowledgement: where the sender's first segment began."""
    begin = np.zeros(2 * found.connections, np.int64)
    firsts = found.flow_order[found.flow_begins]
    begin[found.flow[firsts]] = found.seq[firsts]
    return begin[found.flow]


def _busy(found: Segments, flows: int) -> Ints:
    """From the first to the last payload of each flow, ns."""
    places = np.flatnonzero(found.payload > 0)
    first, last = np.zeros(flows, np.int64), np.zeros(flows, np.int64)
    first[found.flow[places[::-1]]] = found.time_ns[places[::-1]]
    last[found.flow[places]] = found.time_ns[places]
    return last - first


def _holes(found: Segments, lost: Losses, flows: int) -> Ints:
    """Bytes of the holes that later segments showed and none filled."""
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


def _round_trips(found: Segments, samples: Samples) -> Table:
    count = 2 * found.connections
    good = ~samples.ambiguous & (found.payload[samples.asked] > 0)
    of, values = found.flow[samples.asked[good]], samples.rtt_ns[good]
    order = np.lexsort((values, of))
    of, values = of[order], values[order]
    sizes = np.bincount(of, minlength=count)
    begins = np.cumsum(sizes) - sizes
    has = sizes > 0
    middle = np.full((3, count), np.nan)
    for number, place in enumerate((begins, begins + (sizes - 1) // 2, begins + sizes - 1)):
        middle[number, has] = values[place[has]] / 1e6
    table: Table = {}
    for side, name in enumerate(("up", "down")):
        table[f"rtt_samples_{name}"] = sizes[side::2]
        for which, values in zip(("min", "median", "max"), middle, strict=True):
            table[f"rtt_{which}_{name}_ms"] = values[side::2]
    return table


def _idle(found: Segments, count: int) -> Ints:
    """Time over IDLE_NS between neighbours of a connection before which all that was sent had been acknowledged."""
    gaps = np.zeros(len(found.row), np.int64)
    gaps[1:] = found.time_ns[1:] - found.time_ns[:-1]
    gaps[found.streams.begins] = 0
    quiet = (found.highest <= found.acked) & (found.other_highest <= found.own_acked) & (gaps > IDLE_NS)
    return _sum(found.number, np.where(quiet, gaps, 0), count)
