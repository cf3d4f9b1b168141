"""Schedules: what a direction is when. Overlaps and time that runs backwards are refused."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from topologies.emulator.links import schedule
from topologies.emulator.links.spec import Direction, LinkError

PLAIN = Direction(40.0, 100_000_000, 1_000_000)


def timeline(text):
    return schedule.parse(text).timeline(PLAIN)


def test_at_a_time_something_becomes_another_for_good():
    ((at_ms, way),) = timeline("at 20s rate 20mbit")
    assert (at_ms, way.rate_bps, way.delay_ms) == (20_000.0, 20_000_000, 40.0)


def test_from_a_time_to_a_time_it_is_another_and_then_as_before():
    (down, up) = timeline("from 30s to 40s down")
    assert (down[0], down[1].up) == (30_000.0, False)
    assert up == (40_000.0, PLAIN)


def test_what_ends_leaves_what_changed_meanwhile():
    states = dict(timeline("from 10s to 30s loss 5%; at 20s rate 20mbit"))
    assert (states[20_000.0].loss, states[20_000.0].rate_bps) == (0.05, 20_000_000)
    assert (states[30_000.0].loss, states[30_000.0].rate_bps) == (0.0, 20_000_000)


def test_steps_build_on_those_before():
    states = [way for _, way in timeline("at 1s rate 20mbit; at 2s delay 5ms; at 3s rate 30mbit")]
    assert [(way.rate_bps, way.delay_ms) for way in states] == [(20_000_000, 40), (20_000_000, 5), (30_000_000, 5)]


def test_all_changes_of_one_moment_come_together():
    (one,) = timeline("at 5s rate 20mbit; at 5s delay 5ms")
    assert (one[1].rate_bps, one[1].delay_ms) == (20_000_000, 5)


def test_what_begins_when_the_same_ends_wins():
    states = dict(timeline("from 10s to 20s rate 1mbit; from 20s to 30s rate 2mbit"))
    assert [states[at].rate_bps for at in (10_000.0, 20_000.0, 30_000.0)] == [1_000_000, 2_000_000, 100_000_000]


def test_a_step_at_zero_is_the_beginning():
    assert timeline("at 0s down")[0] == (0.0, schedule.parse("at 0s down").timeline(PLAIN)[0][1])
    assert not timeline("at 0s down")[0][1].up


@pytest.mark.parametrize(("text", "said"), [
    ("", "has no step"), (" ; ", "has no step"), ("20s rate 20mbit", "is not a step"), ("at 20 rate 1mbit", "has no unit"),
    ("from 40s to 30s down", "ends before it begins"), ("from 30s to 30s down", "ends before it begins"),
    ("at -1s down", "times are not negative"), ("at 20s rate 1mbit; at 10s down", "runs backwards: 10 s comes after 20 s"),
    ("from 10s to 30s rate 1mbit; at 20s rate 2mbit",
     "the schedule overlaps: 'rate 1mbit' and 'rate 2mbit' both set rate at 20 s"),
    ("from 10s to 30s rate 1mbit; from 20s to 40s rate 2mbit", "overlaps"),
    ("from 1s to 3s loss 1%; at 2s gilbert-elliott 1% 5%", "both set loss"), ("at 5s up; at 5s down", "both set down"),
    ("at 20s", "is not a step"), ("at 20s faster", "is none of"),
    ("at 20s rate", "not complete"), ("from 1s down", "is not a step"),
])  # fmt: skip
def test_what_overlaps_runs_backwards_or_means_nothing_is_refused(text, said):
    with pytest.raises(LinkError, match=re.escape(said)):
        schedule.parse(text)


def test_several_schedules_of_a_direction_are_one():
    both = schedule.merged([schedule.parse("from 30s to 40s down"), schedule.parse("at 10s loss 5%; at 35s loss 1%")])
    assert [at for at, _ in both.timeline(PLAIN)] == [10_000, 30_000, 35_000, 40_000]
    with pytest.raises(LinkError, match="overlaps"):
        schedule.merged([schedule.parse("from 30s to 40s down"), schedule.parse("at 35s up")])


seconds = st.integers(0, 50)
steps = st.lists(st.tuples(seconds, st.integers(1, 10), st.sampled_from(["rate 1mbit", "delay 3ms", "down", "loss 2%"]),
                           st.booleans()), min_size=1, max_size=6)  # fmt: skip


@given(steps)
def test_a_schedule_without_lasting_steps_ends_as_it_began(found):
    text = "; ".join(f"from {at}s to {at + length}s {words}" for at, length, words, _ in sorted(found))
    try:
        states = timeline(text)
    except LinkError as error:
        assert "overlaps" in str(error)  # noqa: PT017  # either it is refused for this, or it holds
        return
    assert states[-1][1] == PLAIN
    assert [at for at, _ in states] == sorted({at for at, _ in states})


@given(steps)
def test_the_order_of_steps_of_one_moment_makes_no_difference(found):
    def states(parts):
        try:
            return timeline("; ".join(parts))
        except LinkError:
            return None

    found = sorted(found)
    parts = [f"from {at}s to {at + n}s {words}" if passing else f"at {at}s {words}" for at, n, words, passing in found]
    other = sorted(range(len(parts)), key=lambda index: (found[index][0], -index))
    assert states(parts) == states([parts[index] for index in other])
