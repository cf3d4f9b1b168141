"""Node rules: shares, answers to load, and what every rule keeps to."""

from __future__ import annotations

from collections import Counter
from math import ceil
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nodes.balancer import catalogue
from nodes.balancer.picks import peak_ewma
from nodes.balancer.picks.choice_of_two import score, usable
from nodes.balancer.picks.machinery.node_state import NodeState
from nodes.hashing.ketama import Ring

RULES = catalogue.node_rule_names()
KEYED = ["bounded-load", "ketama", "maglev", "rendezvous"]


def some(count: int, weights: tuple[float, ...] = ()) -> list[NodeState]:
    return [NodeState(f"n{number}", weights[number] if weights else 1.0) for number in range(count)]


def made(rule: str, nodes: list[NodeState], seed: int = 1):
    return catalogue.node_rule(rule)(nodes, Random(seed))


def shares(rule: str, nodes: list[NodeState], times: int = 6000, *, kept: bool = False) -> list[float]:
    """How requests for different keys spread; `kept` when each stays under way."""
    pick, counts = made(rule, nodes), Counter[str]()
    for number in range(times):
        node = pick.pick(f"/{number}", 0.0)
        node.active += kept
        counts[node.name] += 1
    return [counts[node.name] / times for node in nodes]


def test_the_rules_are_those_that_are_promised():
    assert RULES == ["bounded-load", "choice-of-two", "ketama", "least-requests", "maglev", "peak-ewma", "power-of-two",
                     "random", "rendezvous", "round-robin"]  # fmt: skip


@pytest.mark.parametrize(("rule", "within"), [("round-robin", 0.001), ("random", 0.03), ("maglev", 0.03), ("rendezvous", 0.03),
                                              ("ketama", 0.09)])  # fmt: skip
def test_shares_follow_weights(rule, within):
    assert shares(rule, some(3, (1.0, 2.0, 5.0))) == pytest.approx([1 / 8, 2 / 8, 5 / 8], abs=within)


@pytest.mark.parametrize(("rule", "within"), [("least-requests", 0.001), ("power-of-two", 0.01), ("choice-of-two", 0.01)])
def test_requests_under_way_follow_weights(rule, within):
    nodes = some(3, (1.0, 2.0, 5.0))
    for node in nodes:
        node.answers = 1
    assert shares(rule, nodes, kept=True) == pytest.approx([1 / 8, 2 / 8, 5 / 8], abs=within)


def test_round_robin_takes_each_in_turn():
    pick = made("round-robin", some(5))
    turns = [pick.pick("", 0.0).name for _ in range(15)]
    assert turns[:5] == turns[5:10] == turns[10:]
    assert len(set(turns[:5])) == 5


def test_two_choices_are_far_more_even_than_one():
    """Mitzenmacher: the most loaded of n has log log n more than the average, by chance alone log n / log log n."""
    two, one = some(100), some(100)
    shares("power-of-two", two, 1000, kept=True)
    shares("random", one, 1000)
    assert max(node.active for node in two) <= 13
    assert max(Counter(made("random", one).pick("", 0).name for _ in range(1000)).values()) > 15


@pytest.mark.parametrize(
    ("average", "age", "took", "after"),
    [(0.1, 1, 0.5, 0.5), (0.5, 0, 0.1, 0.5), (0.5, 10, 0.1, 0.1 + 0.4 / 2.718281828), (0.5, 1000, 0.1, 0.1)],
)
def test_peak_ewma_believes_bad_news_at_once_and_good_news_by_its_decay(average, age, took, after):
    assert peak_ewma.peak(average, 0.0, took, age) == pytest.approx(after)


def test_peak_ewma_avoids_the_slow_node():
    nodes = some(2)
    pick = made("peak-ewma", nodes)
    pick.answered(nodes[0], 1.0, 0.200, True)
    pick.answered(nodes[1], 1.0, 0.010, True)
    assert {pick.pick("", 1.0).name for _ in range(50)} == {"n1"}
    nodes[1].active = 25  # 26 requests of 10 ms wait longer than one of 200
    assert {pick.pick("", 1.0).name for _ in range(50)} == {"n0"}


