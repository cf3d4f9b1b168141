"""One-way delays between capture points as a run's packets had them, beside what their links specify. It reads no capture:
each trial left its rows in `series/one-way.csv`.
"""

from __future__ import annotations

import csv
import io
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from results import bounds
from results.rundir import Run

FILE = "one-way.csv"
_NUMBERS = ("packets", "least_ms", "median_ms", "p99_ms", "lost", "overtaken")


@dataclass(frozen=True)
class Delay:
    """One direction between two points over all valid trials: times are ms without what a packet's own bytes take at the rates
    on its way. `specified_ms` is None where it was not one and the same, or not known."""

    source: str
    target: str
    trials: int
    packets: int
    specified_ms: float | None
    least_ms: float
    median_ms: float
    p99_ms: float
    lost: int
    overtaken: int
    slack_ms: float

    @property
    def bound(self) -> bounds.Bound | None:
        """What the least may be."""
        return None if self.specified_ms is None else bounds.one_way(self.specified_ms, self.slack_ms)

    @property
    def word(self) -> str:
        """`inside`, `outside`, or empty where nothing is specified."""
        return "" if self.bound is None else "inside" if self.bound.holds(self.least_ms) else "outside"


def delays(run: Run) -> list[Delay]:
    """Of all pairs of points, in the order in which trials had them. Raises RunError for a damaged file."""
    path = run.path / "series" / FILE
    if not path.exists():
        return []
    slack_ms = max((link.slack_ms for link in run.links), default=0.0)
    counting = {trial.text("trial") for trial in run.trials if trial.counts}
    found: dict[tuple[str, str], list[dict[str, str]]] = {}
    try:
        for row in csv.DictReader(io.StringIO(path.read_text(encoding="utf-8"))):
            if row["trial"] in counting:
                found.setdefault((row["from"], row["to"]), []).append(row)
        return [_delay(*ends, rows, slack_ms) for ends, rows in found.items()]
    except (KeyError, TypeError, ValueError) as error:
        raise run.error(f"series/{FILE}: {error}") from error


def _delay(source: str, target: str, rows: Sequence[dict[str, str]], slack_ms: float) -> Delay:
    numbers = {name: [float(row[name]) for row in rows] for name in _NUMBERS}
    specified = {row["specified_ms"] for row in rows}
    only = specified.pop() if len(specified) == 1 else ""
    return Delay(source, target, len(rows), int(sum(numbers["packets"])), float(only) if only else None,
                 min(numbers["least_ms"]), statistics.median(numbers["median_ms"]), max(numbers["p99_ms"]),
                 int(sum(numbers["lost"])), int(sum(numbers["overtaken"])), slack_ms)  # fmt: skip
