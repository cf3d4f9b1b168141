"""One figure of a link: what was specified, what was achieved, what is allowed, and so the verdict. It measures nothing."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

INSIDE, OUTSIDE, UNSUPPORTED, PUBLISHED = "inside", "outside", "unsupported", "published"
TOO_SLOW = "too slow"


def ms(value: float) -> str:
    """A time for the table, finer than `units.show_ms`: microseconds decide here."""
    return f"{value:.3f} ms"


def mbps(value_bps: float) -> str:
    """A rate for the table."""
    return f"{value_bps / 1e6:.4f} Mbit/s"


def share(value: float) -> str:
    """A fraction of one for the table."""
    return f"{value:.3%}"


def count(value: float) -> str:
    """A number of packets."""
    return f"{value:.0f}"


def number(value: float) -> str:
    """A number with a fraction, such as a mean count."""
    return f"{value:.3f}"


@dataclass(frozen=True)
class Figure:
    """`achieved` must lie within `low` and `high`; None leaves that side open. With both open it is only published.

    `show` writes the values with their unit; `specified` is in words. `note` says how it was measured, where that matters.
    """

    name: str
    specified: str
    achieved: float
    low: float | None
    high: float | None
    show: Callable[[float], str]
    note: str = ""

    @property
    def verdict(self) -> str:
        """Inside, outside or published."""
        if self.low is None and self.high is None:
            return PUBLISHED
        # Written so that a value that is no number is outside.
        fine = (self.low is None or self.achieved >= self.low) and (self.high is None or self.achieved <= self.high)
        return INSIDE if fine else OUTSIDE

    @property
    def allowed(self) -> str:
        """In words."""
        if self.low is not None and self.high is not None:
            return self.show(self.low) if self.low == self.high else f"{self.show(self.low)} to {self.show(self.high)}"
        if self.high is not None:
            return f"at most {self.show(self.high)}"
        return "-" if self.low is None else f"at least {self.show(self.low)}"


def around(name: str, specified: str, achieved: float, due: float, off: float, show: Callable[[float], str],
           note: str = "") -> Figure:  # fmt: skip
    """A figure that may be `off` either way from what is `due`."""
    return Figure(name, specified, achieved, due - off, due + off, show, note)


def none(name: str, achieved: int) -> Figure:
    """A count that must be zero."""
    return Figure(name, "none", achieved, 0, 0, count)


def middle(runs: Sequence[Figure]) -> Figure:
    """The one that stands for the same figure of several runs: the median one, with the range of all; of what may not be at
    all, the worst. A run without a value is one of a link that failed, and stands for all."""
    order = sorted(runs, key=lambda one: (math.isnan(one.achieved), one.achieved))
    only_one_right = runs[0].low is not None and runs[0].low == runs[0].high
    chosen = order[-1] if only_one_right or math.isnan(order[-1].achieved) else order[len(order) // 2]
    if len(runs) == 1:
        return chosen
    spread = f"{len(runs)} runs, {order[0].show(order[0].achieved)} to {order[-1].show(order[-1].achieved)}"
    return replace(chosen, note="; ".join(filter(None, (spread, chosen.note))))


@dataclass(frozen=True)
class Row:
    """One line of the table: a figure of a check, which attempt it is from, on which backend; or why there is none."""

    check: str
    what: str
    figure: Figure | None
    backend: str = ""
    attempts: int = 1
    seconds: float = 0.0
    reason: str = ""
    too_slow: bool = False

    @property
    def verdict(self) -> str:
        """Inside, outside or published; without a figure unsupported, or too slow where the machine did not do it this time."""
        if self.figure is None:
            return TOO_SLOW if self.too_slow else UNSUPPORTED
        return self.figure.verdict

    def as_dict(self) -> dict[str, Any]:
        """For `--json`; texts as in the table, numbers in base units."""
        figure = self.figure
        values = {} if figure is None else {
            "figure": figure.name, "specified": figure.specified, "achieved": figure.achieved, "low": figure.low,
            "high": figure.high, "achieved_text": figure.show(figure.achieved), "allowed": figure.allowed, "note": figure.note,
        }  # fmt: skip
        return {"check": self.check, "what": self.what, "verdict": self.verdict, "reason": self.reason, "backend": self.backend,
                "attempts": self.attempts, "seconds": round(self.seconds, 2), **values}  # fmt: skip
