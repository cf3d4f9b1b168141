"""Rows that a trial leaves beside its one row of trials.csv: samples in time, requests of a load. It computes nothing.

`series/NAME.csv` of a run directory has one header, the trial's number in front.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from experiments.harness.rundir import RunDirectory, explained, whole_rows


class SeriesError(Exception):
    """Rows that do not belong in their file; the message says why and what to do."""


class Series:
    """The series of a run. Each file's columns are those of the first row that it was given."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._headers: dict[str, list[str]] = {}
        for path in folder.glob("*.csv"):  # of a run that goes on
            with path.open(encoding="utf-8", newline="") as file:
                self._headers[path.stem] = next(csv.reader(file), [])

    def add(self, name: str, trial: int, rows: Sequence[Mapping[str, Any]]) -> None:
        """Append the rows of one trial. Raises SeriesError, and RunDirectoryError when the disk does not take them."""
        if not re.fullmatch(r"[a-z0-9][a-z0-9_-]*", name):
            raise SeriesError(f"could not keep the series '{name}': it is to be a file's name; use a to z, 0 to 9, - and _")
        if not rows:
            return
        header = self._headers.setdefault(name, ["trial", *rows[0]])
        for row in rows:
            if list(row) != header[1:]:
                raise SeriesError(f"could not keep a row of the series {name}: it has {', '.join(row)} where the first one has "
                                  f"{', '.join(header[1:])}; give all rows the same keys, none of them 'trial'")  # fmt: skip
        path = self.folder / f"{name}.csv"
        with explained(path):
            self.folder.mkdir(exist_ok=True)
            new = not path.exists()
            with path.open("a", encoding="utf-8", newline="") as file:
                writer = csv.writer(file, lineterminator="\n")
                writer.writerows([header] if new else [])
                writer.writerows([trial, *row.values()] for row in rows)


def keep_only(directory: RunDirectory, trials: Collection[int]) -> None:
    """Drop the rows of all but these trials, in trials.csv and in every series: those of one that was cut off. Raises
    RunDirectoryError."""
    for path in filter(Path.exists, (directory.path / "trials.csv", *sorted((directory.path / "series").glob("*.csv")))):
        header, rows = whole_rows(path.read_text("utf-8"))
        kept = [row for row in rows if row[0].isdecimal() and int(row[0]) in trials]
        name = path.relative_to(directory.path).as_posix()
        directory.rewrite(name, [header, *kept] if kept or name == "trials.csv" else [])
