"""Whether the trials of a run are enough: valid ones in every arm, and medians known as closely as the experiment needs.

It runs nothing. Whoever looks at intervals until they are narrow stops a little too early at times (the interval's true
confidence is some per cent below 95 %); a study's bands are far wider than that.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from results.manifest import default_needed
from results.statistics import FEWEST_FOR_INTERVAL, estimate


def lacking(arms: Sequence[Mapping[str, str]], rows: Sequence[Mapping[str, Any]], needed: int,
            precise: Mapping[str, float]) -> list[dict[str, str]]:  # fmt: skip
    """The arms that need more trials. `rows` are those of trials.csv, `needed` the valid trials of an arm, and `precise` says
    how wide the 95 % interval of a metric's median may be, as a share of the median."""
    return [dict(arm) for arm in arms if lacks([row for row in rows if all(row[name] == level for name, level in arm.items())],
                                               needed, precise)]  # fmt: skip


def none_to_spare(repetitions: int, most: int) -> str:
    """What to say before a run in which no trial of an arm may be lost; empty where one may. `repetitions` are rows of an arm,
    `most` how many there may be when lost ones are repeated (0: none is)."""
    if repetitions > default_needed(repetitions) or most > repetitions:
        return ""
    return (f"of {repetitions} measured trials of an arm none may be lost: one that is disturbed makes the run invalid; of "
            "five or more, one in five may be")  # fmt: skip


def lacks(rows: Sequence[Mapping[str, Any]], needed: int, precise: Mapping[str, float]) -> bool:
    """Whether the trials of one arm are too few, or their intervals too wide."""
    good = [row for row in rows if row["valid"] and not row["warmup"]]
    return len(good) < needed or any(_wide([row[metric] for row in good], share) for metric, share in precise.items())


def _wide(cells: Sequence[Any], share: float) -> bool:
    values = [float(cell) for cell in cells if cell != ""]
    if len(values) < FEWEST_FOR_INTERVAL:
        return True
    found = estimate(values)
    return found.high - found.low > share * abs(found.value)
