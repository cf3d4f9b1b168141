from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from topologies.emulator.links.pipe import Pipe

MS = 1_000_000
FRAMES = st.lists(st.tuples(st.integers(0, 3 * MS), st.integers(60, 1514)), min_size=1, max_size=120)
RATES = st.sampled_from([1_000, 333_333, 10_000_000, 999_999_937, 10_000_000_000])


def played(pipe: Pipe, frames: Sequence[tuple[int, int]]) -> list[tuple[int, int, int | None]]:
    """(offered at, size, due) of each frame; frames are (pause before it, size)."""
    now, seen = 0, []
    for pause, size in frames:
        now += pause
        seen.append((now, size, pipe.offer(size, now)))
    return seen


def test_a_lone_frame_takes_its_serialisation_and_the_delay() -> None:
    assert Pipe(40 * MS, 100_000_000, 15140, 0, 0, "s").offer(1514, 7) == 7 + 121_120 + 40 * MS


def test_without_a_rate_only_the_delay_counts() -> None:
    assert Pipe(40 * MS, None, 15140, 0, 0, "s").offer(1514, 7) == 7 + 40 * MS


def test_the_frame_in_service_is_not_in_the_queue() -> None:
    pipe = Pipe(0, 8_000_000, 2000, 0, 0, "s")  # one microsecond for each byte
    assert [pipe.offer(1000, 0) for _ in range(4)] == [1 * MS, 2 * MS, 3 * MS, None]
    assert pipe.waiting_bytes(0) == 2000
    # At 1 ms the second enters service, and one frame has room again.
    assert pipe.offer(1000, 1 * MS - 1) is None
    assert pipe.offer(1000, 1 * MS) == 4 * MS


def test_a_frame_larger_than_the_queue_still_passes_an_idle_link() -> None:
    pipe = Pipe(0, 8_000_000, 999, 0, 0, "s")
    assert pipe.offer(1000, 0) == MS
    assert pipe.offer(1000, 1) is None


def test_a_lost_frame_has_used_the_rate() -> None:
    lossy, clean = Pipe(0, 8_000_000, 10**6, 0.5, 0, "s"), Pipe(0, 8_000_000, 10**6, 0, 0, "s")
    fates = [(lossy.offer(1000, 0), clean.offer(1000, 0)) for _ in range(100)]
    assert 20 < lossy.lost < 80
    assert all(due in (None, sound) for due, sound in fates)


def test_small_frames_are_not_sped_up_by_rounding() -> None:
    pipe = Pipe(0, 999_999_937, 10**9, 0, 0, "s")
    dues = [pipe.offer(64, 0) for _ in range(100_000)]
    assert dues[-1] == 100_000 * 64 * 8 * 10**9 // 999_999_937


def test_losses_are_as_frequent_as_specified() -> None:
    pipe = Pipe(0, None, 10**6, 0.02, 0, "s")
    for number in range(50_000):
        pipe.offer(100, number)
    assert 800 < pipe.lost < 1200


def test_jitter_is_uniform_around_the_delay() -> None:
    pipe = Pipe(10 * MS, None, 10**6, 0, 4 * MS, "s")
    delays = sorted((pipe.offer(100, number * 20 * MS) or 0) - number * 20 * MS for number in range(4000))
    assert delays[0] >= 6 * MS
    assert delays[-1] <= 14 * MS
    assert abs(delays[1000] - 8 * MS) < 0.3 * MS
    assert abs(sum(delays) / 4000 - 10 * MS) < 0.2 * MS


@given(FRAMES, FRAMES, st.sampled_from([0.0, 0.3]), st.sampled_from([0, MS]))
def test_the_same_seed_gives_the_nth_frame_the_same_loss_whatever_the_timing(
    frames: list[tuple[int, int]], others: list[tuple[int, int]], loss: float, jitter_ns: int
) -> None:
    count = min(len(frames), len(others))
    one, two = (Pipe(MS, None, 10**6, loss, jitter_ns, "seed") for _ in range(2))
    fates = [
        [due is None for _, _, due in played(pipe, with_[:count])] for pipe, with_ in ((one, frames), (two, others))
    ]
    assert fates[0] == fates[1]


@given(FRAMES, RATES, st.integers(1514, 20_000), st.sampled_from([0.0, 0.2]), st.sampled_from([0, MS, 5 * MS]))
def test_order_delay_and_conservation(
    frames: list[tuple[int, int]], rate: int, queue: int, loss: float, jitter_ns: int
) -> None:
    pipe = Pipe(5 * MS, rate, queue, loss, jitter_ns, "s")
    seen = played(pipe, frames)
    dues = [due for _, _, due in seen if due is not None]
    assert dues == sorted(dues)
    assert all(due >= at + 5 * MS - jitter_ns for at, _, due in seen if due is not None)
    assert pipe.packets == len(frames) == len(dues) + pipe.lost + pipe.dropped_queue
    assert pipe.bytes == sum(size for _, size in frames)


@given(FRAMES, RATES, st.integers(1514, 20_000))
def test_the_rate_is_never_exceeded_and_the_queue_never_overfull(
    frames: list[tuple[int, int]], rate: int, queue: int
) -> None:
    pipe = Pipe(0, rate, queue, 0, 0, "s")
    seen = played(pipe, frames)
    sent = [(due, size) for _, size, due in seen if due is not None]
    for first in range(len(sent)):
        bits = 0
        for at, size in sent[first + 1 :]:
            bits += size * 8
            assert bits * 10**9 <= (at - sent[first][0] + 1) * rate  # whole nanoseconds: one may be missing
    for at, _, due in seen:
        if due is not None:
            # Everything still to be sent: the queue and the frame in service.
            assert (due - at) * rate <= (queue + 1514) * 8 * 10**9 + rate


@given(FRAMES, RATES, st.integers(1514, 20_000))
def test_a_frame_is_dropped_only_when_the_queue_has_no_room_for_it(
    frames: list[tuple[int, int]], rate: int, queue: int
) -> None:
    pipe, now = Pipe(0, rate, queue, 0, 0, "s"), 0
    for pause, size in frames:
        now += pause
        waiting = pipe.waiting_bytes(now)
        if pipe.offer(size, now) is None:
            assert waiting + size > queue
        assert pipe.waiting_bytes(now) <= queue


def test_loss_does_not_depend_on_whether_there_is_jitter() -> None:
    plain, jittery = Pipe(MS, None, 10**6, 0.3, 0, "s"), Pipe(MS, None, 10**6, 0.3, MS, "s")
    for number in range(200):
        assert (plain.offer(64, number) is None) == (jittery.offer(64, number) is None)


@pytest.mark.parametrize("seed", ["1 l a_to_b", "1 l b_to_a"])
def test_another_seed_is_another_fate(seed: str) -> None:
    one, two = Pipe(0, None, 10**6, 0.5, 0, seed), Pipe(0, None, 10**6, 0.5, 0, seed + "!")
    assert [one.offer(64, n) for n in range(64)] != [two.offer(64, n) for n in range(64)]
