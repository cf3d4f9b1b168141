"""When requests are due, and what is asked for: pure, by seed."""

import math
from itertools import islice, pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nodes.http.message import Fields
from nodes.load.arrivals import due
from nodes.load.record import Record
from nodes.load.summary import first_errors, percentile, summary
from nodes.load.targets import cumulative, targets


def test_fixed_arrivals_have_equal_gaps_and_end_with_the_time():
    assert list(due("fixed", 4.0, 1, 1.0, 100)) == [0.0, 0.25, 0.5, 0.75]


def test_a_burst_is_due_at_once_and_as_many_as_asked_for():
    assert list(due("burst", 0.0, 1, 10.0, 5)) == [0.0] * 5


def test_poisson_arrivals_have_the_mean_and_the_spread_of_their_rate():
    times = list(due("poisson", 100.0, 7, 100.0, 10**6))
    gaps = [b - a for a, b in pairwise(times)]
    mean = sum(gaps) / len(gaps)
    deviation = math.sqrt(sum((gap - mean) ** 2 for gap in gaps) / len(gaps))
    assert len(times) == pytest.approx(10_000, abs=4 * 100), "within four standard deviations"
    assert deviation == pytest.approx(mean, rel=0.05), "exponential gaps deviate by their mean"
    assert times == sorted(times)


def test_the_same_seed_gives_the_same_times_and_another_seed_others():
    times = [list(due("poisson", 10.0, seed, 5.0, 100)) for seed in (1, 1, 2)]
    assert times[0] == times[1] != times[2]


def test_no_more_are_due_than_allowed():
    assert len(list(due("poisson", 1000.0, 1, 10.0, 17))) == 17


def test_ranks_follow_zipf_law():
    asked = list(islice(targets("http://a/{}", 50, 1.0, 3), 20_000))
    harmonic = sum(1 / rank for rank in range(1, 51))
    for rank in (1, 2, 10, 50):
        expected = 20_000 / rank / harmonic
        assert asked.count(f"http://a/{rank}") == pytest.approx(expected, abs=5 * math.sqrt(expected))
    assert set(asked) <= {f"http://a/{rank}" for rank in range(1, 51)}


def test_exponent_zero_is_uniform_and_a_url_without_a_mark_is_itself():
    assert cumulative(4, 0.0) == [0.25, 0.5, 0.75, 1.0]
    assert list(islice(targets("http://a/x", 50, 1.0, 3), 2)) == ["http://a/x"] * 2


@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=300), st.sampled_from([0.5, 0.9, 0.99, 1.0]))
def test_a_percentile_of_any_values(values, share):
    found = percentile(values, share)
    assert found in values
    assert sum(value <= found for value in values) >= share * len(values) - 1e-6
    assert sum(value < found for value in values) < share * len(values) + 1e-6


def test_a_percentile_is_the_least_value_that_so_many_do_not_exceed():
    assert [percentile(list(range(1, 101)), share) for share in (0.5, 0.99, 1.0)] == [50, 99, 100]
    with pytest.raises(ValueError, match="no values"):
        percentile([], 0.5)


def row(due_ms, latency_ms, error=""):
    took = None if error else latency_ms
    return {"due_ms": due_ms, "latency_ms": took, "last_byte_ms": due_ms + latency_ms, "late_ms": 0.1, "error": error}


def test_a_summary_leaves_failed_requests_out_of_the_times_and_counts_them():
    found = summary([row(0, 10), row(100, 20), row(200, 9000, "no whole answer within 9 s"), row(980, 20)])
    assert (found["requests"], found["failed"]) == (4, 1)
    assert (found["p50_ms"], found["p99_ms"], found["max_ms"]) == (20, 20, 20)
    assert found["rate_per_s"] == 3.0
    assert summary([])["p50_ms"] is None


def test_the_commonest_errors_are_named():
    assert first_errors([row(0, 1, "b"), row(0, 1, "a"), row(0, 1, "a"), row(0, 1)]) == "2 x a; 1 x b"


def test_of_two_tiers_the_zone_and_node_nearest_the_content_are_recorded():
    record = Record(1, "http://a/", 0.0)
    route = 'lb2;zone="az1";node="edge2";reason="round-robin";tries=2, lb1;zone="virginia";node="lb2";reason="nearest";tries=1'
    record.answered(200, Fields([("X-Longhaul-Route", route), ("Cache-Status", "edge2; hit")]))
    assert (record.zone, record.node, record.tries) == ("az1", "edge2", 2)
    assert (record.cache_status, record.failed) == ("edge2; hit", False)
    record.answered(503, Fields([]))
    assert record.failed
