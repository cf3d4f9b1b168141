"""Measuring the links of a running lab and comparing them with what was specified.

It changes nothing in the lab; its traffic is a few echoes and short trains of UDP in the nodes' own namespaces.
"""

from __future__ import annotations

from collections.abc import Sequence

from .compare import compare
from .model import Measured, Rtt, Target, Verified, Way
from .ping import measure_rtts
from .train import measure_trains

__all__ = ["Measured", "Rtt", "Target", "Verified", "Way", "compare", "measure", "verify"]

ATTEMPTS = 3
"""A shared machine disturbs a measurement now and then; a link made wrong is wrong every time."""


def measure(targets: Sequence[Target], budget_bps: float = 400e6) -> dict[str, Measured]:
    """Every link once, echoes first, then trains whose rates add up to at most `budget_bps` at any time.

    Raises OSError when a namespace or socket cannot be had.
    """
    rtts = measure_rtts(targets)
    ways = measure_trains(targets, budget_bps)
    return {one.name: Measured(rtts[one.name], *ways[one.name]) for one in targets}


def verify(targets: Sequence[Target], budget_bps: float = 400e6) -> dict[str, Verified]:
    """Measure and compare; links outside their tolerance are measured again, and the number of attempts is kept."""
    found: dict[str, Verified] = {}
    left = list(targets)
    for attempt in range(1, ATTEMPTS + 1):
        for name, measured in measure(left, budget_bps).items():
            spec = next(one.spec for one in left if one.name == name)
            found[name] = Verified(measured, tuple(compare(spec, measured)), attempt)
        left = [one for one in left if found[one.name].reasons]
        if not left:
            break
    return {one.name: found[one.name] for one in targets}
