"""Tables written out as CSV or Parquet, and that of packets. It computes no figure.

Parquet needs pyarrow, which weighs 55 MB for this one thing: it is used where it is installed and asked for where it is not.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Protocol, TextIO

import numpy as np

from results.captures.columns import Packets, address
from results.captures.connection_table import Table
from results.captures.errors import CaptureError
from results.captures.reader import Chunk

PACKET_COLUMNS = ("frame", "time_ns", "interface", "captured", "wire", "vlan", "version", "protocol", "source", "source_port",
                  "destination", "destination_port", "ttl", "seq", "ack", "flags", "window", "payload")  # fmt: skip


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
