"""Parquet: the same tables as CSV, with their types. It needs pyarrow, which is not installed by default (55 MB)."""

from __future__ import annotations

from pathlib import Path

from results.captures.errors import CaptureError
from results.captures.tables import arrow
from results.exports.machinery.request import Request
from results.exports.machinery.tables import tables

USES = ("out",)


def write(request: Request) -> list[Path]:
    """One file per table. Raises ExportError, also where pyarrow is missing, and RunError."""
    try:
        pyarrow = arrow()
    except CaptureError:
        raise request.error("pyarrow is not installed (55 MB)", "run `.venv/bin/python -m pip install pyarrow`, or export "
                            "CSV") from None  # fmt: skip
    from pyarrow import parquet

    folder, written = request.folder("parquet"), []
    for name, table in tables(request.run).items():
        path = folder / f"{name}.parquet"
        with request.explained(path):
            parquet.write_table(pyarrow.table(table), str(path))
        written.append(path)
    return written
