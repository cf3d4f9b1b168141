"""Tables written out: connections, RTT samples and packets as CSV or Parquet. It computes no figure.

Parquet needs pyarrow, which weighs 55 MB for this one thing: it is used where it is installed and asked for where it is not.
"""

from __future__ import annotations

import csv
import tempfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, TextIO

import numpy as np

from results.captures.columns import Packets, address
from results.captures.connection_table import Analysis, Table
from results.captures.errors import CaptureError
from results.captures.reader import Chunk
from results.captures.rtt import Samples

PACKET_COLUMNS = ("frame", "time_ns", "interface", "captured", "wire", "vlan", "version", "protocol", "source", "source_port",
                  "destination", "destination_port", "ttl", "seq", "ack", "flags", "window", "payload")  # fmt: skip
SAMPLE_COLUMNS = ("stream", "frame", "asked_frame", "up", "by", "rtt_ms", "ambiguous")
_SAMPLE = np.dtype([("first_frame", np.int64), ("frame", np.int64), ("asked_frame", np.int64), ("up", np.bool_),
                    ("stamps", np.bool_), ("rtt_ns", np.int64), ("ambiguous", np.bool_)])  # fmt: skip
_BLOCK = 100_000


class Writer(Protocol):
    """Takes one table piece by piece."""

    def put(self, table: Table) -> None:
        """Some rows more."""

    def close(self) -> None:
        """No more rows."""


class Csv:
    """A table as comma-separated values with a header; what is unknown is empty."""

    def __init__(self, path: Path, columns: Iterable[str]) -> None:
        self._columns = tuple(columns)
        self._file: TextIO = path.open("w", newline="")
        self._rows = csv.writer(self._file, lineterminator="\n")
        self._rows.writerow(self._columns)

    def put(self, table: Table) -> None:
        """Some rows more."""
        self._rows.writerows(zip(*(_texts(table[name]) for name in self._columns), strict=True))

    def close(self) -> None:
        """No more rows."""
        self._file.close()


class Parquet:
    """A table as Parquet. Raises CaptureError without pyarrow."""

    def __init__(self, path: Path, columns: Iterable[str]) -> None:
        self._columns, self._path = tuple(columns), path
        self._writer: Any = None
        self._arrow = arrow()

    def put(self, table: Table) -> None:
        """Some rows more."""
        pa = self._arrow
        whole = pa.table({name: pa.array(table[name], pa.string()) if isinstance(table[name], list) else table[name]
                          for name in self._columns})  # fmt: skip
        if self._writer is None:
            from pyarrow import parquet

            self._writer = parquet.ParquetWriter(str(self._path), whole.schema)
        self._writer.write_table(whole)

    def close(self) -> None:
        """No more rows."""
        if self._writer is not None:
            self._writer.close()


def arrow() -> Any:
    """The module. Raises CaptureError."""
    try:
        import pyarrow
    except ImportError:
        raise CaptureError("could not write Parquet: pyarrow is not installed (55 MB); run `.venv/bin/pip install pyarrow`, "
                           "or write CSV with --csv") from None  # fmt: skip
    return pyarrow


class SampleSpool:
    """RTT samples of all batches, kept in a temporary file until connections have their numbers."""

    def __init__(self) -> None:
        self._file = tempfile.TemporaryFile(prefix="longhaul-samples-")  # noqa: SIM115

    def __enter__(self) -> SampleSpool:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._file.close()

    def visit(self, analysis: Analysis) -> None:
        """Keep the samples of a batch."""
        for samples, by_stamps in ((analysis.samples, False), (analysis.stamps, True)):
            self._file.write(_packed(analysis, samples, by_stamps).tobytes())

    def tables(self, first_frames: Any) -> Iterator[Table]:
        """Pieces of the table, with stream numbers by the connections' first frames."""
        self._file.seek(0)
        while data := self._file.read(_SAMPLE.itemsize * _BLOCK):
            rows = np.frombuffer(data, _SAMPLE)
            yield {
                "stream": np.searchsorted(first_frames, rows["first_frame"]), "frame": rows["frame"],
                "asked_frame": rows["asked_frame"], "up": rows["up"], "by": np.where(rows["stamps"], "stamps", "sequence"),
                "rtt_ms": rows["rtt_ns"] / 1e6, "ambiguous": rows["ambiguous"],
            }  # fmt: skip


def _packed(analysis: Analysis, samples: Samples, by_stamps: bool) -> Any:
    found = analysis.segments
    frame = found.packets.frame[found.row]
    rows = np.empty(len(samples.answer), _SAMPLE)
    rows["first_frame"] = analysis.table["first_frame"][found.number[samples.answer]]
    rows["frame"], rows["asked_frame"] = frame[samples.answer], frame[samples.asked]
    rows["up"] = (found.flow[samples.asked] & 1) == 0
    rows["stamps"], rows["rtt_ns"], rows["ambiguous"] = by_stamps, samples.rtt_ns, samples.ambiguous
    return rows


def packets_to(writer: Writer) -> Callable[[Chunk, Any], None]:
    """A visitor of chunks that writes the packets chosen."""

    def visit(chunk: Chunk, mask: Any) -> None:
        packets = chunk.packets if mask is None else chunk.packets[mask]
        table: Table = {name: getattr(packets, name) for name in PACKET_COLUMNS if hasattr(packets, name)}
        table["source"], table["destination"] = (_addresses(packets, end) for end in ("source", "destination"))
        writer.put(table)

    return visit


def _addresses(packets: Packets, end: str) -> list[str]:
    known: dict[tuple[int, int], str] = {}
    pairs = zip(getattr(packets, f"{end}_high").tolist(), getattr(packets, f"{end}_low").tolist(), strict=True)
    return [known.get(pair) or known.setdefault(pair, address(*pair) if version else "")
            for pair, version in zip(pairs, packets.version.tolist(), strict=True)]  # fmt: skip


def _texts(column: Any) -> list[Any]:
    values = column if isinstance(column, list) else column.tolist()
    if isinstance(column, np.ndarray) and column.dtype.kind == "f":
        return ["" if value != value else round(value, 6) for value in values]  # noqa: PLR0124
    if isinstance(column, np.ndarray) and column.dtype.kind == "b":
        return [int(value) for value in values]
    return list(values)
