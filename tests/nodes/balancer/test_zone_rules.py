"""Zone rules against the numbers that Netflix and Envoy publish."""

from __future__ import annotations

from collections import Counter
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nodes.balancer import catalogue
from nodes.balancer.zones.locality import Locality, shares
from nodes.balancer.zones.machinery.zone_rule import ZoneState
from nodes.balancer.zones.zone_avoidance import available

RULES = catalogue.zone_rule_names()


def zone(
    name: str, distance: float = 0, healthy: int = 100, nodes: int = 100, active: int = 0, capacity: float = 1
) -> ZoneState:
    return ZoneState(name, distance_ms=distance, nodes=nodes, healthy=healthy, active=active, capacity=capacity)


def spread(rule: str, zones: list[ZoneState], times: int = 4000) -> dict[str, float]:
    made, random = catalogue.zone_rule(rule)(), Random(7)
    counts = Counter(made.choose(zones, random).zone.name for _ in range(times))
    return {one.name: counts[one.name] / times for one in zones}


def test_the_rules_are_those_that_are_promised():
    assert RULES == ["locality", "nearest", "round-robin", "weighted", "zone-avoidance"]
    with pytest.raises(ValueError, match="there is no zone rule 'nearer'; choose one of locality, nearest"):
        catalogue.zone_rule("nearer")


@pytest.mark.parametrize(
    ("healthy", "kept"), [(100, 1.0), (72, 1.0), (71, 0.994), (50, 0.70), (25, 0.35), (0, 0.0)]
)  # the first three columns of Envoy's table, "Priority levels"
def test_envoys_factor_1_4_what_the_near_zone_keeps(healthy, kept):
    assert shares([zone("near", 0, healthy), zone("far", 10)]) == pytest.approx([kept, 1 - kept])
    assert spread("locality", [zone("near", 0, healthy), zone("far", 10)])["near"] == pytest.approx(kept, abs=0.03)


@pytest.mark.parametrize(
    ("near", "far", "kept", "panics"),
    [(72, 72, 1.0, set()), (71, 71, 0.994, set()), (50, 60, 0.70, set()), (25, 100, 0.35, set()),
     (25, 25, 0.5, {"near", "far"}), (0, 50, 0.0, set()), (5, 65, 0.0714, {"near"}), (60, 5, 0.9231, {"far"})],
)  # fmt: skip
def test_envoys_panic_is_below_half_and_only_when_all_together_do_not_suffice(near, far, kept, panics):
    zones = [zone("near", 0, near), zone("far", 10, far)]
    assert shares(zones)[0] == pytest.approx(kept, abs=0.001)
    made, random = Locality(), Random(1)
    chosen = [made.choose(zones, random) for _ in range(500)]
    assert {one.zone.name for one in chosen if one.panic} == panics


def test_zones_of_one_distance_share_by_capacity_and_health():
    assert shares([zone("a", 5, capacity=1), zone("b", 5, capacity=3)]) == pytest.approx([0.25, 0.75])
    assert shares([zone("a", 5), zone("b", 5, healthy=50)]) == pytest.approx([1 / 1.7, 0.7 / 1.7])


@pytest.mark.parametrize(
    ("zones", "left"),
    [
        ([zone("a", healthy=0), zone("b"), zone("c")], {"b", "c"}),  # 1.0 of a's circuits are tripped
        ([zone("a", healthy=1), zone("b"), zone("c")], {"a", "b", "c"}),  # 0.99 are: it stays
        ([zone("a", nodes=100_000, healthy=1), zone("b")], {"b"}),  # 0.99999 are
        ([zone("a", active=19), zone("b"), zone("c")], {"a", "b", "c"}),  # 0.19 for each server
        ([zone("a", active=20), zone("b"), zone("c")], {"b", "c"}),  # 0.2
        ([zone("a", active=20, healthy=100), zone("b", active=15, healthy=50)], {"a"}),  # 0.3 for each that works
        ([zone("a", active=900)], {"a"}),  # the only one
        ([zone("a", healthy=0), zone("b", active=900)], {"b"}),
    ],
)
def test_ribbons_zone_avoidance(zones, left):
    assert {one.name for one in available(zones, Random(1))} == left


def test_of_two_equally_loaded_worst_zones_ribbon_drops_one_by_chance():
    zones = [zone("a", active=50), zone("b", active=50), zone("c", active=10)]
    dropped = [frozenset("abc") - {one.name for one in available(zones, Random(seed))} for seed in range(200)]
    assert Counter(dropped).keys() == {frozenset("a"), frozenset("b")}


def test_ribbons_zones_share_by_instance_count():
    assert spread("zone-avoidance", [zone("a", nodes=30, healthy=30), zone("b", nodes=10, healthy=10)])["a"] == \
        pytest.approx(0.75, abs=0.03)  # fmt: skip


def test_nearest_round_robin_and_weighted():
    zones = [zone("a", 20, capacity=1), zone("b", 5, capacity=2), zone("c", 9, capacity=1, healthy=50)]
    assert spread("nearest", zones) == {"a": 0, "b": 1, "c": 0}
    assert spread("round-robin", zones, 3000) == pytest.approx({"a": 1 / 3, "b": 1 / 3, "c": 1 / 3})
    assert spread("weighted", zones) == pytest.approx({"a": 1 / 3.5, "b": 2 / 3.5, "c": 0.5 / 3.5}, abs=0.03)


@given(rule=st.sampled_from(RULES), seed=st.integers(0, 99),
       numbers=st.lists(st.tuples(st.integers(1, 20), st.integers(0, 20), st.integers(0, 50), st.integers(0, 3)), min_size=1,
                        max_size=6))  # fmt: skip
def test_a_rule_names_one_of_its_zones_and_a_healthy_one_while_there_is_one(rule, seed, numbers):
    zones = [zone(str(place), distance, min(healthy, nodes), nodes, active)
             for place, (nodes, healthy, active, distance) in enumerate(numbers)]  # fmt: skip
    healthy = [one for one in zones if one.healthy]
    if not healthy:
        return
    made, random = catalogue.zone_rule(rule)(), Random(seed)
    for _ in range(10):
        chosen = made.choose(zones if made.sees_all else healthy, random)
        assert chosen.zone in healthy
        assert chosen.reason
