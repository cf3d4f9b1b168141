"""Health as state machines: checks, ejection, slow start. Time is a number."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nodes.balancer.health.checks import Checked
from nodes.balancer.health.outliers import Limits, Outliers
from nodes.balancer.health.slow_start import share


@pytest.mark.parametrize(
    ("results", "ups"),
    [("---", "110"), ("--+--", "11111"), ("---++", "11001"), ("---+-++", "1100001"), ("+++", "111"),
     ("---+++---", "110011110")],
)  # fmt: skip
def test_three_failures_in_a_row_bring_a_node_down_and_two_successes_up(results, ups):
    checked, seen = Checked(rise=2, fall=3), ""
    for result in results:
        before = checked.up
        assert checked.result(result == "+") == (checked.up != before)
        seen += str(int(checked.up))
    assert seen == ups


def failing(outliers: Outliers, name: str, now_s: float, times: int = 5, nodes: int = 20) -> float | None:
    return [outliers.failed(name, now_s, nodes) for _ in range(times)][-1]


def test_five_failures_in_a_row_eject_for_30_s_times_the_count():
    outliers, now_s = Outliers(Limits()), 0.0
    for count in (1, 2, 3):
        assert failing(outliers, "a", now_s, times=4) is None
        assert outliers.failed("a", now_s, 20) == 30.0 * count
        assert outliers.is_out("a")
        assert outliers.returned(now_s + 30 * count - 0.1) == []
        now_s = outliers.next_s()
        assert outliers.returned(now_s) == ["a"]
        assert not outliers.is_out("a")
    assert failing(outliers, "a", now_s + 65) == 30.0 * 2  # 65 s without one forgive two of three


def test_a_success_between_them_keeps_a_node():
    outliers = Outliers(Limits())
    for _ in range(20):
        assert failing(outliers, "a", 0.0, times=4) is None
        outliers.succeeded("a")


@pytest.mark.parametrize(("nodes", "most"), [(1, 1), (9, 1), (10, 1), (20, 2), (100, 10), (109, 10)])
def test_at_most_a_tenth_of_the_nodes_is_out_but_at_least_one(nodes, most):
    outliers = Outliers(Limits())
    out = [failing(outliers, str(number), 0.0, nodes=nodes) is not None for number in range(nodes)]
    assert out == [True] * most + [False] * (nodes - most)


def test_a_node_that_could_not_be_ejected_is_when_there_is_room():
    outliers = Outliers(Limits())
    failing(outliers, "a", 0.0, nodes=3)
    assert failing(outliers, "b", 1.0, nodes=3) is None
    outliers.returned(30.0)
    assert outliers.failed("b", 30.0, 3) == 30.0


@given(events=st.lists(st.tuples(st.sampled_from("abcdef"), st.booleans(), st.integers(0, 40)), max_size=80))
def test_never_more_are_out_than_may_be_and_each_returns(events):
    outliers, now_s = Outliers(Limits(consecutive=2)), 0.0
    for name, ok, later_s in events:
        now_s += later_s
        outliers.returned(now_s)
        outliers.succeeded(name) if ok else outliers.failed(name, now_s, 6)
        assert sum(map(outliers.is_out, "abcdef")) <= 1
    outliers.returned(outliers.next_s())
    assert not any(map(outliers.is_out, "abcdef"))


@pytest.mark.parametrize(
    ("age", "window", "part"), [(0, 10, 0.1), (0.5, 10, 0.1), (5, 10, 0.5), (10, 10, 1), (99, 10, 1), (0, 0, 1)]
)
def test_a_new_nodes_share_grows_with_its_age(age, window, part):
    assert share(age, window) == part
