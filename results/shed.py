"""Bytes that the site of rank 0 did not serve, by what was missed there: the file (content) or a site that could (health).

It reads trials and draws nothing. A content shed ratio is the fraction of all bytes that came from elsewhere because the
nearest site did not have them (Netflix, "Netflix and Fill", 2016, plans fill to make it small).
"""

from __future__ import annotations

from dataclasses import dataclass

from results.rundir import Run

MISSES = ("content", "health")


@dataclass(frozen=True)
class Shed:
    """Of one arm: fetches by a ranked list that counted, their bytes, and the fraction of those that was shed, by label."""

    arm: dict[str, str]
    fetches: int
    bytes: int
    content: float
    health: float


def shed(run: Run) -> list[Shed]:
    """Every arm with fetches by a ranked list that brought something; none in a run without such fetches."""
    found = []
    for arm in run.arms():
        trials = [trial for trial in run.trials if trial.counts and trial.matches(arm) and trial.text("rank") != ""]
        sizes = [(trial.text("miss"), trial.number("size_bytes") or 0.0) for trial in trials]
        total = sum(size for _, size in sizes)
        if total > 0:
            ratios = {miss: sum(size for label, size in sizes if label == miss) / total for miss in MISSES}
            found.append(Shed(arm, len(trials), int(total), ratios["content"], ratios["health"]))
    return found
