"""The world: published round-trip times, names, routes between regions, and warnings."""

from ipaddress import ip_address

import pytest

from topologies.emulator import places
from topologies.open_connect import OpenConnect


def rtt(world, a, b):
    return world.path(a, b)[0]


def test_the_default_world_is_virginia_mumbai_chennai():
    world = OpenConnect()
    names = [node.name for node in world.nodes_info if node.role != "router"]
    assert names == ["origin1.az1.virginia", "edge1.az1.mumbai", "client1.chennai"]
    assert rtt(world, "client1.chennai", "edge1.az1.mumbai") == 30
    assert rtt(world, "edge1.az1.mumbai", "origin1.az1.virginia") == 201


def test_a_published_pair_is_never_detoured_unless_asked():
    # Virginia - Mumbai - Chennai is 231 ms in the table
    assert rtt(OpenConnect(), "client1.chennai", "origin1.az1.virginia") == 235
    assert rtt(OpenConnect(routes="shortest"), "client1.chennai", "origin1.az1.virginia") == 231


def test_a_detour_is_a_policy_and_one_way():
    world = OpenConnect(detour="Chennai/Mumbai")
    there, back = 30 / 2 + 201 / 2, 235 / 2
    assert rtt(world, "client1.chennai", "origin1.az1.virginia") == there + back
    ((source, target, via, name),) = world.plans["router.chennai"].policies
    assert (source, target) == (world.plans["client1.chennai"].address, world.plans["origin1.az1.virginia"].address)
    assert name == "to-mumbai"
    assert via in {i.address for i in world.plans["router.mumbai"].interfaces}


@pytest.mark.parametrize("text", ["Mumbai/Chennai", "Chennai", "Chennai/Tokyo", "Chennai/Virginia/Mumbai"])
def test_a_detour_must_be_one_that_exists(text):
    with pytest.raises(ValueError, match="could not"):
        OpenConnect(detour=text)


def test_zones_edges_and_clients_multiply():
    world = OpenConnect(edges="Mumbai,Singapore", zones="2", edges_per_zone="3", clients_per_place="2")
    edges = [node.name for node in world.nodes_info if node.role == "edge"]
    assert len(edges) == 12
    assert "edge3.az2.singapore" in edges
    assert [n.name for n in world.nodes_info if n.role == "client"] == ["client1.chennai", "client2.chennai"]
    assert world.plans["edge1.az2.mumbai"].interfaces[0].name == "eth0"


@pytest.mark.parametrize(("scale", "nodes"), [("small", 8), ("medium", 32), ("large", 200)])
def test_a_scale_has_so_many_nodes_and_each_part_of_it_may_be_set_otherwise(scale, nodes):
    assert len(OpenConnect(scale=scale).nodes_info) == nodes
    assert len(OpenConnect(scale="medium", clients_per_place="1").nodes_info) == 30


def test_zones_stand_apart_and_may_be_narrow():
    world = OpenConnect(zones="3", zone_rtts="1ms,2ms", zone_rate="50mbit")
    assert [world.path("client1.chennai", f"edge1.az{zone}.mumbai") for zone in (1, 2, 3)] == [
        (31.0, 50e6), (32.0, 50e6), (32.0, 50e6)]  # fmt: skip
    assert OpenConnect(zones="2").path("edge1.az1.mumbai", "edge1.az2.mumbai") == (0.0, None)


def test_balancers_stand_at_edge_sites_one_for_the_region_and_one_in_each_zone():
    def balancers(**settings):
        return [node.name for node in OpenConnect(**settings).nodes_info if node.role == "balancer"]

    assert balancers() == []
    assert balancers(balancers="regional", zones="2") == ["balancer.mumbai"]
    assert balancers(balancers="two-tier", zones="2") == ["balancer.az1.mumbai", "balancer.az2.mumbai", "balancer.mumbai"]
    with pytest.raises(ValueError, match="no edge site"):
        OpenConnect(balancers="regional", edges="")


TRANSIT = {"edges": "Mumbai", "clients": "Chennai,Tokyo", "transit": "Singapore", "peering": "Chennai/Mumbai",
           "rate": "400mbit", "transit_rate": "50mbit", "peering_rate": "200mbit"}  # fmt: skip


def ways(world, a, b):
    return [link.name for link, _ in world.hops(a, b) if link.spec.a_to_b.rate_bps]


def test_packets_take_peering_or_backbone_before_transit_and_no_third_network():
    world = OpenConnect(**TRANSIT)
    chennai, tokyo, edge, origin = "client1.chennai", "client1.tokyo", "edge1.az1.mumbai", "origin1.az1.virginia"
    assert ways(world, chennai, edge) == ["mumbai-chennai"]
    assert ways(world, edge, origin) == ["virginia-mumbai"]
    assert ways(world, chennai, origin) == ["chennai-transit.singapore", "virginia-transit.singapore"]
    assert ways(world, tokyo, chennai) == ["tokyo-transit.singapore", "chennai-transit.singapore"]
    assert world.path(chennai, edge) == (30.0, 200e6)
    assert world.path(edge, origin) == (201.0, 400e6)
    assert world.path(tokyo, edge)[1] == 50e6
    legs = [places.rtt(places.find(one), places.find("Singapore"), "azure").ms for one in ("Chennai", "Virginia")]
    assert world.path(chennai, origin)[0] == sum(legs), "a way by transit is the sum of two published ones"


