"""The parts of the probe: the exact interval, what chance does, which round trip is compared, turns, numbered frames."""

from __future__ import annotations

import math
import socket
import time
from dataclasses import replace
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from topologies.emulator.links import change
from topologies.emulator.links.effects.effect import Fate
from topologies.emulator.links.effects.gilbert_elliott import GilbertElliott
from topologies.emulator.links.probe import stamps
from topologies.emulator.links.probe.admission import Admission
from topologies.emulator.links.probe.binomial import interval
from topologies.emulator.links.probe.chances import doubled, inflation, vanishes
from topologies.emulator.links.probe.fill import Fill, affordable, fill
from topologies.emulator.links.probe.level import due, level
from topologies.emulator.links.probe.many import MOST, Reader
from topologies.emulator.links.probe.plan import HEADERS
from topologies.emulator.links.probe.sender import Sender
from topologies.emulator.links.spec import Direction, LinkSpec
from topologies.emulator.links.trace import Trace

BASE = Direction(40, 100_000_000, 1_000_000)


def direction(words: str) -> Direction:
    return change.parse(words).apply(BASE)


def link(words: str) -> LinkSpec:
    return LinkSpec(direction(words), direction(words))


@given(st.integers(1, 20_000), st.floats(0, 1), st.sampled_from([0.95, 0.99, 0.99999]))
def test_the_interval_is_that_of_clopper_and_pearson(of: int, share: float, confidence: float) -> None:
    count = round(share * of)
    tail = (1 - confidence) / 2
    low, high = interval(count, of, confidence)
    assert low == pytest.approx(stats.beta.ppf(tail, count, of - count + 1) if count else 0.0, rel=1e-6, abs=1e-12)
    assert high == pytest.approx(stats.beta.ppf(1 - tail, count + 1, of - count) if count < of else 1.0, rel=1e-6, abs=1e-12)


def test_losses_in_bursts_spread_as_much_as_their_inflation_says() -> None:
    effect = GilbertElliott(0.01, 0.2, 0.9, 0.001)
    counts = []
    for seed in range(400):
        decide, lost = effect.decider(Random(seed)), 0
        for _ in range(1000):
            fate = Fate()
            decide(fate)
            lost += fate.lost
        counts.append(lost)
    mean = sum(counts) / len(counts)
    variance = sum((count - mean) ** 2 for count in counts) / len(counts)
    wide = inflation(Direction(1, None, 48_448, (effect,)))
    assert variance / (1000 * effect.loss * (1 - effect.loss)) == pytest.approx(wide, rel=0.25)
    assert inflation(direction("loss 5%")) == 1


@pytest.mark.parametrize(("words", "gone", "twice"), [
    ("delay 40ms", 0.0, 0.0), ("down", 1.0, 0.0), ("loss 10%", 0.1, 0.0),
    ("duplicate 50%", 0.0, 0.5), ("loss 10% duplicate 50%", 0.05, 0.5 * 0.81),
    ("corrupt 10%", 0.1 * (1 - 49 / 400), 0.0),
])  # fmt: skip
def test_what_effects_do_to_frames_that_are_counted_once(words: str, gone: float, twice: float) -> None:
    assert vanishes(direction(words), 50) == pytest.approx(gone)
    assert doubled(direction(words), 50) == pytest.approx(twice)


def seen(words: str, seed: int, off_ms: float = 0.0, count: int = 32) -> bool:
    """Whether the level of echoes of such a link, built `off_ms` slower than it is said to be, is what is due."""
    random, spec = Random(seed), link(words)
    times = []
    for _ in range(count):
        fates = [Fate(), Fate()]
        for fate in fates:
            for effect in spec.a_to_b.effects:
                effect.decider(Random(random.random()))(fate)
        delays = [0.0 if fate.overtakes else 40 + off_ms / 2 + fate.extra_ns / 1e6 for fate in fates]
        times.append(sum(delays) + 0.01 + random.random() * 0.2)
    wanted, found = due(spec, count), level(sorted(times), spec)
    assert found is not None
    return -wanted.less_ms <= found - wanted.ms <= wanted.more_ms


