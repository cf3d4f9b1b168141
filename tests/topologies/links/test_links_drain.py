"""A trace as the rate of a direction."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tests.topologies.links.pipes import MS, Out, Reference, drained
from topologies.emulator.links.pipe import NEVER
from topologies.emulator.links.shape import Shape


def trace(*times_ms: int, delay_ms: int = 0, queue_bytes: int = 10**6, trace_id: int = 1) -> Shape:
    return Shape(delay_ms * MS, queue_bytes=queue_bytes, trace_id=trace_id, times_ms=times_ms)


def test_each_chance_delivers_one_full_packet_and_the_recording_begins_again() -> None:
    pipe = Reference(trace(3, 5, 5, 10, delay_ms=20))
    for _ in range(6):
        pipe.offer(1514, 0)
    assert [one.due_ns // MS - 20 for one in drained(pipe)] == [3, 5, 5, 10, 13, 15]


def test_chances_that_find_nothing_are_lost() -> None:
    pipe = Reference(trace(3, 5, 10))
    pipe.offer(1514, 4 * MS)
    pipe.offer(1514, 107 * MS)
    assert [one.due_ns // MS for one in drained(pipe)] == [5, 110]


def test_several_small_packets_share_a_chance_and_a_large_one_takes_several() -> None:
    pipe = Reference(trace(1, 2, 3, 4))
    for size in (514, 514, 514, 3014, 1014):
        pipe.offer(size, 0)
    # 3 x 500 bytes of IP; then 3000 take two chances; the last waits for the fourth.
    assert drained(pipe) == [Out(0, MS), Out(1, MS), Out(2, MS), Out(3, 3 * MS), Out(4, 4 * MS)]


def test_bytes_left_over_serve_the_next_packet_in_the_same_chance_only() -> None:
    pipe = Reference(trace(1, 2, 9))
    pipe.offer(1014, 0)
    pipe.offer(1014, 0)  # half of it in the first chance, the rest in the second, whose remainder is lost
    pipe.offer(1514, 2 * MS)
    assert [one.due_ns // MS for one in drained(pipe)] == [1, 2, 9]


def test_the_frame_partly_sent_is_not_in_the_queue() -> None:
    pipe = Reference(trace(1, 2, 3, 4, queue_bytes=3000))
    pipe.offer(3000, 0)  # alone it fits, and the next does not while it waits
    pipe.offer(1000, 0)
    pipe.offer(1000, MS)
    assert [one.number for one in drained(pipe)] == [0, 2]


def test_a_change_of_the_delay_does_not_begin_the_recording_again() -> None:
    pipe = Reference(trace(3, 10))
    pipe.offer(1514, 0)
    pipe.change(trace(3, 10, delay_ms=1), None, 5 * MS)
    pipe.offer(1514, 6 * MS)
    assert [one.due_ns // MS for one in drained(pipe)] == [3, 11]


def test_another_recording_begins_with_the_change() -> None:
    pipe = Reference(trace(3, 10))
    pipe.change(trace(4, 20, trace_id=2), None, 5 * MS)
    pipe.offer(1514, 6 * MS)
    assert [one.due_ns // MS for one in drained(pipe)] == [9]


def test_from_a_rate_to_a_recording_and_back_nothing_in_the_queue_is_lost() -> None:
    pipe = Reference(Shape(0, 8_000_000, 10**6))
    for _ in range(8):
        pipe.offer(1514, 0)
    pipe.change(trace(*range(1, 11)), None, 2 * MS)
    assert len(pipe.release(5 * MS)) >= 2
    pipe.change(Shape(0, 8_000_000, 10**6), None, 5 * MS + 1)
    drained(pipe)
    counts = pipe.counts(NEVER - 1)
    assert (counts["packets"], counts["held"], counts["dropped_queue"]) == (8, 0, 0)


@given(
    st.lists(st.integers(0, 9), min_size=1, max_size=9).map(sorted).filter(lambda times: times[-1] > 0),
    st.lists(st.tuples(st.integers(0, 30 * MS), st.integers(60, 4000)), min_size=1, max_size=60),
)
def test_never_more_than_1500_bytes_for_each_chance(times: list[int], frames: list[tuple[int, int]]) -> None:
    pipe, now, sizes = Reference(trace(*times, queue_bytes=10**9)), 0, []
    for pause, size in frames:
        now += pause
        pipe.offer(size, now)
        sizes.append(size - 14)
    out = drained(pipe)
    assert len(out) == len(frames)
    by_moment: dict[int, int] = {}
    for one in out:
        at_ms = one.due_ns / MS
        assert at_ms == int(at_ms)
        assert int(at_ms) % times[-1] in times or int(at_ms) % times[-1] == 0
        by_moment[int(at_ms)] = by_moment.get(int(at_ms), 0) + sizes[one.number]
    total = 0
    for at_ms in sorted(by_moment):
        total += by_moment[at_ms]
        rounds, rest = divmod(at_ms, times[-1])
        chances = rounds * len(times) + sum(1 for time in times if time <= rest)
        assert total <= 1500 * (chances + times.count(0))
