"""Both layers together, with health: where requests go when nodes die, drain, return. Time and chance are given."""

from __future__ import annotations

from collections import Counter
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nodes.balancer import catalogue
from nodes.balancer.balance import Balance, Settings
from nodes.balancer.members import merged, parse


def data(zones: int = 2, each: int = 3) -> dict:
    return {"zones": {f"az{z}": {"distance": f"{z}ms"} for z in range(zones)},
            "nodes": {f"n{z}{n}": {"zone": f"az{z}", "url": f"http://10.0.{z}.{n}:80"} for z in range(zones)
                      for n in range(each)}}  # fmt: skip


def balance(zones: int = 2, each: int = 3, **more) -> Balance:
    return Balance(parse(data(zones, each)), Settings(**more), Random(1), 0.0)


def where(made: Balance, now_s: float = 0.0, times: int = 60) -> dict[str, int]:
    return dict(Counter(placed.node.name for n in range(times) if (placed := made.place(f"/{n}", now_s)) is not None))


def down(made: Balance, *names: str) -> None:
    for name in names:
        for _ in range(made.settings.fall):
            made.checked(name, 0.0, ok=False)


def fail(made: Balance, name: str, now_s: float, times: int = 5) -> None:
    for _ in range(times):
        made.answered(made.by_name[name], now_s, 0.1, ok=False)


def test_a_zone_then_a_node_of_it_with_both_reasons():
    placed = balance().place("/a", 0.0)
    assert (placed.node.zone, placed.reason) == ("az0", "nearest")
    assert where(balance()) == {"n00": 20, "n01": 20, "n02": 20}


def test_a_node_that_is_down_gets_nothing_and_a_dead_zones_traffic_goes_to_the_next():
    made = balance()
    down(made, "n00")
    assert where(made) == {"n01": 30, "n02": 30}
    assert made.health(made.by_name["n00"]) == "down"
    down(made, "n01", "n02")
    assert set(where(made)) == {"n10", "n11", "n12"}
    made.checked("n01", 1.0, ok=True)
    made.checked("n01", 1.0, ok=True)
    assert set(where(made, 1.0)) == {"n01"}


def test_an_ejected_node_returns_by_itself_after_30_s():
    made = balance()
    fail(made, "n00", 0.0)
    assert made.health(made.by_name["n00"]) == "ejected"
    assert set(where(made, 29.9)) == {"n01", "n02"}
    assert set(where(made, 30.0)) == {"n00", "n01", "n02"}


@pytest.mark.parametrize("zone_rule", catalogue.zone_rule_names())
def test_when_all_are_down_all_are_used_and_the_reason_says_so(zone_rule):
    made = balance(zone_rule=zone_rule)
    down(made, *made.by_name)
    placed = made.place("/a", 0.0)
    assert placed.reason == "all down"
    assert where(made)
    assert made.elsewhere("/a", 0.0, placed).node != placed.node


def test_draining_nodes_get_nothing_even_when_all_others_are_down():
    made = balance(zones=1)
    made.replace(merged(made.members, {"nodes": {"n00": {"drain": True}}}), 0.0)
    assert made.health(made.by_name["n00"]) == "draining"
    down(made, "n01", "n02")
    assert set(where(made)) == {"n01", "n02"}
    made.replace(merged(made.members, {"nodes": {"n01": {"drain": True}, "n02": {"drain": True}}}), 0.0)
    assert made.place("/a", 0.0) is None


def test_what_is_known_of_a_node_outlives_a_change_unless_its_address_changes():
    made = balance()
    down(made, "n00")
    made.began(made.by_name["n00"])
    made.replace(merged(made.members, {"nodes": {"n01": {"weight": 3}, "n02": None}}), 1.0)
    assert made.health(made.by_name["n00"]) == "down"
    assert (made.by_name["n00"].state.active, made.zones()[0].active) == (1, 1)
    assert set(where(made, 1.0)) == {"n01"}
    made.replace(merged(made.members, {"nodes": {"n00": {"url": "http://10.9.9.9"}}}), 1.0)
    assert made.health(made.by_name["n00"]) == "up"


