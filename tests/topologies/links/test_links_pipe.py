"""What a direction does with frames: one specification, for the reference in Python and for the compiled core."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cores import RELAY
from tests.topologies.links.pipes import MS, Compiled, Out, Reference, Tried, drained, library
from topologies.emulator.links.effects.effect import Effect
from topologies.emulator.links.pipe import NEVER
from topologies.emulator.links.shape import Shape

FRAMES = st.lists(st.tuples(st.integers(0, 3 * MS), st.integers(60, 1514)), min_size=1, max_size=120)
RATES = st.sampled_from([1_000, 333_333, 10_000_000, 999_999_937, 10_000_000_000])
Make = Callable[..., Tried]


@pytest.fixture(params=["python", "compiled"])
def make(request: pytest.FixtureRequest) -> Iterator[Make]:
    """A pipe of either kind, from a shape, effects and a seed."""
    made: list[Compiled] = []
    if request.param == "python":
        yield Reference
        return
    problem = RELAY.build()
    if problem:
        pytest.skip(f"no compiled core: {problem}")
    core = library(str(RELAY.path()))

    def compiled(shape: Shape, effects: tuple[Effect, ...] = (), seed: str = "s") -> Tried:
        made.append(Compiled(core, shape, effects, seed))
        return made[-1]

    yield compiled
    for one in made:
        one.close()


def dues(out: Sequence[Out]) -> list[int]:
    return [one.due_ns for one in out]


def test_a_lone_frame_takes_its_serialisation_and_the_delay(make: Make) -> None:
    pipe = make(Shape(40 * MS, 100_000_000, 15140))
    pipe.offer(1514, 7)
    assert pipe.next_due() == 7 + 121_120 + 40 * MS
    assert pipe.release(pipe.next_due() - 1) == []
    assert pipe.release(pipe.next_due()) == [Out(0, 7 + 121_120 + 40 * MS)]
    assert pipe.next_due() == NEVER


def test_without_a_rate_only_the_delay_counts(make: Make) -> None:
    pipe = make(Shape(40 * MS))
    for at in (7, 7, 9):
        pipe.offer(1514, at)
    assert dues(drained(pipe)) == [7 + 40 * MS, 7 + 40 * MS, 9 + 40 * MS]


def test_the_frame_in_service_is_not_in_the_queue(make: Make) -> None:
    pipe = make(Shape(0, 8_000_000, 2000))  # one microsecond for each byte
    for _ in range(4):
        pipe.offer(1000, 0)
    # At 1 ms the second enters service, and one frame has room again.
    pipe.offer(1000, 1 * MS - 1)
    pipe.offer(1000, 1 * MS)
    assert [(one.number, one.due_ns) for one in drained(pipe)] == [(0, MS), (1, 2 * MS), (2, 3 * MS), (5, 4 * MS)]
    assert pipe.counts(5 * MS)["dropped_queue"] == 2


def test_a_queue_in_packets_counts_packets_whatever_their_size(make: Make) -> None:
    pipe = make(Shape(0, 8_000_000, queue_packets=2))
    for size in (60, 1514, 60, 60, 60):
        pipe.offer(size, 0)
    assert [one.number for one in drained(pipe)] == [0, 1, 2]
    assert pipe.counts(NEVER - 1)["dropped_queue"] == 2


def test_a_frame_larger_than_the_queue_still_passes_an_idle_link(make: Make) -> None:
    pipe = make(Shape(0, 8_000_000, 999))
    pipe.offer(1000, 0)
    pipe.offer(1000, 1)
    assert dues(drained(pipe)) == [MS]


def test_small_frames_are_not_sped_up_by_rounding(make: Make) -> None:
    pipe = make(Shape(0, 999_999_937, 10**9))
    for _ in range(20_000):
        pipe.offer(64, 0)
    assert dues(drained(pipe))[-1] == 20_000 * 64 * 8 * 10**9 // 999_999_937


def test_down_drops_what_is_offered_and_delivers_what_was_there(make: Make) -> None:
    up = Shape(5 * MS, 8_000_000, 10_000)
    pipe = make(up)
    for _ in range(3):
        pipe.offer(1000, 0)
    pipe.change(up._replace(up=False), None, MS // 2)
    pipe.offer(1000, MS)
    pipe.change(up, None, 2 * MS)
    pipe.offer(1000, 2 * MS)
    assert [(one.number, one.due_ns) for one in drained(pipe)] == [(0, 6 * MS), (1, 7 * MS), (2, 8 * MS), (4, 9 * MS)]
    assert pipe.counts(NEVER - 1)["dropped_down"] == 1


def test_a_slower_rate_stretches_what_is_left_of_the_frame_being_sent(make: Make) -> None:
    pipe = make(Shape(0, 8_000_000, 10_000))
    for _ in range(3):
        pipe.offer(1000, 0)
    pipe.change(Shape(0, 4_000_000, 10_000), None, MS + MS // 2)
    # The first has left at 1 ms, the second is half sent: its other half and the third take twice as long.
    assert dues(drained(pipe)) == [MS, MS + MS // 2 + MS, MS + MS // 2 + 3 * MS]


def test_a_change_of_nothing_changes_nothing(make: Make) -> None:
    shape = Shape(3 * MS, 999_999_937, 10**6)
    one, two = make(shape), make(shape)
    for number in range(200):
        for pipe in (one, two):
            pipe.offer(61 + number, number * 100)
        two.change(shape, None, number * 100 + 37)
    assert drained(one) == drained(two)


def test_an_unlimited_rate_lets_all_that_waits_leave_at_once(make: Make) -> None:
    pipe = make(Shape(MS, 8_000, 10_000))
    for _ in range(3):
        pipe.offer(1000, 0)
    pipe.change(Shape(MS), None, 5 * MS)
    assert dues(drained(pipe)) == [6 * MS] * 3


def test_what_is_on_the_wire_keeps_its_arrival_and_order_is_kept_when_the_delay_falls(make: Make) -> None:
    pipe = make(Shape(40 * MS))
    pipe.offer(60, 0)
    pipe.change(Shape(10 * MS), None, 1 * MS)
    for at in (2, 29, 31):
        pipe.offer(60, at * MS)
    assert dues(drained(pipe)) == [40 * MS, 40 * MS, 40 * MS, 41 * MS]


def test_a_smaller_queue_drops_nothing_that_waits(make: Make) -> None:
    pipe = make(Shape(0, 8_000_000, 5000))
    for _ in range(6):
        pipe.offer(1000, 0)
    pipe.change(Shape(0, 8_000_000, 1000), None, MS // 2)
    pipe.offer(1000, MS - 1)
    assert len(drained(pipe)) == 6
    assert pipe.counts(NEVER - 1)["dropped_queue"] == 1


def test_a_change_happens_at_its_moment_whenever_it_is_noticed(make: Make) -> None:
    late, punctual = make(Shape(0, 8_000_000, 10**6)), make(Shape(0, 8_000_000, 10**6))
    for pipe in (late, punctual):
        for _ in range(8):
            pipe.offer(1000, 0)
        pipe.change(Shape(MS, 2_000_000, 10**6), None, 2 * MS + 345)
    for now in range(0, 40 * MS, 10_000):
        punctual.counts(now)
    assert drained(late) == drained(punctual)
    assert late.counts(NEVER - 1)["changed_ns"] == 2 * MS + 345


def test_the_last_word_on_a_change_to_come_counts(make: Make) -> None:
    pipe = make(Shape(0, 8_000_000, 10**6))
    pipe.change(Shape(MS), None, 5 * MS)
    pipe.change(Shape(7 * MS), None, 6 * MS)
    pipe.offer(60, 6 * MS)
    assert dues(drained(pipe)) == [13 * MS]


def test_codel_leaves_a_short_queue_alone_and_drops_from_a_standing_one(make: Make) -> None:
    shape = Shape(0, 12_112_000, 10**6, codel_target_ns=5 * MS, codel_interval_ns=100 * MS)  # a full frame takes 1 ms
    short, standing = make(shape), make(shape)
    for number in range(1000):
        short.offer(1514, number * MS)
    assert short.counts(2000 * MS)["dropped_codel"] == 0
    for _ in range(400):
        standing.offer(1514, 0)
    out = drained(standing)
    counts = standing.counts(NEVER - 1)
    # Above the target from the first departure that waited 5 ms; 100 ms later the first drop (RFC 8289, section 5.6).
    first_gap = next(after.number for before, after in pairwise(out) if after.number - before.number > 1)
    assert 105 <= first_gap <= 107
    assert 4 <= counts["dropped_codel"] <= 8
    assert len(out) + counts["dropped_codel"] == 400


@given(FRAMES, RATES, st.integers(1514, 20_000))
def test_the_rate_is_never_exceeded_and_the_queue_never_overfull(frames: list[tuple[int, int]], rate: int, queue: int) -> None:
    pipe, now, sizes, offered = Reference(Shape(0, rate, queue)), 0, [], []
    for pause, size in frames:
        now += pause
        before = pipe.counts(now)
        waiting = pipe.pipe._queue.bytes
        pipe.offer(size, now)
        sizes.append(size)
        offered.append(now)
        if pipe.counts(now)["dropped_queue"] > before["dropped_queue"]:
            assert waiting + size > queue  # dropped only when there is no room
        assert pipe.pipe._queue.bytes <= queue
    out = drained(pipe)
    assert [one.number for one in out] == sorted(one.number for one in out)
    assert all(one.due_ns >= offered[one.number] for one in out)
    for first in range(len(out)):
        bits = 0
        for one in out[first + 1 :]:
            bits += sizes[one.number] * 8
            assert bits * 10**9 <= (one.due_ns - out[first].due_ns + 1) * rate  # whole nanoseconds: one may be missing


@given(FRAMES, RATES, st.lists(st.integers(1, 30 * MS), max_size=60))
def test_when_it_is_looked_at_changes_nothing(frames: list[tuple[int, int]], rate: int, looks: list[int]) -> None:
    shape = Shape(5 * MS, rate, 20_000, codel_target_ns=2 * MS, codel_interval_ns=10 * MS)
    lazy, busy = Reference(shape), Reference(shape)
    events = sorted([(pause * (number + 1), size) for number, (pause, size) in enumerate(frames)] + [(at, 0) for at in looks])
    seen = []
    for now, size in events:
        if size:
            lazy.offer(size, now)
            busy.offer(size, now)
        else:
            seen += busy.release(now)
    assert drained(lazy) == seen + drained(busy)
