"""What a fault did to requests, from the rows of a load: who was delayed or failed, until when, and what the others took.

Pure; times are ms since the load began, as in the rows.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from statistics import median
from typing import Any

Rows = Sequence[Mapping[str, Any]]


def touched(rows: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Requests that the fault reached: those that failed, and those that a balancer had to send twice."""
    return [row for row in rows if row["error"] or (row["tries"] or 1) > 1]


def moved_ms(rows: Rows, fault_ms: float) -> float:
    """From the fault until the last request that was due and that it reached; 0 when it reached none."""
    return max((row["due_ms"] - fault_ms for row in touched(rows) if row["due_ms"] >= fault_ms), default=0.0)


def back_ms(rows: Rows, well_ms: float, nodes: Iterable[str]) -> float | None:
    """From the end of the fault until the first request that was due and that one of these nodes answered; None: never."""
    names = set(nodes)
    return min((row["due_ms"] - well_ms for row in rows if row["due_ms"] >= well_ms and row["node"] in names), default=None)


def p50_ms(rows: Rows, from_ms: float, to_ms: float) -> float | None:
    """Median latency of what was due then and did not fail; None when there was nothing."""
    took = [row["latency_ms"] for row in rows if from_ms <= row["due_ms"] < to_ms and row["latency_ms"] is not None]
    return median(took) if took else None


def failed(rows: Rows, from_ms: float, to_ms: float) -> int:
    """How many of what was due then failed."""
    return sum(bool(row["error"]) for row in rows if from_ms <= row["due_ms"] < to_ms)
