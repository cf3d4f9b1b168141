from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from topologies.emulator.links.lateness import Histogram
from topologies.emulator.links.pipe import NEVER
from topologies.emulator.links.relay.wake import LONGEST_LEAD_NS, Waker

MS = 1_000_000


@given(st.lists(st.integers(0, 2**62), min_size=1, max_size=60), st.sampled_from([50.0, 99.0, 100.0]))
def test_a_percentile_is_at_most_an_eighth_above_the_true_one(values: list[int], percent: float) -> None:
    histogram = Histogram()
    for value in values:
        histogram.add(value)
    true = sorted(values)[max(0, -(-len(values) * int(percent) // 100) - 1)]
    found = histogram.percentile_ns(percent)
    assert found is not None
    assert true <= found <= true * 1.125 + 1
    assert histogram.max_ns == max(values)


def test_an_empty_histogram_has_no_percentile() -> None:
    assert Histogram().percentile_ns(50) is None


def test_what_is_due_is_not_slept_for() -> None:
    assert Waker(0).alarm(5, 5) == 0


def test_the_alarm_is_set_early_by_what_waking_costs() -> None:
    waker = Waker(0)
    for _ in range(200):
        waker.woken(80_000)
    assert 80_000 <= waker.lead_ns <= 110_000
    assert waker.alarm(10 * MS, 0) == 10 * MS - waker.lead_ns
    assert waker.alarm(10 * MS, 10 * MS - 1000) == 0


def test_sleeping_until_something_comes_costs_no_credit() -> None:
    waker = Waker(0)
    assert waker.alarm(1000, 0) == 0  # watching
    assert waker.alarm(NEVER, 1000) == NEVER
    waker.slept(1000, 9000 * MS)
    assert waker.alarm(9000 * MS + 1000, 9000 * MS) == 0


def test_the_lead_is_capped_when_the_machine_stalls() -> None:
    waker = Waker(0)
    waker.woken(10**10)
    assert waker.lead_ns == LONGEST_LEAD_NS


@given(st.lists(st.tuples(st.integers(100, 200_000), st.booleans()), min_size=200, max_size=600))
def test_watching_the_clock_never_takes_more_than_its_share_of_the_time_slept(steps: list[tuple[int, bool]]) -> None:
    # The worst case: something is always due within the lead.
    waker, now, watched, slept = Waker(0), 0, 0, 0
    for step, sleeps in steps * 5:
        alarm = waker.alarm(now + 1000, now)
        if sleeps or alarm:
            waker.slept(now, now + step)
            slept += step
        else:
            watched += step
        now += step
    assert watched <= 10 * MS + slept * 0.2 + max(step for step, _ in steps)


@given(st.lists(st.tuples(st.integers(1_000, 900_000), st.integers(0, 40_000)), min_size=400, max_size=400))
def test_a_worker_that_always_has_work_still_rests_six_percent(turns: list[tuple[int, int]]) -> None:
    waker, now, slept = Waker(0), 0, 0
    for work, nap in turns:
        now += work
        pause = waker.owed(now)
        for asleep in (pause, nap):
            waker.slept(now, now + asleep)
            now += asleep
            slept += asleep
    # Windows end when somebody looks, so they are longer than 5 ms by at most one piece of work.
    assert slept >= 0.3 * MS * (now // (5 * MS + 940_000) - 1) - 20_000 * len(turns)


def test_rows_of_a_histogram_are_its_filled_buckets() -> None:
    histogram = Histogram()
    for value in (0, 3, 3, 1000, 5000):
        histogram.add(value)
    assert histogram.rows() == [(0, 1), (3, 2), (1023, 1), (5000, 1)]
    again = Histogram.of(histogram._counts, histogram.max_ns)
    assert (again.rows(), again.count) == (histogram.rows(), 5)
