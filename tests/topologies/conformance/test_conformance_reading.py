"""How the checks read what arrived: pure parts, on arrivals made up here."""

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from topologies.emulator.conformance.checks.change import due_ms
from topologies.emulator.conformance.checks.corrupt import bits_inverted
from topologies.emulator.conformance.checks.jitter import distance
from topologies.emulator.conformance.checks.loss_bursts import bursts
from topologies.emulator.conformance.checks.trace import RECORDING, misses_ms
from topologies.emulator.conformance.flow import HEADERS, SMALLEST, Flow, numbered
from topologies.emulator.conformance.play import every, play
from topologies.emulator.conformance.stream import overtakers
from topologies.emulator.conformance.tcp import Transfer
from topologies.emulator.links.effects.jitter import SHAPES, Jitter


def flow(*arrived, sent=None):
    made = Flow.__new__(Flow)
    made.sent = [0] * (sent or len(arrived))
    made.arrived = [(number, 0) for number in arrived]
    return made


def test_bursts_are_runs_of_numbers_that_did_not_arrive():
    assert bursts(10, {0, 1, 4, 5, 9}) == [2, 3]
    assert bursts(4, {0, 1, 2, 3}) == []
    assert bursts(3, set()) == [3]


def test_a_packet_is_out_of_order_when_a_later_one_came_before_and_copies_are_not():
    assert overtakers(flow(0, 1, 2, 3)) == 0
    assert overtakers(flow(0, 2, 1, 3)) == 1
    assert overtakers(flow(0, 3, 1, 2)) == 2
    assert overtakers(flow(0, 1, 1, 2)) == 0
    assert overtakers(flow(0, 1, 2, 1, 3)) == 0, "a copy that comes late has an original that did not"


def test_copies_count_once_as_arrived():
    assert flow(0, 1, 1, 1, sent=4).lost == 2


def frame(number, flip=None):
    made = bytearray(range(SMALLEST))
    numbered(made, HEADERS, number)
    if flip is not None:
        made[flip // 8] ^= 1 << flip % 8
    return bytes(made)


@given(st.dictionaries(st.integers(0, 499), st.integers(0, SMALLEST * 8 - 1), max_size=20))
def test_inverted_bits_are_found_wherever_they_are(flips):
    found = bits_inverted([frame(number, flips.get(number)) for number in range(500)])
    assert found == [int(number in flips) for number in range(500)]


def test_a_frame_that_is_missing_shows_as_many_inverted_bits():
    found = bits_inverted([frame(number) for number in range(500) if number != 250])
    assert found[:250] == [0] * 250
    assert min(found[250:]) > 1


@pytest.mark.parametrize("shape", SHAPES)
def test_a_sample_of_a_shape_is_near_it_and_one_of_another_is_not(shape):
    jitter, near, far = Jitter(5.0, shape), 0, 0
    for seed in range(40):
        random = Random(seed)
        mine = [SHAPES[shape].draw(random) * 5.0 for _ in range(400)]
        value, allowed = distance(mine, jitter, 0.15)
        near += value <= allowed
        for other in SHAPES.keys() - {shape}:
            # As wide as this one, so that only the shape tells them apart.
            width = 5.0 * SHAPES[shape].deviation / SHAPES[other].deviation
            value, allowed = distance([SHAPES[other].draw(random) * width for _ in range(400)], jitter, 0.0)
            far += value > allowed
    assert near >= 39
    assert far >= 20, "a uniform and a normal of one deviation are hard to tell apart in 400 packets"


def test_arrivals_that_follow_the_recording_miss_nothing_from_whatever_chance_they_begin():
    trace = RECORDING
    chances = [at + trace.period_ms * turn for turn in range(5) for at in trace.times_ms]
    for first in range(len(trace.times_ms)):
        arrived = [at - chances[first] for at in chances[first : first + 61]]
        assert max(misses_ms(arrived, trace)) == pytest.approx(0)


def test_arrivals_at_the_same_mean_rate_but_evenly_spaced_miss_their_chances():
    apart = RECORDING.period_ms / len(RECORDING.times_ms)
    misses = sorted(misses_ms([turn * apart for turn in range(61)], RECORDING))
    assert misses[len(misses) // 2] > 3


def test_a_change_of_rate_retimes_the_packet_being_sent():
    assert due_ms(0.0, 100.0, 1000, 1e6, 4e6, 3) == [0, 1, 2], "after all have left it changes nothing"
    assert due_ms(0.0, 1.5, 1000, 1e6, 4e6, 4) == [0, 1, pytest.approx(1.625), pytest.approx(1.875)]
    assert due_ms(5.0, 1.0, 1000, 1e6, 4e6, 2) == [5.0, pytest.approx(5.25)], "before the first has left it holds for all"


def test_goodput_is_counted_between_complete_moments_alone():
    transfer = Transfer.__new__(Transfer)
    transfer.samples = [(0.0, 0), (1.0, 1000), (2.5, 2500), (4.0, 10_000)]
    assert transfer.goodput_bps(0.5, 3.0) == pytest.approx(1500 * 8 / 1.5)
    assert transfer.goodput_bps(3.0, 3.5) == 0.0


def test_scripts_are_played_in_the_order_of_their_moments():
    said = []
    play([], every(2e6, 3, lambda: said.append("a")), every(2e6, 3, lambda: said.append("b"), 1e6), tail_s=0.0)
    assert said == list("ababab")
