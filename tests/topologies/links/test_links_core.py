"""The compiled core decides what the reference decides, to the nanosecond."""

from __future__ import annotations

import ctypes
from collections import Counter
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cores import RELAY
from tests.topologies.links.pipes import MS, Compiled, Reference, drained, library
from topologies.emulator.links.effects.corrupt import Corrupt
from topologies.emulator.links.effects.duplicate import Duplicate
from topologies.emulator.links.effects.effect import Effect
from topologies.emulator.links.effects.gilbert_elliott import GilbertElliott
from topologies.emulator.links.effects.jitter import Jitter
from topologies.emulator.links.effects.loss import Loss
from topologies.emulator.links.effects.reorder import Reorder
from topologies.emulator.links.packet_log import CODEL, DOWN, LOST, QUEUE_FULL
from topologies.emulator.links.pipe import NEVER
from topologies.emulator.links.shape import NONE, Shape

EFFECTS = st.lists(
    st.sampled_from([Loss(0.3), Jitter(4.0, "normal"), Duplicate(0.4), Reorder(0.2), Corrupt(0.3)]), unique_by=type, max_size=5
).map(tuple) | st.just((GilbertElliott(0.2, 0.4), Duplicate(0.3)))
TRACES = st.lists(st.integers(0, 12), min_size=1, max_size=12).map(sorted).map(tuple).filter(lambda times: times[-1] > 0)


@st.composite
def shapes(draw: st.DrawFn) -> Shape:
    """Of every kind: rate, trace or neither; bytes or packets; CoDel or not; up or down."""
    kind = draw(st.sampled_from(["rate", "rate", "trace", "none"]))
    trace = draw(TRACES) if kind == "trace" else ()
    packets = draw(st.booleans())
    codel = draw(st.sampled_from([NONE, MS // 10, 2 * MS]))
    return Shape(
        delay_ns=draw(st.integers(16, 40)) * MS, rate_bps=draw(st.sampled_from([333_333, 8_000_000, 999_999_937]))
        if kind == "rate" else NONE, queue_bytes=NONE if packets else draw(st.integers(1514, 40_000)),
        queue_packets=draw(st.integers(1, 30)) if packets else NONE, codel_target_ns=codel,
        codel_interval_ns=NONE if codel == NONE else 5 * MS, up=draw(st.integers(0, 9)) > 0,
        trace_id=hash(trace) & 0xFFFF if trace else NONE, times_ms=trace,
    )  # fmt: skip


STEPS = st.lists(
    st.tuples(st.just("offer"), st.integers(0, 3 * MS) | st.just(0), st.integers(60, 1514))
    | st.tuples(st.just("offer"), st.just(0), st.just(1514))
    | st.tuples(st.just("offer"), st.sampled_from([0, MS, 2 * MS]), st.just(1000))  # 1 ms each at 8 Mbit/s: equal moments
    | st.tuples(st.just("release"), st.integers(0, 20 * MS), st.just(0))
    | st.tuples(st.just("change"), st.integers(0, 3 * MS), st.tuples(shapes(), st.none() | EFFECTS, st.integers(-MS, 5 * MS))),
    min_size=1, max_size=120,
)  # fmt: skip


@pytest.fixture(scope="module")
def core() -> ctypes.CDLL:
    problem = RELAY.build()
    if problem:
        pytest.skip(f"no compiled core: {problem}")
    return library(str(RELAY.path()))


@settings(max_examples=600)
@given(shapes(), EFFECTS, STEPS)
def test_every_frame_meets_the_same_fate_at_the_same_nanosecond(
    core: ctypes.CDLL, shape: Shape, effects: tuple[Effect, ...], steps: list[tuple[str, int, object]]
) -> None:
    before, one, two = core.frames_bytes(), Reference(shape, effects), Compiled(core, shape, effects)
    now, came_out = 0, 0
    for number, (what, pause, value) in enumerate(steps):
        now += pause
        for pipe in (one, two):
            if what == "offer":
                assert isinstance(value, int)
                pipe.offer(value, now)
            elif what == "change":
                to, effects_then, ahead = value  # type: ignore[misc]
                pipe.change(to, effects_then, now + ahead, f"change {number}")
        assert one.next_due() == two.next_due()
        if what == "release":
            found = one.release(now), two.release(now)
            assert found[0] == found[1]
            came_out += len(found[0])
    assert one.counts(now) == two.counts(now)
    rest = drained(one), drained(two)
    assert rest[0] == rest[1]
    counts = one.counts(NEVER - 1), two.counts(NEVER - 1)
    assert counts[0] == counts[1]
    assert counts[0]["held"] == 0
    assert one.events == two.events()
    told = Counter(event for _, event, _ in one.events)
    assert [told[event] for event in (QUEUE_FULL, CODEL, DOWN, LOST)] == [
        counts[0][name] for name in ("dropped_queue", "dropped_codel", "dropped_down", "lost")]  # fmt: skip
    assert sum(told.values()) == counts[0]["packets"] + told[CODEL] + told[LOST]
    assert counts[0]["packets"] + counts[0]["duplicated"] == came_out + len(rest[0]) + sum(
        counts[0][name] for name in ("dropped_queue", "dropped_codel", "dropped_down", "lost"))  # fmt: skip
    two.close()
    assert core.frames_bytes() == before


@pytest.mark.parametrize("seed", range(8))
def test_codel_drops_the_same_frames(core: ctypes.CDLL, seed: int) -> None:
    # Overload that comes and goes, so that the dropping state is entered again soon after it was left.
    random = Random(seed)
    shape = Shape(MS, 8_000_000, 400_000, codel_target_ns=5 * MS, codel_interval_ns=50 * MS)
    one, two, now = Reference(shape), Compiled(core, shape), 0
    for number in range(8000):
        now += round(random.expovariate(1) * MS * (1.3 if number // 400 % 2 else 0.45))
        size = random.choice((60, 1000, 1514))
        one.offer(size, now)
        two.offer(size, now)
    assert drained(one) == drained(two)
    counts = one.counts(NEVER - 1)
    assert counts == two.counts(NEVER - 1)
    assert counts["dropped_codel"] > 100
    two.close()


def test_of_two_frames_due_at_once_the_same_one_leaves_first(core: ctypes.CDLL) -> None:
    shape = Shape(16 * MS, 8_000_000, 10**6)
    one, two = Reference(shape, (Reorder(0.3),)), Compiled(core, shape, (Reorder(0.3),))
    for _ in range(200):
        one.offer(1000, 0)
        two.offer(1000, 0)
    out = drained(one)
    assert len({frame.due_ns for frame in out}) < 200
    assert out == drained(two)
    two.close()