def test_choice_of_two_goes_by_failures_requests_and_what_the_node_reports():
    one, two = some(2)
    one.answers = two.answers = 1
    assert score(one, two, 0.0) == score(two, one, 0.0) == 0.5
    one.active = 3
    assert (score(one, two, 0.0), score(two, one, 0.0)) == (0.8, 0.2)
    two.utilisation, two.utilisation_at_s = 0.9, 0.0
    assert score(two, one, 0.0) == pytest.approx(1.1)
    assert score(two, one, 30.0) == pytest.approx(0.2 + 0.9 / 2.718281828)  # it decays towards zero
    made("choice-of-two", [one, two]).answered(two, 0.0, 0.1, False)
    assert two.failures == pytest.approx(0.2)


@pytest.mark.parametrize(
    ("change", "is_usable"),
    [({}, True), ({"answers": 0}, True), ({"answers": 0, "active": 1}, False), ({"active": 9}, True),
     ({"failures": 0.6}, False), ({"utilisation": 0.94}, True), ({"utilisation": 0.96}, False)],
)  # fmt: skip
def test_choice_of_two_filters_probation_failures_and_fullness(change, is_usable):
    node = some(1)[0]
    node.answers = 1
    for name, value in change.items():
        setattr(node, name, value)
    assert usable(node, 0.0) == is_usable


def test_a_new_node_has_one_request_at_a_time_until_it_has_answered():
    nodes = some(3)
    nodes[0].answers = nodes[1].answers = 9
    nodes[0].active = nodes[1].active = 5
    pick, counts = made("choice-of-two", nodes), Counter[str]()
    for _ in range(40):
        node = pick.pick("", 0.0)
        node.active += 1
        counts[node.name] += 1
    assert counts["n2"] == 1
    nodes[2].answers = 1
    assert "n2" in {pick.pick("", 0.0).name for _ in range(20)}


@pytest.mark.parametrize("rule", KEYED)
def test_a_rule_by_keys_gives_the_same_node_whatever_the_chance(rule):
    one, two = made(rule, some(9), 1), made(rule, some(9), 2)
    assert [one.pick(f"/{n}", 0.0).name for n in range(200)] == [two.pick(f"/{n}", 9.0).name for n in range(200)]


@given(count=st.integers(1, 12), keys=st.lists(st.integers(0, 3), max_size=60), ends=st.data())
def test_bounded_load_never_goes_above_its_bound(count, keys, ends):
    """Few keys, so that without the bound one node would have them all; requests end in any order."""
    nodes = some(count)
    pick = made("bounded-load", nodes)
    for key in keys:
        chosen = pick.pick(str(key), 0.0)
        chosen.active += 1
        assert chosen.active <= ceil(1.25 * sum(node.active for node in nodes) / count)
        busy = [node for node in nodes if node.active]
        if ends.draw(st.booleans()):
            ends.draw(st.sampled_from(busy)).active -= 1


def test_bounded_load_goes_on_along_the_ring_and_back():
    nodes = some(4)
    pick, way = made("bounded-load", nodes), list(Ring({node.name: 1.0 for node in nodes}).walk("/a"))
    by_name = {node.name: node for node in nodes}
    assert pick.pick("/a", 0).name == way[0]
    by_name[way[0]].active = 1
    assert pick.pick("/a", 0).name == way[1]  # ceil(1.25 * 2 / 4) is 1
    by_name[way[0]].active = 0
    assert pick.pick("/a", 0).name == way[0]


@settings(max_examples=60, deadline=None)
@given(rule=st.sampled_from(RULES), weights=st.lists(st.integers(1, 9), min_size=1, max_size=9), seed=st.integers(0, 99))
def test_every_rule_names_one_of_its_nodes_and_another_when_asked(rule, weights, seed):
    nodes = some(len(weights), tuple(map(float, weights)))
    pick = made(rule, nodes, seed)
    for number in range(6):
        node = pick.pick(f"/{number}", float(number))
        node.active += 1
        assert node in nodes
        other = pick.other(f"/{number}", float(number), node)
        assert (other is None) == (len(nodes) == 1)
        assert other is not node
        pick.answered(node, float(number), 0.01, number % 2 == 0)
