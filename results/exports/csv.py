"""Comma-separated values: `trials.csv`, `links.csv`, `claims.csv` and each series, flat, with the run's id in front.

It is not the run's own trials.csv, which has text as it was written: here what is a number is one, and nothing is empty text.
"""

from __future__ import annotations

import csv
from pathlib import Path

from results.exports.machinery.request import Request
from results.exports.machinery.tables import tables

USES = ("out",)


def write(request: Request) -> list[Path]:
    """One file per table. Raises ExportError and RunError."""
    folder, written = request.folder("csv"), []
    for name, table in tables(request.run).items():
        path = folder / f"{name}.csv"
        with request.explained(path), path.open("w", encoding="utf-8", newline="") as file:
            rows = csv.writer(file, lineterminator="\n")
            rows.writerow(table)
            rows.writerows(zip(*table.values(), strict=True))
        written.append(path)
    return written
