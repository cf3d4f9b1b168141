"""Rows of `trials.csv`: one measured fetch each, and samples drawn from them. It computes no statistics."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

REQUIRED = ("trial", "repetition", "warmup", "valid", "reason", "ok", "error")

_YES, _NO = {"1", "true", "yes"}, {"0", "false", "no", ""}


class TrialsError(ValueError):
    """A `trials.csv` that cannot be used; the message names the row or column."""


@dataclass(frozen=True)
class Trial:
    """One row. Metrics are text until asked for, since each experiment has its own columns. `row` counts from 2."""

    row: int
    values: Mapping[str, str]

    def number(self, column: str) -> float | None:
        """A metric, in the unit its name states; None where the cell is empty. Raises TrialsError."""
        text = self.values[column]
        if text == "":
            return None
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not math.isfinite(value):
            raise TrialsError(f"row {self.row} of trials.csv has '{text[:40]}' as {column}, which is not a number")
        return value

    def flag(self, column: str) -> bool:
        """A yes or no column. Raises TrialsError."""
        text = self.values[column].casefold()
        if text not in _YES | _NO:
            raise TrialsError(f"row {self.row} of trials.csv has '{text[:40]}' as {column}, which is neither 1 nor 0")
        return text in _YES

    def denies(self, column: str) -> bool:
        """Whether a cell that may be empty or absent says no."""
        return self.text(column).casefold() in _NO - {""}

    def text(self, column: str) -> str:
        """Any cell; empty where the run has no such column."""
        return self.values.get(column, "")

    @property
    def measured(self) -> bool:
        """Whether it was no warm-up."""
        return not self.flag("warmup")

    @property
    def counts(self) -> bool:
        """Whether its times are used: no warm-up, declared valid, and the fetch succeeded."""
        return self.measured and self.flag("valid") and self.flag("ok")

    def matches(self, where: Mapping[str, str]) -> bool:
        """Whether it belongs to the arm."""
        return all(self.values[name] == level for name, level in where.items())


def parse(text: str) -> list[Trial]:
    """Trials from the text of the file. Raises TrialsError."""
    try:
        rows = list(csv.reader(io.StringIO(text, newline=""), strict=True))
    except csv.Error as error:
        raise TrialsError(f"trials.csv is not CSV: {error}") from error
    if not rows:
        raise TrialsError("trials.csv is empty")
    head = rows[0]
    missing = [name for name in REQUIRED if name not in head]
    if missing:
        raise TrialsError(f"trials.csv lacks the column{'s' * (len(missing) > 1)} {', '.join(missing)}")
    trials = []
    for number, cells in enumerate(rows[1:], start=2):
        if len(cells) != len(head):
            raise TrialsError(f"row {number} of trials.csv has {len(cells)} of {len(head)} cells")
        trials.append(Trial(number, dict(zip(head, cells, strict=True))))
        for column in ("warmup", "valid", "ok"):
            trials[-1].flag(column)
    return trials


def sample(trials: Iterable[Trial], metric: str, where: Mapping[str, str]) -> list[float]:
    """The metric of every trial of the arm that counts and has it. Raises TrialsError."""
    found = (trial.number(metric) for trial in trials if trial.counts and trial.matches(where))
    return [value for value in found if value is not None]


def by_repetition(trials: Iterable[Trial], metric: str, where: Mapping[str, str]) -> dict[str, float]:
    """The metric of every trial of the arm that counts and has it, by its repetition. Raises TrialsError."""
    found = ((trial.text("repetition"), trial.number(metric)) for trial in trials if trial.counts and trial.matches(where))
    return {repetition: value for repetition, value in found if value is not None}


def arms(factors: Sequence[str], levels: Mapping[str, Sequence[str]], trials: Iterable[Trial]) -> list[dict[str, str]]:
    """Every combination of levels that was tried, in the order of the levels."""
    seen = {tuple(trial.values[name] for name in factors) for trial in trials}

    def rank(arm: tuple[str, ...]) -> list[tuple[int, str]]:
        order = [levels.get(name, ()) for name in factors]
        pairs = zip(order, arm, strict=True)
        return [(known.index(level) if level in known else len(known), level) for known, level in pairs]

    return [dict(zip(factors, arm, strict=True)) for arm in sorted(seen, key=rank)]
