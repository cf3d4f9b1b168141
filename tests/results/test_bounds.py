"""What numbers may be: the arithmetic, and that a report and the run itself judge alike."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from experiments.harness import machine
from results import bounds
from results.bounds import Bound
from results.links import Link, parse
from results.proof import groups
from topologies.emulator import watch
from topologies.emulator.links.effects.effect import Effect
from topologies.emulator.links.effects.gilbert_elliott import GilbertElliott
from topologies.emulator.links.effects.jitter import SHAPES, Jitter
from topologies.emulator.links.effects.loss import Loss
from topologies.emulator.links.effects.reorder import Reorder
from topologies.emulator.links.probe.compare import compare
from topologies.emulator.links.probe.level import due
from topologies.emulator.links.probe.model import Measured, Rtt, Way
from topologies.emulator.links.spec import LinkSpec, symmetric
from topologies.emulator.links.tolerance import EMULATED, REAL, Tolerance


def test_a_share_says_how_much_of_the_bound_is_used() -> None:
    assert Bound(95.0, 105.0).share(100.0) == 0
    assert Bound(95.0, 105.0).share(97.5) == 0.5
    assert Bound(95.0, 105.0).share(106.0) == pytest.approx(1.2)
    assert Bound(None, 2.0).share(0.5) == 0.25
    assert Bound(0.0, 0.0).share(0.0) == 0
    assert Bound(0.0, 0.0).share(1.0) == math.inf
    assert (Bound(5.0, None).share(9.0), Bound(5.0, None).share(4.0)) == (0.0, math.inf)


@given(st.floats(-1e6, 1e6), st.floats(0.1, 1e6), st.floats(-3e6, 3e6))
def test_what_holds_uses_at_most_all_of_its_bound(low: float, width: float, value: float) -> None:
    bound = Bound(low, low + width)
    assert bound.holds(value) == (bound.share(value) <= 1) or math.isclose(bound.share(value), 1.0, rel_tol=1e-6)


def _seen(spec: LinkSpec, **more: Any) -> Way:
    sound = Way(spec.a_to_b.rate_bps, 1000, 1000, burst_s=0.1, loss_low=0.0, loss_high=0.01,
                queue_bytes=spec.a_to_b.room_bytes(spec.mtu), delay_ms=due(spec.a_to_b, 16).ms,
                spread_ms=spec.a_to_b.jitter.deviation_ms, timed=16)  # fmt: skip
    return replace(sound, **more)


def _measured(spec: LinkSpec, more_ms: float = 0.0, **more: Any) -> Measured:
    ms = due(spec, 16).ms + more_ms
    return Measured(Rtt(ms, ms, ms, 16, 16, ms), _seen(spec, **more), _seen(spec, **more))


def _link(spec: LinkSpec, measured: Measured, tolerance: Tolerance = REAL) -> Link:
    reasons = compare(spec, measured, tolerance)
    row = {"name": "a-b", "a": "a", "b": "b", "backend": "relay", "specified": {"rtt_ms": spec.rtt_ms, **spec.as_dict()},
           "before": measured.as_dict(), "ok": not reasons, "reasons": reasons,
           "slack_ms": tolerance.of_time(0.0, spec.rtt_ms)}  # fmt: skip
    return parse({"links": [row]})[0]


def _words(link: Link, *, accepted: bool) -> set[str]:
    return {row.judged.word for _, rows in groups(link, accepted=accepted) for row in rows} - {""}


SPECS = {
    "plain": symmetric(76.0, 10**8),
    "short": symmetric(2.0, 10**7, 64_000),
    "slow": symmetric(20.0, 10**5),
    "long": symmetric(345.0, 10**9),
    "jitter": symmetric(76.0, 10**8, effects=(Jitter(5.0, "normal"),)),
    "pareto": symmetric(76.0, 10**8, effects=(Jitter(5.0, "pareto"),)),
}


CASES = [(name, what) for name in SPECS for what in ("rtt", "delay", "spread", "rate", "queue")
         if (name, what) not in (("jitter", "rate"), ("pareto", "rate"))]  # fmt: skip
"""With jitter the run's own rule for the rate stands."""


