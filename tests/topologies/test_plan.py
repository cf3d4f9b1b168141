"""The plan: addresses, names and routes, worked out before anything is built."""

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from topologies.emulator.plan import PlanError, PlannedLink, PlannedNode, plan, seed_of
from topologies.emulator.routes import first_links


def chain(*names):
    nodes = [PlannedNode(name, name.startswith("r"), name) for name in names]
    return nodes, [PlannedLink(a, b, (1.0,)) for a, b in pairwise(names)]


@st.composite
def networks(draw):
    """A connected network of routers with hosts hanging off them."""
    routers = [f"r{n}" for n in range(draw(st.integers(1, 7)))]
    links = [(routers[draw(st.integers(0, n - 1))], routers[n]) for n in range(1, len(routers))]
    if len(routers) > 2:
        pairs = st.tuples(st.sampled_from(routers), st.sampled_from(routers)).filter(lambda p: p[0] != p[1])
        links += draw(st.lists(pairs, max_size=5))
    hosts = [f"h{n}" for n in range(draw(st.integers(1, 4)))]
    links += [(draw(st.sampled_from(routers)), host) for host in hosts]
    costs = [(float(draw(st.integers(0, 9))), 1.0) for _ in links]
    nodes = [PlannedNode(name, name in routers, name) for name in [*routers, *hosts]]
    return nodes, [PlannedLink(a, b, cost) for (a, b), cost in zip(links, costs, strict=True)]


@given(networks())
@settings(max_examples=150)
def test_following_the_routes_hop_by_hop_reaches_every_node(network):
    nodes, links = network
    plans = plan(nodes, links)
    owner = {i.address: name for name, p in plans.items() for i in p.interfaces}
    for source in plans:
        for target in plans:
            at, hops = source, 0
            while at != target:
                wanted = plans[target].address
                routes = {destination: via for destination, via, _ in plans[at].routes}
                on_link = [i.peer_address for i in plans[at].interfaces if i.peer_address == wanted]
                default = plans[at].default[0] if plans[at].default else None
                via = on_link[0] if on_link else routes.get(wanted, default)
                assert via is not None, f"{at} has no way to {target}"
                at, hops = owner[via], hops + 1
                assert hops <= len(nodes), "the packet goes round in circles"


@given(networks())
@settings(max_examples=50)
def test_no_address_and_no_interface_name_is_used_twice(network):
    plans = plan(*network)
    interfaces = [i for p in plans.values() for i in p.interfaces]
    assert len({i.address for i in interfaces}) == len(interfaces) == len({i.mac for i in interfaces})
    for p in plans.values():
        names = [i.name for i in p.interfaces]
        assert len(set(names)) == len(names)
        assert all(len(name) <= 15 for name in names)


def test_hosts_have_eth0_and_a_default_route():
    plans = plan(*chain("h1", "r1", "h2"))
    assert plans["h1"].interfaces[0].name == "eth0"
    assert plans["h1"].default == (plans["r1"].interfaces[0].address, "eth0")
    assert plans["h1"].routes == []


def test_long_names_are_cut_and_still_differ():
    nodes = [PlannedNode("r1", True, "r1"), *(PlannedNode(f"h{n}", False, f"a-very-long-name-{n}") for n in (1, 2))]
    plans = plan(nodes, [PlannedLink("r1", "h1", (1.0,)), PlannedLink("r1", "h2", (1.0,))])
    assert [i.name for i in plans["r1"].interfaces] == ["to-a-very-long-", "to-a-very-lon-2"]


def test_a_link_to_a_node_that_is_none_names_the_nearest():
    nodes, links = chain("host1", "r1")
    with pytest.raises(PlanError, match=r"a link ends at hos1, which is no node; did you mean host1"):
        plan(nodes, [*links, PlannedLink("r1", "hos1", (1.0,))])


def test_hosts_carry_nobody_elses_packets():
    nodes, links = chain("h1", "h2", "h3")
    with pytest.raises(PlanError, match="h1 cannot reach h3"):
        plan(nodes, links)


def test_what_cannot_be_planned_is_said():
    with pytest.raises(PlanError, match="no link reaches h9"):
        plan([*chain("h1", "r1")[0], PlannedNode("h9", False, "h9")], chain("h1", "r1")[1])
    with pytest.raises(PlanError, match="same name"):
        plan([PlannedNode("h1", False, "h1")] * 2, [])


def test_the_cheapest_path_wins_and_ties_fall_to_the_lower_link_numbers():
    graph = {"a": [("b", (5.0,), 0), ("c", (1.0,), 1)], "b": [("a", (5.0,), 0), ("c", (1.0,), 2)],
             "c": [("a", (1.0,), 1), ("b", (1.0,), 2)]}  # fmt: skip
    assert first_links(graph, "a") == {"b": 1, "c": 1}
    tied = {"a": [("b", (1.0,), 3), ("b", (1.0,), 2)], "b": []}
    assert first_links(tied, "a") == {"b": 2}


def test_a_links_seed_depends_on_its_name_and_not_on_its_neighbours():
    assert seed_of(1, "a-b") != seed_of(1, "a-c")
    assert seed_of(1, "a-b") == seed_of(1, "a-b") != seed_of(2, "a-b")