@pytest.mark.parametrize("words", ["delay 40ms", "jitter 5ms", "jitter 5ms normal", "jitter 20ms pareto", "reorder 5%",
                                   "reorder 40%", "reorder 90%", "jitter 2ms normal reorder 20%"])  # fmt: skip
def test_a_right_round_trip_is_passed_whatever_is_random_in_it(words: str) -> None:
    assert sum(not seen(words, seed) for seed in range(300)) <= 3


@pytest.mark.parametrize(("words", "off_ms"), [("delay 40ms", 2), ("jitter 1ms", 4), ("jitter 5ms pareto", 12),
                                               ("reorder 5%", 2), ("reorder 5%", -2), ("reorder 40%", 4)])  # fmt: skip
def test_a_wrong_round_trip_is_not(words: str, off_ms: float) -> None:
    assert not any(seen(words, seed, off_ms) for seed in range(50))


def test_an_echo_on_a_recording_waits_for_its_chance_and_no_longer() -> None:
    way = replace(BASE, rate_bps=None, trace=Trace((0, 10, 30, 100)))
    wanted = due(LinkSpec(way, BASE), 16)
    assert wanted.more_ms == pytest.approx(0.8 + 70), "the longest gap of the recording"
    assert wanted.less_ms == pytest.approx(0.8)
    assert level([81.0, 95.0, 120.0], LinkSpec(way, BASE)) == 81.0


def test_one_queue_is_filled_at_a_time_the_shortest_first_and_within_the_budget() -> None:
    fills = {name: made for name, words in (("long", "queue 3MB"), ("short", "queue 100KB"), ("fast", "rate 500mbit queue 5MB"))
             if isinstance(made := fill(direction(words), 1500, 128 << 20), Fill)}  # fmt: skip
    admission, now, begun = Admission(fills, 550e6), 0, list[tuple[str, int]]()
    while not admission.over:
        admitted = admission.next(now)
        if admitted is None:
            now += 100_000
            continue
        key, filler = admitted
        begun.append((key, now))
        assert admission.next(now) is None, "the first is not done"
        while not filler.done:
            now = max(now, filler.at_ns)
            filler.sent(now)
    assert [key for key, _ in begun] == ["short", "fast", "long"]
    assert begun[2][1] - begun[1][1] > 80_000_000, "500 and 100 Mbit/s are over the budget until the first has drained"


def test_the_smallest_fills_are_afforded_first() -> None:
    one = fill(BASE, 1500, 128 << 20)
    assert isinstance(one, Fill)
    assert affordable({"a": one}) == {"a"}
    many = affordable(dict.fromkeys(range(200), one))
    assert 0 < len(many) < 200
    assert math.isclose(len(many) * one.frames, 80_000, rel_tol=0.05)


@pytest.mark.parametrize("batch", [1, 44])
def test_numbered_frames_arrive_as_they_were_sent_each_with_its_time(batch: int) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as into, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as out:
        stamps.prepare(into, 4 << 20)
        into.bind(("127.0.0.1", 0))
        out.connect(into.getsockname())
        sender, reader = Sender(out, 1000 + HEADERS, batch), Reader(into)
        time.sleep(0.02)  # the kernel begins to stamp a moment after it was asked
        before = time.clock_gettime_ns(time.CLOCK_REALTIME)
        for first in range(0, 88, batch):
            sender.send(7, first, batch)
        after = time.clock_gettime_ns(time.CLOCK_REALTIME)
        time.sleep(0.05)
        got = [*reader.read(), *reader.read()]
        assert [(turn, number) for turn, number, _ in got] == [(7, number) for number in range(88)]
        assert all(before <= at <= after + 50_000_000 for _, _, at in got)
        assert list(reader.read()) == []
        assert MOST < 88


def test_frames_that_find_the_buffer_full_are_counted() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as into, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as out:
        stamps.prepare(into, 8_192)
        into.bind(("127.0.0.1", 0))
        out.connect(into.getsockname())
        sender, reader = Sender(out, 1514, 1), Reader(into)
        for number in range(200):
            sender.send(1, number, 1)
        received = len(list(reader.read()))
        sender.send(1, 200, 1)  # what was dropped is told with the next one that is not
        received += len(list(reader.read()))
        assert received + reader.overflowed == 201
