"""What a benchmark says: rows of figures with their goals, medians of several runs. It measures nothing itself.

Each file in benches/ is one benchmark, found by its presence: `measure(repetitions)` returns its rows.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class Row:
    """One figure: the median of `samples`, the most or the least that it may be, and a peer's, measured in the same run.

    `ratio_at_least` and `ratio_at_most` are goals for ours over the peer's; `warning` is why the figure may be wrong.
    """

    what: str
    unit: str
    samples: tuple[float, ...]
    at_most: float | None = None
    peer: str = ""
    peer_samples: tuple[float, ...] = ()
    at_least: float | None = None
    ratio_at_least: float | None = None
    ratio_at_most: float | None = None
    warning: str = ""

    @property
    def median(self) -> float:
        """Of the samples."""
        return statistics.median(self.samples)

    @property
    def ratio(self) -> float | None:
        """Ours over the peer's, medians; None without a peer."""
        return self.median / statistics.median(self.peer_samples) if self.peer_samples else None

    @property
    def reached(self) -> bool:
        """Whether the median and the ratio are within their goals; a ratio that is not there is not."""
        ratio = self.ratio
        return (
            (self.at_most is None or self.median <= self.at_most)
            and (self.at_least is None or self.median >= self.at_least)
            and (self.ratio_at_least is None or (ratio is not None and ratio >= self.ratio_at_least))
            and (self.ratio_at_most is None or (ratio is not None and ratio <= self.ratio_at_most))
        )

    def as_dict(self) -> dict[str, Any]:
        """For `--json`."""
        return {**asdict(self), "median": self.median, "ratio": self.ratio, "reached": self.reached}


def table(rows: Sequence[Row]) -> str:
    """The rows for a person."""
    heads = ("what", "median", "min", "max", "goal", "  beside")
    return "\n".join(_line(cells) for cells in [heads, *map(_cells, rows)])


def _cells(row: Row) -> tuple[str, ...]:
    beside = "" if row.ratio is None else f"  {row.peer}: {statistics.median(row.peer_samples):.3g}, ratio {row.ratio:.2f}"
    return (row.what, f"{row.median:.3g} {row.unit}", f"{min(row.samples):.3g}", f"{max(row.samples):.3g}",
            _goal(row), beside + ("" if row.reached else "  NOT REACHED")
            + (f"  ({row.warning})" if row.warning else ""))  # fmt: skip


def _goal(row: Row) -> str:
    if row.ratio_at_least is not None:
        return f"x >= {row.ratio_at_least:g}"
    if row.ratio_at_most is not None:
        return f"x <= {row.ratio_at_most:g}"
    if row.at_least is not None:
        return f">= {row.at_least:g}"
    return "-" if row.at_most is None else f"{row.at_most:g}"


def _line(cells: tuple[str, ...]) -> str:
    return "{:<48} {:>10} {:>8} {:>8} {:>8}{}".format(*cells)


Measure = Callable[[int], list[Row]]
