"""The small internet: distances as published, paths that no client network carries for others, and routing against distance."""

import pytest

from topologies.emulator.plan import PlanError
from topologies.emulator.topology import Topology
from topologies.internet import Internet


@pytest.mark.parametrize(("a", "b", "rtt_ms"), [
    ("client.chennai", "edge.mumbai", 30), ("client.chennai", "edge.london", 161),
    ("client.chennai", "edge.singapore", 30 + 54), ("client.tokyo", "edge.singapore", 70),
    ("client.chennai", "steering.virginia", 161 + 76), ("edge.mumbai", "origin.virginia", 54 + 153 + 76),
])  # fmt: skip
def test_distances_are_the_published_ones_and_clients_carry_nothing_for_others(a, b, rtt_ms):
    assert Internet().path(a, b)[0] == rtt_ms == Internet().path(b, a)[0]


def networks_between(world, client, site):
    """The fewest networks that an AS path names from a client's network to a site: up to providers, then down."""
    up = {client: 0}
    for _ in world.peerings:
        for one in world.peerings:
            if one.relation == "customer" and one.b in up:
                up[one.a] = min(up.get(one.a, 99), up[one.b] + 1)
    down = dict(up)
    for _ in world.peerings:
        for one in world.peerings:
            if one.relation == "customer" and one.a in down:
                down[one.b] = min(down.get(one.b, 99), down[one.a] + 1)
    return down[site]


def test_for_chennai_the_site_with_the_shortest_path_is_not_the_nearest_and_for_tokyo_it_is():
    world = Internet()
    for place, by_path, by_distance in (("chennai", "london", "mumbai"), ("tokyo", "singapore", "singapore")):
        sites = ("london", "mumbai", "singapore")
        assert min(sites, key=lambda site: networks_between(world, f"isp.{place}", f"site.{site}")) == by_path
        assert min(sites, key=lambda site: world.path(f"client.{place}", f"edge.{site}")[0]) == by_distance


def test_only_systems_speak_bgp():
    class Alone(Topology):
        def build(self):
            self.router("a")
            self.cable("a", self.host("b"))
            self.peering("a", "b", "customer")

    with pytest.raises(PlanError, match="a is no autonomous system"):
        Alone()
