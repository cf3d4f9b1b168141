"""Faults at given times: what a timetable says, and what is none."""

import pytest

from experiments.harness.timetable import Step, TimetableError, parse


def test_a_fault_with_an_end_is_two_steps_and_steps_stand_in_the_order_of_their_times():
    assert parse("from 5s to 15s cut az1.virginia; at 2s kill edge1; at 500ms pause lb; at 1s resume lb") == (
        Step(500.0, "pause", "lb"), Step(1000.0, "resume", "lb"), Step(2000.0, "kill", "edge1"),
        Step(5000.0, "cut", "az1.virginia"), Step(15000.0, "heal", "az1.virginia"))  # fmt: skip


@pytest.mark.parametrize(("text", "words"), [
    ("", "no step"),
    ("kill edge1", "not a step"),
    ("at 5 kill edge1", "no unit"),
    ("at -5s kill edge1", "not negative"),
    ("at 5s explode edge1", "not one of kill"),
    ("at 5s kill", "not one of kill"),
    ("from 5s to 4s cut az1", "ends before it begins"),
    ("from 5s to 6s heal az1", "heal has no end"),
    ("at 5s heal az1", "was not there before"),
    ("at 5s kill edge1; at 6s kill edge1", "lasts already"),
    ("from 5s to 9s pause edge1; at 6s pause edge1", "lasts already"),
    ("at 5s slow az1", "nothing is changed by ''"),
    ("at 5s slow az1 by half", "'by' is none of delay"),
    ("at 5s slow az1 rate 5mbit down", "takes it down or up; write cut"),
    ("at 5s restore az1", "was not there before"),
])  # fmt: skip
def test_what_nobody_can_carry_out_is_refused(text, words):
    with pytest.raises(TimetableError, match=words):
        parse(text)


def test_a_slowed_link_has_words_and_they_end_with_it():
    assert parse("from 1s to 2s slow az1.virginia delay 40ms  rate 5mbit") == (
        Step(1000.0, "slow", "az1.virginia", "delay 40ms rate 5mbit"), Step(2000.0, "restore", "az1.virginia"))  # fmt: skip


def test_the_same_fault_may_come_again_after_its_end():
    assert len(parse("from 1s to 2s cut a-b; from 2s to 3s cut a-b")) == 4
