"""One row a TCP connection: the figures a person asks first. It makes no figure and reads no file.

Suffixes `_up` and `_down` name the direction: up is what the client sent. Times are ms, sizes bytes, rates bit/s.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from results.captures import losses
from results.captures.columns import Packets, address
from results.captures.follow import Followed, follow
from results.captures.memory import Memories
from results.captures.rtt import Samples
from results.captures.streams import Ints
from results.captures.sums import summed
from results.captures.tcp import Segments

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


@dataclass
class Analysis(Followed):
    """Everything that is known of the TCP of some packets."""

    table: Table


def analyse(packets: Packets, apart: bool = False, memories: Memories | None = None) -> Analysis:
    """Follow all connections of `packets`, which must hold each of them whole; `apart` at each interface for itself. Only the
    table is sure to live on when `memories` are used again."""
    found = follow(packets, apart, memories)
    return Analysis(**vars(found), table=_table(found))


def _table(followed: Followed) -> Table:
    found, lost, sums = followed.segments, followed.losses, followed.sums
    count, packets, begins = found.connections, found.packets, found.streams.begins
    swapped = sums.head[0::2] < 0  # the client sent nothing that was captured
    client = found.row[np.where(swapped, sums.head[1::2], sums.head[0::2])] if count else np.empty(0, np.int64)
    ends = [_endpoint(packets, client, swapped ^ other) for other in (False, True)]
    last = np.append(begins[1:], len(found.row)) - 1 if count else begins
    start, finish = found.time_ns[begins], found.time_ns[last]
    table: Table = {
        "stream": np.arange(count), "client": ends[0][0], "client_port": ends[0][1],
        "server": ends[1][0], "server_port": ends[1][1],
        "interface": packets.interface[found.row[begins]].astype(np.int64),
        "first_frame": packets.frame[found.row[begins]], "start_ns": start, "duration_ms": (finish - start) / 1e6,
        "packets": last - begins + 1, "begun_before": ~found.opened, "simultaneous": sums.simultaneous,
        "handshake_ms": _ms(followed.handshake_ns), "initial_rtt_ms": _ms(followed.initial_ns),
    }  # fmt: skip
    with np.errstate(divide="ignore", invalid="ignore"):
        rates = {name: np.where(sums.busy_ns > 0, size * 8e9 / sums.busy_ns, np.nan)
                 for name, size in (("throughput", sums.bytes), ("goodput", sums.new_bytes))}  # fmt: skip
    per_flow = {
        "bytes": sums.bytes, "new_bytes": sums.new_bytes, "retransmissions": summed(found.flow[lost.again], 1, 2 * count),
        "window_max": sums.window_max, "in_flight_max": sums.in_flight_max, "initial_window": sums.initial_window,
        "missing": sums.missing, "fin": sums.fin > 0, "rst": sums.rst > 0,
    }  # fmt: skip
    for name, values in (*per_flow.items(), *((f"{name}_bps", values) for name, values in rates.items())):
        stem = name.removesuffix("_max").removesuffix("_bps")
        unit = name[len(stem) :]
        table[f"{stem}_up{unit}"], table[f"{stem}_down{unit}"] = values[0::2], values[1::2]
    table |= _round_trips(found, followed.samples)
    again = found.number[lost.again]
    for name, kind in (("fast", losses.FAST), ("timeouts", losses.TIMEOUT), ("tail_probes", losses.PROBE)):
        table[name] = summed(again, lost.kind == kind, count)
    table["spurious"] = summed(again, lost.spurious, count)
    table["out_of_order"] = summed(found.number[lost.out_of_order], 1, count)
    for name in ("duplicate_acks", "sack_blocks", "zero_windows", "keep_alives"):
        table[name] = getattr(sums, name)
    table["scale_known"] = found.scaled
    table["idle_ms"] = sums.idle_ns / 1e6
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


def _sorted_within(of: Ints, values: Ints) -> Ints:
    """The values of each number ascending, those of the first number first. Numbers of 64 bits that say both sort fastest."""
    low, high = (int(values.min()), int(values.max())) if len(values) else (0, 0)
    bits = (high - low).bit_length()
    if bits + (int(of.max()) if len(of) else 0).bit_length() > 63:
        return values[np.lexsort((values, of))]
    return (np.sort(of << bits | values - low) & (1 << bits) - 1) + low


def _round_trips(found: Segments, samples: Samples) -> Table:
    count = 2 * found.connections
    good = ~samples.ambiguous & (found.payload[samples.asked] > 0)
    of, values = found.flow[samples.asked[good]], samples.rtt_ns[good]
    values = _sorted_within(of, values)
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
