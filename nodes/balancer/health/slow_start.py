"""Slow start: the share of its usual traffic that a node gets while it is new. It sends nothing and keeps nothing.

As Envoy's with an aggression of 1: in proportion to its age, from a tenth on.
"""

from __future__ import annotations

LEAST = 0.1


def share(age_s: float, window_s: float) -> float:
    """Between 0.1 and 1; 1 when the window is over, or is zero."""
    return 1.0 if age_s >= window_s else max(LEAST, age_s / window_s)
