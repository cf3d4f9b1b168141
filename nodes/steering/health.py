"""Health of an edge: one word and one number made of how much of each bottleneck is in use.

It measures nothing: edges report, and silence is a report too.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

UP, FULL, DOWN = "up", "full", "down"


class HealthError(ValueError):
    """A report of health that cannot be; the message says what of it and what may be."""


@dataclass(frozen=True)
class Limits:
    """From which use on an edge takes no new clients, and after which silence it is taken for dead."""

    full_at: float = 0.95
    silent_s: float = 30.0


@dataclass(frozen=True, slots=True)
class Health:
    """What an edge said of itself at `at_s` (seconds since 1970). `used` is the fraction in use of each bottleneck, by name:
    cpu, disk, network, ...; above 1 is overload. The edge as a whole is as full as its fullest bottleneck."""

    at_s: float
    used: Mapping[str, float]
    draining: bool = False

    @property
    def bottleneck(self) -> tuple[str, float]:
        """Name and use of the fullest."""
        return max(self.used.items(), key=lambda item: item[1])

    def state(self, now_s: float, limits: Limits) -> tuple[str, str]:
        """`up`, `full` or `down`, and why."""
        silent_s = now_s - self.at_s
        if silent_s > limits.silent_s:
            return DOWN, f"silent for {silent_s:.0f} s"
        if self.draining:
            return DOWN, "draining"
        name, used = self.bottleneck
        if used >= limits.full_at:
            return FULL, f"{name} {used:.0%} in use"
        return UP, f"{name} {used:.0%} in use"


def parse(value: object, at_s: float) -> Health:
    """Health from JSON: `{"used": {"cpu": 0.4, "network": 0.7}, "draining": false}`. Raises HealthError."""
    if not isinstance(value, Mapping) or not set(value) <= {"used", "draining"}:
        raise HealthError("health is not an object of `used` and `draining`")
    used, draining = value.get("used"), value.get("draining", False)
    if not isinstance(used, Mapping) or not used:
        raise HealthError("health says nothing of `used`; write for example {\"used\": {\"cpu\": 0.4, \"network\": 0.7}}")
    if not isinstance(draining, bool):
        raise HealthError(f"draining {draining!r} is neither true nor false")
    for name, part in used.items():
        if isinstance(part, bool) or not isinstance(part, int | float) or not 0 <= part < math.inf:
            raise HealthError(f"used {name} {part!r} is not a fraction from 0 on")
    return Health(at_s, {str(name): float(part) for name, part in used.items()}, draining)