def test_a_request_that_began_before_a_change_ends_after_it():
    made = balance()
    member = made.by_name["n00"]
    made.began(member)
    made.replace(merged(made.members, {"nodes": {"n00": {"zone": "az1"}}}), 1.0)
    assert [zone.active for zone in made.zones()] == [1, 0] or [zone.active for zone in made.zones()] == [0, 1]
    made.ended(member)
    assert [zone.active for zone in made.zones()] == [0, 0]
    made.replace(merged(made.members, {"nodes": {"n00": None}}), 1.0)
    made.answered(member, 2.0, 0.1, ok=False)  # it is no member any more, and nobody minds


def test_slow_start_gives_a_returning_node_a_tenth_then_more_then_all():
    made = balance(zones=1, slow_start_s=10.0)
    assert where(made, times=300) == {"n00": 100, "n01": 100, "n02": 100}  # not at the beginning
    down(made, "n00")
    for _ in range(2):
        made.checked("n00", 100.0, ok=True)
    assert made.health(made.by_name["n00"]) == "slow-start"
    assert where(made, 100.0, 3000)["n00"] == pytest.approx(3000 * 0.1 / 2.1, abs=50)
    assert where(made, 105.0, 3000)["n00"] == pytest.approx(3000 * 0.5 / 2.5, abs=80)
    assert where(made, 110.0, 3000)["n00"] == 1000
    assert made.health(made.by_name["n00"]) == "up"


def test_a_second_try_goes_to_another_node_and_in_a_zone_in_trouble_to_another_zone():
    made = balance()
    placed = made.place("/a", 0.0)
    second = made.elsewhere("/a", 0.0, placed)
    assert (second.node.zone, second.reason) == ("az0", "retry")
    assert second.node != placed.node
    fail(made, placed.node.name, 0.0, 1)
    fail(made, second.node.name, 0.0, 1)
    assert made.elsewhere("/a", 0.0, placed).reason == "retry in another zone"
    alone = balance(1, 1)
    assert alone.elsewhere("/a", 0.0, alone.place("/a", 0.0)) is None


@pytest.mark.parametrize("node_rule", catalogue.node_rule_names())
@settings(max_examples=12, deadline=None)
@given(zone_rule=st.sampled_from(catalogue.zone_rule_names()), seed=st.integers(0, 99),
       events=st.lists(st.tuples(st.sampled_from(["place", "end", "up", "down", "fail", "drain", "undrain", "weight", "later"]),
                                 st.integers(0, 5)), max_size=40))  # fmt: skip
def test_whatever_happens_requests_go_to_healthy_nodes_while_there_are_any(node_rule, zone_rule, seed, events):
    if node_rule == "maglev":
        events = events[:6]  # each change makes a table
    made, now_s, running = Balance(parse(data()), Settings(zone_rule, node_rule, 1, 1, 5.0), Random(seed), 0.0), 0.0, []
    for event, number in events:
        name = sorted(made.by_name)[number]
        if event == "place":
            placed = made.place(f"/{number}", now_s)
            states = Counter(made.health(member) for member in made.by_name.values())
            taking = len(made.by_name) - states["draining"]
            assert (placed is None) == (taking == 0)
            if placed is not None:
                health = made.health(placed.member)
                assert health != "draining"
                healthy = states["up"] + states["slow-start"]
                if healthy == taking or (healthy and zone_rule != "locality"):  # whose panic uses the others too
                    assert health in ("up", "slow-start")
                made.began(placed.member)
                running.append(placed.member)
        elif event == "end" and running:
            member = running.pop()
            made.answered(member, now_s, 0.1, ok=True, utilisation=0.5)
            made.ended(member)
        elif event in ("up", "down"):
            made.checked(name, now_s, ok=event == "up")
        elif event == "fail":
            fail(made, name, now_s)
        elif event in ("drain", "undrain", "weight"):
            change = {"weight": number + 1} if event == "weight" else {"drain": event == "drain"}
            made.replace(merged(made.members, {"nodes": {name: change}}), now_s)
        elif event == "later":
            now_s += 10.0 * number
        assert sum(zone.active for zone in made.zones()) == len(running)
