"""`series/NAME.csv` of a run read trial by trial: what trials left beside their one row. It computes nothing."""

from __future__ import annotations

import csv
from collections.abc import Collection

from results.rundir import Run


def read(run: Run, name: str, trials: Collection[str]) -> dict[str, list[dict[str, str]]]:
    """The rows of some trials, by the trial's number, in their order. Raises RunError for a file that cannot be read."""
    path = run.path / "series" / f"{name}.csv"
    found: dict[str, list[dict[str, str]]] = {trial: [] for trial in trials}
    try:
        with path.open(encoding="utf-8", newline="") as file:
            for row in csv.DictReader(file, strict=True):
                if None in row or None in row.values():
                    raise run.error(f"series/{name}.csv has a row of another length than its header")
                if row["trial"] in found:
                    found[row["trial"]].append(row)
    except (OSError, UnicodeDecodeError, csv.Error, KeyError) as error:
        raise run.error(f"series/{name}.csv cannot be read ({error})") from error
    return found
