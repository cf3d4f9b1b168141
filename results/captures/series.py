"""What a page draws of the largest connections, point by point. It draws nothing.

One direction of a connection is drawn: the one with more payload. Times are ms since its first packet, sizes bytes,
sequence numbers relative. Beyond `MOST` segments of a connection the rest is left out, and `left_out` says how many.
"""

from __future__ import annotations

import base64
from typing import Any

import numpy as np

from results.captures.connection_table import Analysis
from results.captures.losses import NAMES
from results.captures.rounds import beyond_ms, rounds
from results.captures.rtt import Samples

MOST = 100_000
_NEW, _LATE = 0, 9
"""How a segment is drawn: new, sent again (kinds of `losses`), out of order."""


class Series:
    """Collects the `top` largest connections of all batches."""

    def __init__(self, top: int) -> None:
        self.top = top
        self._found: list[tuple[int, dict[str, Any]]] = []

    def visit(self, analysis: Analysis) -> None:
        """For `survey`: one batch of whole connections."""
        sizes = analysis.table["bytes_up"] + analysis.table["bytes_down"]
        for number in np.argsort(-sizes, kind="stable")[: self.top].tolist():
            if len(self._found) < self.top or sizes[number] > self._found[-1][0]:
                self._found.append((int(sizes[number]), _of(analysis, number)))
                self._found = sorted(self._found, key=lambda one: -one[0])[: self.top]

    def chosen(self, first_frames: Any) -> list[dict[str, Any]]:
        """Largest first, with their stream numbers."""
        return [{**one, "stream": int(np.searchsorted(first_frames, one["first_frame"]))} for _, one in self._found]


def _of(analysis: Analysis, number: int) -> dict[str, Any]:
    found, table = analysis.segments, analysis.table
    begin = int(found.streams.begins[number])
    whole = int(table["packets"][number])
    places = np.arange(begin, begin + min(whole, MOST))
    side = int(table["bytes_down"][number] >= table["bytes_up"][number])
    times = (found.time_ns[places] - found.time_ns[begin]) / 1e6
    sender = (found.flow[places] & 1) == side
    frame = found.packets.frame[found.row[places]]
    data = places[sender & (found.payload[places] > 0)]
    at = times[data - begin]
    acks = places[~sender & (found.ack[places] >= 0)]
    kinds = np.full(len(data), _NEW, np.uint8)
    again = np.searchsorted(analysis.losses.again, data)
    same = again < len(analysis.losses.again)
    same[same] = analysis.losses.again[again[same]] == data[same]
    kinds[same] = analysis.losses.kind[again[same]]
    kinds[np.isin(data, analysis.losses.out_of_order)] = _LATE
    flight = np.maximum(found.highest[data], found.end[data]) - np.maximum(found.acked[data], 0)
    return {
        "first_frame": int(table["first_frame"][number]), "client": table["client"][number], "server": table["server"][number],
        "interface": int(table["interface"][number]), "client_port": int(table["client_port"][number]),
        "server_port": int(table["server_port"][number]), "down": bool(side),
        "away_ms": (away_ms := beyond_ms(table, number, side)),
        "rounds": [size for _, size in rounds(found, 2 * number + side, away_ms=away_ms)], "left_out": whole - len(places),
        "kinds": {str(code): name for code, name in NAMES.items()},
        "data": packed(at, found.seq[data], found.end[data], kinds, frame[data - begin], flight),
        "acks": packed(times[acks - begin], found.ack[acks], found.ack[acks] + found.window[acks], frame[acks - begin]),
        "sacks": _sacks(analysis, acks, times, begin),
        "rtt": _samples(analysis, analysis.samples, begin, side, len(places)),
        "stamps": _samples(analysis, analysis.stamps, begin, side, len(places)),
    }  # fmt: skip


def _sacks(analysis: Analysis, acks: Any, times: Any, begin: int) -> list[str]:
    found = analysis.segments
    rows = found.row[acks]
    order = np.argsort(rows)
    at = np.searchsorted(rows[order], found.packets.sack_row)
    mine = np.flatnonzero(at < len(rows))
    mine = mine[rows[order][at[mine]] == found.packets.sack_row[mine]] if len(mine) else mine
    place = acks[order][at[mine]]
    own = found.packets.ack[found.row[place]]
    left, right = (found.ack[place] + (edge[mine] - own).view(np.int32)
                   for edge in (found.packets.sack_left, found.packets.sack_right))  # fmt: skip
    return packed(times[place - begin], left, right)


def _samples(analysis: Analysis, samples: Samples, begin: int, side: int, count: int) -> list[str]:
    found = analysis.segments
    chosen = np.flatnonzero((samples.answer >= begin) & (samples.answer < begin + count))
    chosen = chosen[((found.flow[samples.asked[chosen]] & 1) == side) & ~samples.ambiguous[chosen]]
    chosen = chosen[np.argsort(samples.answer[chosen], kind="stable")]
    answer = samples.answer[chosen]
    times = (found.time_ns[answer] - found.time_ns[begin]) / 1e6
    return packed(times, samples.rtt_ns[chosen] / 1e6, found.packets.frame[found.row[answer]])


def packed(*columns: Any) -> list[str]:
    """Little-endian float64 in base64: a tenth of the size and time of numbers in JSON."""
    return [base64.b64encode(np.asarray(column, "<f8").tobytes()).decode() for column in columns]
