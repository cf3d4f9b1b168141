"""Each way for itself: the delay of one is not that of the other, jitter spreads, and what is not verified says so."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from random import Random

import pytest

from tests.topologies.links.wire import surveyed
from topologies.emulator.links import change
from topologies.emulator.links.effects.effect import Fate
from topologies.emulator.links.effects.jitter import SHAPES
from topologies.emulator.links.probe import Measured, Rtt, Target, compare, noted
from topologies.emulator.links.probe.compare import way_reasons
from topologies.emulator.links.probe.level import level
from topologies.emulator.links.probe.model import Way
from topologies.emulator.links.probe.plan import echoes
from topologies.emulator.links.probe.spread import FEWEST, spread, spread_due
from topologies.emulator.links.spec import Direction, LinkSpec, symmetric
from topologies.emulator.links.tolerance import EMULATED, REAL, Tolerance
from topologies.emulator.links.trace import Trace

BASE = Direction(40, 100_000_000, 1_000_000)


def direction(words: str, base: Direction = BASE) -> Direction:
    return change.parse(words).apply(base) if words else base


@cache
def sound(way: Direction) -> Way:
    """What trains and a fill find of it, without echoes."""
    return surveyed(way)


def timed(built: str, said: str, seed: int = 1, count: int | None = None, tolerance: Tolerance = REAL) -> list[str]:
    """The reasons of a direction whose echoes take what `built` makes them, and a little of the machine's own."""
    way, claimed, random = direction(built), direction(said), Random(seed)
    deciders = [effect.decider(Random(f"{effect.word} {seed}")) for effect in way.effects]
    times = []
    for _ in range(count or echoes(claimed, claimed)[0]):
        fate = Fate()
        for decide in deciders:
            decide(fate)
        times.append((0.0 if fate.overtakes else way.delay_ms + fate.extra_ns / 1e6) + 0.02 + random.expovariate(20.0))
    times.sort()
    seen = replace(sound(claimed), delay_ms=level(times, claimed), spread_ms=spread(times, claimed), timed=len(times))
    return way_reasons(claimed, seen, 1500, tolerance)


@pytest.mark.parametrize("words", ["", "delay 3ms", "jitter 1ms", "jitter 5ms", "jitter 5ms normal", "jitter 20ms",
                                   "jitter 20ms pareto", "jitter 40ms", "reorder 5%", "jitter 2ms reorder 20%"])  # fmt: skip
def test_a_right_way_is_passed_whatever_is_random_in_it(words: str) -> None:
    assert sum(bool(timed(words, words, seed)) for seed in range(60)) <= 1


@pytest.mark.parametrize(("built", "said", "complaint"), [
    ("delay 60ms", "delay 10ms", "one way: 60"), ("delay 10ms", "delay 60ms", "one way: 10"),
    ("delay 41ms", "", "(allowed: 0.5 ms either way)"), ("delay 202.5ms", "delay 200ms", "(allowed: 2 ms either way)"),
    ("delay 42ms reorder 5%", "reorder 5%", "that of frames which did not overtake"),
    ("delay 45ms jitter 2ms", "jitter 2ms", "the mean"),
    ("", "jitter 20ms", "where jitter of 20ms uniform was specified"), ("", "jitter 3ms", "spreads by"),
    ("", "jitter 20ms pareto", "spreads by"), ("jitter 10ms", "jitter 20ms", "spreads by"),
    ("jitter 40ms", "jitter 20ms", "spreads by"),
    ("jitter 10ms normal", "jitter 5ms normal", "spreads by"),
    ("jitter 20ms", "", "where no jitter was specified"), ("jitter 3ms", "", "where no jitter was specified"),
])  # fmt: skip
def test_a_wrong_way_is_not(built: str, said: str, complaint: str) -> None:
    outcomes = [timed(built, said, seed) for seed in range(20)]
    caught = [any(complaint in reason for reason in reasons) for reasons in outcomes]
    # Half of what is claimed may lie at the edge of what chance does; a link must pass twice in a row to be let through.
    assert sum(caught) >= 19, outcomes