def test_each_region_buys_transit_where_it_is_nearest():
    world = OpenConnect(**{**TRANSIT, "transit": "Singapore,Dallas"})
    assert {"virginia-transit.dallas", "tokyo-transit.singapore", "transit.singapore-transit.dallas"} <= set(world.specs)
    assert ways(world, "client1.tokyo", "origin1.az1.virginia") == [
        "tokyo-transit.singapore", "transit.singapore-transit.dallas", "virginia-transit.dallas"]  # fmt: skip


@pytest.mark.parametrize(("settings", "words"), [
    ({"peering": "Chennai/Mumbai"}, "without transit"),
    ({"transit": "Singapore", "peering": "Chennai"}, "not PLACE/PLACE"),
    ({"transit": "Singapore", "peering": "Chennai/Tokyo"}, "not PLACE/PLACE"),
    ({"transit": "Singapoor"}, "did you mean Singapore"),
    ({"scale": "huge"}, "none of small, medium, large"),
    ({"zones": "0"}, "from 1 to 10"),
    ({"zone_rtts": "1"}, "no unit"),
])  # fmt: skip
def test_what_cannot_be_of_transit_zones_and_scale_is_refused(settings, words):
    with pytest.raises(ValueError, match=words):
        OpenConnect(**settings)


def test_the_prefixes_of_a_network_are_those_of_its_clients_and_no_others():
    world = OpenConnect(clients="Chennai,Tokyo", clients_per_place="5")
    for place, other in (("Chennai", "Tokyo"), ("Tokyo", "Chennai")):
        own = world.prefixes(place)
        inside = {name for name, plan in world.plans.items() if any(ip_address(plan.address) in one for one in own)}
        assert {node.name for node in world.nodes_info if node.role == "client" and node.place.name == place} <= inside
        assert not any(one.overlaps(two) for one in own for two in world.prefixes(other))
    assert sum(one.num_addresses for one in world.prefixes("Chennai")) == 5 * 4


def test_a_place_may_hold_both_edges_and_clients():
    world = OpenConnect(edges="Mumbai", clients="Mumbai")
    assert rtt(world, "client1.mumbai", "edge1.az1.mumbai") == 0


def test_routers_call_their_interfaces_for_what_they_face():
    names = {i.name for i in OpenConnect().plans["router.mumbai"].interfaces}
    assert names == {"to-virginia", "to-chennai", "to-az1-mumbai"}


@pytest.mark.parametrize("spelling", ["sao paulo", "Sao-Paulo", " SAO  PAULO "])
def test_places_are_found_however_they_are_written(spelling):
    assert places.find(spelling).slug == "sao-paulo"


def test_a_pair_that_the_table_lacks_is_an_estimate_and_says_so():
    world = OpenConnect(clients="Madrid")
    link = next(link for link in world.links_info if link.name == "virginia-madrid")
    assert link.estimate
    assert "estimate" in link.source
    a, b = places.find("Virginia"), places.find("Madrid")
    assert link.spec.rtt_ms == pytest.approx(places.light_rtt_ms(a, b) * places.median_stretch("azure"), abs=0.06)
    assert not next(link for link in world.links_info if link.name == "virginia-mumbai").estimate


def test_networks_differ_and_are_chosen():
    assert rtt(OpenConnect(network="aws", clients="Singapore"), "edge1.az1.mumbai", "origin1.az1.virginia") == 181.932


def test_an_rtt_below_light_in_fibre_is_warned_of_with_both_figures():
    world = OpenConnect(rtt="Virginia/Mumbai=50ms")
    assert rtt(world, "edge1.az1.mumbai", "origin1.az1.virginia") == 50
    (warning,) = world.warnings
    assert "50 ms" in warning
    assert "131.3 ms" in warning
    assert not OpenConnect().warnings


def test_no_published_rtt_is_below_light_in_fibre():
    for network in places.networks():
        table = places._table()[network]
        by_name = {place.name: place for place in places.places().values()}
        assert not [pair for pair, (ms, _) in table.items() if places.too_fast(*(by_name[n] for n in pair), ms)]
    assert places.median_stretch("azure") == pytest.approx(1.77, abs=0.005), "as the data's README states"


def test_queues_follow_the_bandwidth_delay_product():
    link = next(link for link in OpenConnect(rate="50mbit").links_info if link.name == "virginia-mumbai")
    assert link.spec.a_to_b.queue_bytes == 50_000_000 / 8 * 0.201
    assert "50 Mbit/s x 201 ms" in link.spec.queue_rule


def test_socket_buffers_hold_four_products_of_the_two_longest_links():
    assert OpenConnect(rate="1gbit").buffer_bytes == round(4 * 1e9 / 8 * (0.235 + 0.201))
