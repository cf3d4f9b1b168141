"""Zones of regions: names, distances, sources of truth."""

import pytest

from topologies.zones import Zones


def test_two_zones_are_their_round_trip_apart_and_the_truth_half_of_it():
    world = Zones()
    assert world.names("cache") == ["cache1.az1.virginia", "cache1.az2.virginia", "cache1.az3.virginia"]
    assert world.path("app1.az1.virginia", "cache1.az1.virginia")[0] == 0
    assert world.path("app1.az1.virginia", "cache1.az3.virginia")[0] == 1
    assert world.path("app1.az1.virginia", "truth.virginia")[0] == 0.5


def test_regions_are_their_published_round_trip_apart_besides():
    world = Zones(regions="Virginia,Mumbai,Chennai", zones="1", far_zones="2", truths="every", zone_rtt="2ms")
    assert world.names("truth") == ["truth.virginia", "truth.mumbai", "truth.chennai"]
    assert world.names("app") == [f"app1.az{zone}" for zone in ("1.virginia", "1.mumbai", "2.mumbai", "1.chennai", "2.chennai")]
    assert world.path("app1.az1.virginia", "cache1.az2.mumbai")[0] == 201 + 2
    assert world.path("app1.az1.mumbai", "cache1.az1.chennai")[0] == 30 + 2


@pytest.mark.parametrize(("given", "words"), [({"regions": ""}, "name a place"), ({"regions": "Atlantis"}, "Atlantis"),
                                              ({"zones": "0"}, "from 1 to 20")])  # fmt: skip
def test_what_cannot_be_is_refused(given, words):
    with pytest.raises(ValueError, match=words):
        Zones(**given)
