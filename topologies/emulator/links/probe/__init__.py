"""Measuring the links of a running lab and comparing them with what was specified.

It changes nothing in the lab; its traffic is a few echoes and short trains of UDP in the nodes' own namespaces.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ..spec import Direction
from ..tolerance import REAL, Tolerance
from .compare import compare
from .model import Measured, OneWay, Rtt, Target, Verified, Way
from .ping import measure_echoes
from .spread import spread_due
from .train import measure_trains
from .turn import turn

__all__ = ["Measured", "Rtt", "Target", "Verified", "Way", "compare", "measure", "verify"]

BUDGET_BPS = 200e6
ATTEMPTS = 5
PASSES_AFTER_FAILURE = 2
"""A shared machine disturbs a measurement now and then, so a failed one is repeated; but trying again until it fits
would pass a wrong link some day, so what failed once must then be right twice in a row."""


def measure(targets: Sequence[Target], budget_bps: float = BUDGET_BPS) -> dict[str, Measured]:
    """Every link once, echoes first, then trains whose rates add up to at most `budget_bps` at any time.

    Raises OSError when a namespace or socket cannot be had.
    """
    with turn():
        echoes = measure_echoes(targets)
        ways = measure_trains(targets, budget_bps)
    found = {}
    for one in targets:
        (rtt, *times), two = echoes[one.name], ways[one.name]
        found[one.name] = Measured(rtt, *(_timed(way, time) for way, time in zip(two, times, strict=True)))
    return found


def _timed(way: Way, times: OneWay) -> Way:
    return replace(way, delay_ms=times.delay_ms, spread_ms=times.spread_ms, timed=times.timed)


def noted(target: Target, measured: Measured, tolerance: Tolerance) -> Measured:
    """With the notes that say what of delay and jitter so few echoes do not verify."""
    spec = target.spec
    if spec.unshaped:
        return measured
    return replace(measured, a_to_b=_noted(spec.a_to_b, measured.a_to_b, tolerance),
                   b_to_a=_noted(spec.b_to_a, measured.b_to_a, tolerance))  # fmt: skip


def _noted(way: Direction, seen: Way, tolerance: Tolerance) -> Way:
    if not way.up:
        return replace(seen, delay_note="the link is down", jitter_note="the link is down" if way.jitter_ms else None)
    delay = None if seen.delay_ms is not None else "no echo went this way and was seen at both ends"
    return replace(seen, delay_note=delay, jitter_note=spread_due(way, seen.timed, tolerance).note or None)


def verify(targets: Sequence[Target], tolerance: Tolerance = REAL) -> dict[str, Verified]:
    """Measure and compare; links outside their tolerance are measured again, and the number of attempts is kept."""
    found: dict[str, Verified] = {}
    budget_bps = BUDGET_BPS if tolerance == REAL else 0.0  # emulated processors carry one train at a time
    passes = {one.name: PASSES_AFTER_FAILURE - 1 for one in targets}
    left = list(targets)
    for attempt in range(1, ATTEMPTS + 1):
        for one, measured in zip(left, measure(left, budget_bps).values(), strict=True):
            reasons = tuple(compare(one.spec, measured, tolerance))
            passes[one.name] = 0 if reasons else passes[one.name] + 1
            if reasons or passes[one.name] >= PASSES_AFTER_FAILURE or one.name not in found:
                found[one.name] = Verified(noted(one, measured, tolerance), reasons, attempt)
        left = [one for one in left if passes[one.name] < PASSES_AFTER_FAILURE]
        still_possible = [one for one in left if passes[one.name] + ATTEMPTS - attempt >= PASSES_AFTER_FAILURE]
        if not still_possible:
            break
    return {one.name: found[one.name] for one in targets}
