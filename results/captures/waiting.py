"""Tables with a row an RTT sample or a TCP segment: time series of connections. It follows none.

Their rows wait in temporary files, because a connection has its number only when all of a capture has been read.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import TracebackType
from typing import Any, BinaryIO

import numpy as np

from results.captures.connection_table import Analysis, Table
from results.captures.losses import NAMES
from results.captures.rtt import Samples
from results.captures.sums import in_flight

SAMPLE_COLUMNS = {
    "stream": "number of the connection", "frame": "that answered", "asked_frame": "that it answered",
    "time_ns": "when it answered, since 1970", "up": "whether the client's data was answered",
    "by": "sequence or stamps, see `rtt`", "rtt_ms": "", "ambiguous": "whether its data was sent more than once (RFC 6298, 3)",
}  # fmt: skip
SEGMENT_COLUMNS = {
    "stream": "number of the connection", "frame": "", "time_ns": "since 1970", "up": "whether the client sent it",
    "seq": "relative to the first of its sender", "payload": "bytes", "new_bytes": "of them, not seen before",
    "ack": "relative; -1 without", "window": "that it announces, in bytes where the scale is known",
    "in_flight": "bytes that its sender has outstanding with it", "sack_high": "highest SACKed byte it names, relative; -1 "
    "without", "kind": "fast, timeout, tail loss probe: sent again so; out of order, keep-alive, duplicate ack; else empty",
}  # fmt: skip
_SAMPLE = np.dtype([("first_frame", np.int64), ("frame", np.int64), ("asked_frame", np.int64), ("time_ns", np.int64),
                    ("up", np.bool_), ("stamps", np.bool_), ("rtt_ns", np.int64), ("ambiguous", np.bool_)])  # fmt: skip
_NUMBERS = ("frame", "time_ns", "seq", "payload", "new_bytes", "ack", "window", "in_flight", "sack_high")
_SEGMENT = np.dtype([("first_frame", np.int64), *((name, np.int64) for name in _NUMBERS), ("up", np.bool_), ("kind", np.uint8)])
_BLOCK = 100_000
_KINDS = np.array(["", *(NAMES[code] for code in sorted(NAMES)), "out of order", "keep-alive", "duplicate ack"])
_OUT_OF_ORDER, _KEEP_ALIVE, _DUPLICATE = range(len(_KINDS) - 3, len(_KINDS))


@dataclass
class Waiting:
    """One table. `rows` makes rows of `kind` of a batch, `columns` makes a table of rows, all but `stream`."""

    kind: np.dtype[Any]
    rows: Callable[[Analysis], Any]
    columns: Callable[[Any], Table]

    def __post_init__(self) -> None:
        self._file: BinaryIO = tempfile.TemporaryFile(prefix="longhaul-rows-")  # noqa: SIM115

    def __enter__(self) -> Waiting:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._file.close()

    def visit(self, analysis: Analysis) -> None:
        """For `survey`: keep the rows of a batch."""
        self._file.write(self.rows(analysis).tobytes())

    def tables(self, first_frames: Any) -> Iterator[Table]:
        """Pieces of the table, at least one; connections are numbered by their first frames (ascending)."""
        self._file.seek(0)
        rows = None
        while rows is None or len(rows) == _BLOCK:
            rows = np.frombuffer(self._file.read(self.kind.itemsize * _BLOCK), self.kind)
            yield {"stream": np.searchsorted(first_frames, rows["first_frame"]), **self.columns(rows)}


def samples() -> Waiting:
    """The table of RTT samples."""
    return Waiting(_SAMPLE, _samples, _sample_columns)


def segments() -> Waiting:
    """The table of TCP segments."""
    return Waiting(_SEGMENT, _segments, _segment_columns)


def _samples(analysis: Analysis) -> Any:
    return np.concatenate([_packed(analysis, analysis.samples, False), _packed(analysis, analysis.stamps, True)])


def _packed(analysis: Analysis, found: Samples, by_stamps: bool) -> Any:
    segments = analysis.segments
    rows, frame = np.empty(len(found.answer), _SAMPLE), segments.packets.frame[segments.row]
    rows["first_frame"] = analysis.table["first_frame"][segments.number[found.answer]]
    rows["frame"], rows["asked_frame"] = frame[found.answer], frame[found.asked]
    rows["time_ns"], rows["up"] = segments.time_ns[found.answer], (segments.flow[found.asked] & 1) == 0
    rows["stamps"], rows["rtt_ns"], rows["ambiguous"] = by_stamps, found.rtt_ns, found.ambiguous
    return rows


def _sample_columns(rows: Any) -> Table:
    return {**{name: rows[name] for name in ("frame", "asked_frame", "time_ns", "up", "ambiguous")},
            "by": np.where(rows["stamps"], "stamps", "sequence"), "rtt_ms": rows["rtt_ns"] / 1e6}  # fmt: skip


def _segments(analysis: Analysis) -> Any:
    found, lost = analysis.segments, analysis.losses
    rows = np.empty(len(found.row), _SEGMENT)
    rows["first_frame"] = analysis.table["first_frame"][found.number]
    rows["frame"] = found.packets.frame[found.row]
    for name in ("time_ns", "seq", "payload", "ack", "window"):
        rows[name] = getattr(found, name)
    rows["up"], rows["new_bytes"], rows["in_flight"] = (found.flow & 1) == 0, analysis.fresh, in_flight(found)
    rows["sack_high"] = lost.sack_high
    kind = np.select([lost.duplicate_ack, found.keep_alive], [_DUPLICATE, _KEEP_ALIVE]).astype(np.uint8)
    kind[lost.again], kind[lost.out_of_order] = lost.kind, _OUT_OF_ORDER
    rows["kind"] = kind
    return rows


def _segment_columns(rows: Any) -> Table:
    return {**{name: rows[name] for name in SEGMENT_COLUMNS if name not in ("stream", "kind")}, "kind": _KINDS[rows["kind"]]}
