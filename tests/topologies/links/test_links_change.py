"""Words that change a direction: each says one thing, what is not named stays, and what cannot be meant is refused."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from topologies.emulator.links import change
from topologies.emulator.links.codel import Codel, control_law
from topologies.emulator.links.effects.corrupt import Corrupt
from topologies.emulator.links.effects.duplicate import Duplicate
from topologies.emulator.links.effects.gilbert_elliott import GilbertElliott
from topologies.emulator.links.effects.jitter import SHAPES, Jitter
from topologies.emulator.links.effects.loss import Loss
from topologies.emulator.links.effects.reorder import Reorder
from topologies.emulator.links.spec import Direction, LinkError, wire
from topologies.emulator.links.trace import Trace

PLAIN = Direction(40.0, 100_000_000, 1_000_000)


def after(words, way=PLAIN):
    return change.parse(words).apply(way)


@pytest.mark.parametrize(("words", "fields"), [
    ("delay 20ms", {"delay_ms": 20.0}),
    ("rate 10mbit", {"rate_bps": 10_000_000}),
    ("rate unlimited", {"rate_bps": None}),
    ("queue 64KiB", {"queue_bytes": 65536, "queue_packets": None}),
    ("queue 100packets", {"queue_bytes": None, "queue_packets": 100}),
    ("queue 1 packet", {"queue_bytes": None, "queue_packets": 1}),
    ("codel", {"codel": Codel(5.0, 100.0)}),
    ("codel 10ms", {"codel": Codel(10.0, 100.0)}),
    ("codel 10ms 200ms", {"codel": Codel(10.0, 200.0)}),
    ("down", {"up": False}),
    ("rate 10mbit delay 5ms down", {"rate_bps": 10_000_000, "delay_ms": 5.0, "up": False}),
])  # fmt: skip
def test_words_set_what_they_name_and_nothing_else(words, fields):
    changed = after(words)
    assert {name: getattr(changed, name) for name in fields} == fields
    untouched = set(vars(PLAIN)) - set(fields)
    assert all(getattr(changed, name) == getattr(PLAIN, name) for name in untouched)


def test_effects_are_added_and_those_of_the_same_slot_are_replaced():
    lossy = after("loss 1% jitter 2ms normal")
    assert lossy.effects == (Jitter(2.0, "normal"), Loss(0.01))
    assert after("gilbert-elliott 1% 25%", lossy).effects == (GilbertElliott(0.01, 0.25), Jitter(2.0, "normal"))
    assert after("duplicate 1%", lossy).effects == (Duplicate(0.01), Jitter(2.0, "normal"), Loss(0.01))


def test_an_effect_of_nothing_removes_it():
    assert after("loss 0%", after("loss 1%")) == PLAIN


def test_up_and_drop_tail_undo_down_and_codel():
    assert after("up drop-tail", after("down codel")) == PLAIN


def test_a_trace_takes_the_place_of_the_rate_and_the_other_way_round(tmp_path):
    (tmp_path / "trace").write_text("5\n10\n")
    traced = after(f"trace {tmp_path / 'trace'}")
    assert (traced.rate_bps, traced.trace.times_ms) == (None, (5, 10))
    assert after("rate 5mbit", traced) == after("rate 5mbit")


@pytest.mark.parametrize(("words", "touches"), [
    ("rate 1mbit", {"rate"}), ("up", {"down"}), ("drop-tail", {"codel"}), ("loss 1%", {"loss"}),
    ("gilbert-elliott 1% 25%", {"loss"}), ("delay 1ms jitter 1ms", {"delay", "jitter"}),
])  # fmt: skip
def test_a_change_says_what_it_touches(words, touches):
    assert change.parse(words).touches == touches


@pytest.mark.parametrize(("words", "said"), [
    ("", "nothing is changed"), ("faster", "'faster' is none of delay, rate"), ("10mbit rate", "'10mbit' is none of"),
    ("rate", "'rate' is not complete; write for example rate 10mbit"), ("loss", "'loss' has no value"),
    ("down now", "'down now' is not complete"), ("rate 10", "has no unit"), ("rate 10mbit 20mbit", "10mbit 20mbit"),
    ("delay fast", "is not a duration"), ("queue many packets", "is no number of packets"),
    ("loss 1% gilbert-elliott 1% 25%", "sets loss twice"), ("rate 1mbit rate 2mbit", "sets rate twice"),
    ("up down", "sets down twice"),
    ("codel 5ms 100ms 1ms", "is not [TARGET [INTERVAL]]"), ("codel 0ms", "durations above 0"), ("loss 1ms", "is not one of %"),
    ("trace /nowhere", "No such file"), ("jitter 5ms triangular", "uniform|normal|pareto"),
])  # fmt: skip
def test_what_cannot_be_meant_is_refused_and_named(words, said):
    with pytest.raises(LinkError, match=re.escape(said)):
        change.parse(words)


probabilities = st.integers(1, 999).map(lambda n: n / 1000)
effects = st.builds(
    wire,
    st.one_of(st.builds(Loss, probabilities), st.builds(GilbertElliott, probabilities, probabilities)),
    st.builds(Jitter, st.integers(1, 4000).map(lambda n: n / 1000), st.sampled_from(sorted(SHAPES))),
    st.builds(Duplicate, probabilities), st.builds(Reorder, probabilities), st.builds(Corrupt, probabilities),
)  # fmt: skip
directions = st.builds(
    lambda delay_us, rate_bps, queue, effects, codel, up: Direction(
        delay_us / 1000, rate_bps, *((None, effects, queue) if queue < 1500 else (queue, effects, None)), codel, None, up
    ),
    st.integers(0, 60_000_000), st.none() | st.integers(1000, 10**11), st.integers(1, 10**9), effects,
    st.none() | st.builds(Codel, st.integers(1, 100), st.integers(1, 1000)), st.booleans(),
)  # fmt: skip


@given(directions)
def test_a_direction_in_words_is_read_back_as_the_same(way):
    again = after(change.words(way), Direction(0.0, None, 1))
    assert change.words(again) == change.words(way)
    assert (again.rate_bps, again.queue_bytes, again.queue_packets, again.up) == (
        way.rate_bps, way.queue_bytes, way.queue_packets, way.up)  # fmt: skip
    assert [type(effect) for effect in again.effects] == [type(effect) for effect in way.effects]


def test_a_traced_direction_is_told_by_the_name_of_its_trace():
    assert "trace lte.up" in change.words(Direction(10.0, None, 15_000, trace=Trace((1, 2), "lte.up")))


@pytest.mark.parametrize(("count", "spacing_ms"), [(1, 100.0), (4, 50.0), (100, 10.0)])
def test_codels_drops_come_closer_with_the_square_root_of_their_count(count, spacing_ms):
    assert control_law(7, 100_000_000, count) - 7 == pytest.approx(spacing_ms * 1e6, rel=1e-9)


def test_codel_in_words_is_read_back():
    assert Codel.parse(Codel(5.0, 100.0).text()) == Codel(5.0, 100.0)
    assert Codel(5.0, 100.0).words == "CoDel 5 ms / 100 ms"