@pytest.mark.parametrize(("name", "what"), CASES)
@pytest.mark.parametrize("share", [0.0, 0.5, 0.97, 1.03, 3.0])
@pytest.mark.parametrize("sign", [-1, 1])
@pytest.mark.parametrize("tolerance", [REAL, EMULATED])
def test_a_report_and_the_run_judge_alike(name: str, what: str, share: float, sign: int, tolerance: Tolerance) -> None:
    """Off by a share of what the report allows: the run must refuse it exactly where the report says `outside`."""
    spec = SPECS[name]
    sound = _link(spec, _measured(spec), tolerance)
    way = sound.ways[0]
    assert sound.rtt_before is not None
    assert way.before is not None
    off = sign * share
    if what == "rtt":
        allowed = bounds.rtt(sound, sound.rtt_before)
        assert allowed is not None
        measured = _measured(spec, more_ms=off * ((allowed.high or 0) - (allowed.low or 0)) / 2)
    elif what in ("delay", "spread"):
        rule, field = (bounds.delay, "delay_ms") if what == "delay" else (bounds.spread, "spread_ms")
        allowed = rule(way.asked, sound, way.before)
        assert allowed is not None
        low, high = allowed.low or 0.0, allowed.high or 0.0
        value = (low + high) / 2 + off * (high - low) / 2
        measured = _measured(spec, **{field: value if what == "delay" else max(0.0, value)})
    elif what == "rate":
        allowed = bounds.rate(way.asked, way.before)
        assert allowed is not None
        measured = _measured(spec, rate_bps=(spec.a_to_b.rate_bps or 0) * (1 + off * bounds.RATE_TOLERANCE))
    else:
        allowed = bounds.queue(way.asked, sound)
        assert allowed is not None
        room = spec.a_to_b.room_bytes(spec.mtu)
        measured = _measured(spec, queue_bytes=max(0, round(room + off * ((allowed.high or 0) - room))))
    link = _link(spec, measured, tolerance)
    # What of a small queue or spread is below zero cannot be measured, and is no contradiction.
    assert ("outside" in _words(link, accepted=link.ok)) == (not link.ok)
    assert link.ok == (share < 1) or what in ("queue", "spread")


@pytest.mark.parametrize(
    ("effects", "lost", "low", "high"),
    [((), 0, 0.0, 0.0053), ((), 1, 0.0, 0.0074), ((Loss(0.05),), 50, 0.034, 0.071), ((Loss(0.05),), 100, 0.077, 0.127),
     ((GilbertElliott(0.01, 0.25),), 38, 0.01, 0.1)],
)  # fmt: skip
def test_losses_are_judged_alike(effects: tuple[Effect, ...], lost: int, low: float, high: float) -> None:
    spec = symmetric(76.0, 10**8, effects=effects)
    link = _link(spec, _measured(spec, received=1000 - lost, loss_low=low, loss_high=high))
    assert ("outside" in _words(link, accepted=link.ok)) == (not link.ok)


def test_a_link_that_was_accepted_is_not_called_wrong_for_one_chance_in_a_hundred() -> None:
    spec = symmetric(76.0, 10**8, effects=(Loss(0.05),))
    link = _link(spec, _measured(spec, received=969, loss_low=0.0187, loss_high=0.0481))
    assert link.ok, link.reasons
    assert _words(link, accepted=True) == {"inside"}
    [loss] = {row.judged.bound for _, rows in groups(link, accepted=True) for row in rows if row.what == "loss"}
    assert loss == "5 %: beyond 99 %, within the interval by which the run judges"
    refused = [row.judged for _, rows in groups(link, accepted=False) for row in rows if row.what == "loss"]
    assert {(one.bound, one.word) for one in refused} == {("5 % in the 99 % interval", "outside")}


def test_where_the_rule_is_longer_the_word_of_the_run_stands() -> None:
    spec = symmetric(76.0, 10**8, effects=(Reorder(0.05),))
    link = _link(spec, _measured(spec, overtook=50))
    assert _words(link, accepted=True) == {"inside"}
    [(_, [round_trip]), *_] = groups(link, accepted=False)
    assert round_trip.judged.word == ""


def test_the_tolerances_are_those_of_the_run() -> None:
    spec = symmetric(345.0, 10**8)
    for tolerance in (REAL, EMULATED):
        assert bounds.lateness(_link(spec, _measured(spec), tolerance)).high == watch.most_lateness_ms(spec, tolerance)
        for delay_ms in (0.0, 20.0, 172.5):
            bound = bounds.one_way(delay_ms, tolerance.of_time(0.0, 2 * delay_ms))
            for least_ms in (bound.low - 1e-6, bound.low + 1e-6, bound.high - 1e-6, bound.high + 1e-6):  # type: ignore[operator]
                assert bound.holds(least_ms) == (watch.one_way(delay_ms, least_ms, True, tolerance) == "")
    assert watch.one_way(20.0, 40.0, False) == ""
    assert "took 10 ms where 20 ms" in watch.one_way(20.0, 10.0, False)
    assert (EMULATED.ms, EMULATED.share) == (bounds.SLACK_MS, bounds.SLACK)
    assert bounds.MOST_STEAL == machine.MOST_STEAL


def test_the_shapes_of_jitter_are_those_of_the_links() -> None:
    for name, shape in SHAPES.items():
        assert bounds.SHAPES[name] == pytest.approx((shape.mean, shape.deviation, shape.kurtosis), abs=1e-4)
