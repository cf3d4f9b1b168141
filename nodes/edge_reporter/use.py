"""How much of each bottleneck of an edge is in use, from two readings of its metrics. It reads nothing itself."""

from __future__ import annotations

import re
from dataclasses import dataclass

SENT, OPEN = "longhaul_sent_bytes_total", "longhaul_connections_open"

_SAMPLE = re.compile(r"(\w+)(?:\{[^}]*\})? ([0-9.eE+-]+)", re.ASCII)


class MetricsError(ValueError):
    """A text without the numbers that are needed."""


@dataclass(frozen=True)
class Reading:
    """What an edge's metrics said at `at_s`."""

    at_s: float
    sent_bytes: float
    connections: float


def read(text: str, at_s: float) -> Reading:
    """From Prometheus' text format; samples of one name are added up. Raises MetricsError."""
    sums: dict[str, float] = {}
    for line in text.splitlines():
        match = _SAMPLE.fullmatch(line)
        if match and match[1] in (SENT, OPEN):
            sums[match[1]] = sums.get(match[1], 0.0) + float(match[2])
    if OPEN not in sums:
        raise MetricsError(f"its metrics have no {OPEN}")
    return Reading(at_s, sums.get(SENT, 0.0), sums[OPEN])  # nothing is counted as sent before the first byte


def used(before: Reading, now: Reading, rate_bps: float, connections: int) -> dict[str, float]:
    """Fractions in use by bottleneck: of the rate since the reading before, and of the connections now."""
    elapsed_s = now.at_s - before.at_s
    sent = max(0.0, now.sent_bytes - before.sent_bytes)  # an edge that was started anew counts from 0
    return {"network": sent * 8 / elapsed_s / rate_bps if elapsed_s > 0 else 0.0, "connections": now.connections / connections}
