from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from topologies.emulator.links.lateness import Histogram
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


def test_the_lead_is_capped_when_the_machine_stalls() -> None:
    waker = Waker(0)
    waker.woken(10**10)
    assert waker.lead_ns == LONGEST_LEAD_NS


@given(st.lists(st.integers(100, 200_000), min_size=200, max_size=600))
def test_watching_the_clock_never_takes_more_than_its_share(steps: list[int]) -> None:
    # The worst case: something is always due within the lead.
    waker, now, watched = Waker(0), 0, 0
    for step in steps * 5:
        alarm = waker.alarm(now + 1000, now)
        watched += step if alarm == 0 else 0
        now += step
    assert watched <= 10 * MS + now * 0.2 + max(steps)