def test_two_delays_that_are_swapped_add_up_to_the_same_round_trip_and_are_refused() -> None:
    spec = LinkSpec(direction("delay 10ms"), direction("delay 60ms"))
    swapped = Measured(Rtt(70.0, 70.1, 70.3, 16, 16, 70.1), Way(1e8, 166, 166, delay_ms=60.05, spread_ms=0.1, timed=16),
                       Way(1e8, 166, 166, delay_ms=10.05, spread_ms=0.1, timed=16))  # fmt: skip
    assert compare(spec, swapped) == [
        "a_to_b: one way: 60.05 ms where 10 ms is due: 10 ms as specified and the echo's own time on the wire "
        "(allowed: 0.5 ms either way)",
        "b_to_a: one way: 10.05 ms where 60 ms is due: 60 ms as specified and the echo's own time on the wire "
        "(allowed: 0.6 ms either way)",
    ]
    assert compare(spec, replace(swapped, a_to_b=swapped.b_to_a, b_to_a=swapped.a_to_b)) == []


def test_emulated_processors_are_allowed_more() -> None:
    assert timed("delay 42ms", "", tolerance=EMULATED) == []
    assert timed("delay 45ms", "", tolerance=EMULATED) != []
    assert timed("jitter 5ms", "", tolerance=EMULATED) == []


def test_one_echo_that_was_held_up_is_no_jitter() -> None:
    assert spread([40.0] * 15 + [90.0], BASE) == 0.0


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("count", [12, 20, 64])
def test_chance_alone_leaves_the_bound_of_the_spread_hardly_ever(shape: str, count: int) -> None:
    way, random = direction(f"jitter 100ms {shape} delay 500ms"), Random(f"{shape} {count}")
    wanted, draw = spread_due(way, count), SHAPES[shape].draw
    found = [spread([100 * draw(random) for _ in range(count)], way) or 0.0 for _ in range(2000)]
    assert sum(not wanted.low_ms <= one <= wanted.high_ms for one in found) <= 12


@pytest.mark.parametrize("shape", SHAPES)
def test_the_moments_of_a_shape_are_those_of_its_draws(shape: str) -> None:
    random, of = Random(1), SHAPES[shape]
    draws = [of.draw(random) for _ in range(200_000)]
    mean = sum(draws) / len(draws)
    variance = sum((one - mean) ** 2 for one in draws) / len(draws)
    fourth = sum((one - mean) ** 4 for one in draws) / len(draws)
    assert (mean, variance**0.5) == pytest.approx((of.mean, of.deviation), abs=0.01)
    assert fourth / variance**2 == pytest.approx(of.kurtosis, rel=0.04)


@pytest.mark.parametrize(("words", "samples", "note"), [
    ("", 16, ""), ("jitter 20ms", 64, ""), ("jitter 5ms", 40, ""),
    ("jitter 1ms", 64, "64 echoes, with 0.5 ms allowed, do not surely tell it from none or half or twice of it"),
    ("jitter 20ms", 5, f"5 echoes arrived, and {FEWEST} are the least that tell"),
    ("jitter 2ms reorder 5%", 64, "frames that overtake skip the delay, and are not told from early ones"),
])  # fmt: skip
def test_jitter_that_the_echoes_do_not_tell_says_so(words: str, samples: int, note: str) -> None:
    assert spread_due(direction(words), samples).note == note


def test_what_is_not_verified_is_noted() -> None:
    way = replace(direction("jitter 1ms codel"), rate_bps=None, trace=Trace(tuple(range(1, 101))))
    seen = replace(surveyed(direction("codel")), delay_ms=40.0, timed=64)
    target = Target("l", 1, "10.0.0.1", 2, "10.0.0.2", LinkSpec(way, direction("down")))
    found = noted(target, Measured(Rtt(None, None, None, 0, 16), seen, Way(None, 8, 0)), REAL)
    assert found.a_to_b.jitter_note == "every echo waits for a chance of the recording as well"
    assert (found.a_to_b.delay_note, found.b_to_a.delay_note) == (None, "the link is down")
    assert "so long as to make it drop" in (found.a_to_b.codel_note or "")
    assert surveyed(BASE).codel_note is None
    none = Measured(Rtt(None, None, None, 0, 16), Way(None, 0, 0), Way(None, 0, 0))
    unseen = noted(replace(target, spec=symmetric(80, 10**8)), none, REAL)
    assert unseen.a_to_b.delay_note == "no echo went this way and was seen at both ends"
