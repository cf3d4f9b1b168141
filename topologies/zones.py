"""Zones of regions with a cache and an application in each: for questions about copies, and what keeping them apart costs."""

import sys

if "__file__" not in globals():  # stock `mn --custom` runs this file bare, from the project's folder
    sys.path.insert(0, "")

from itertools import combinations

from topologies.emulator import places, setting
from topologies.emulator.topology import Topology, for_mininet


class Zones(Topology):
    """Regions joined by long links; in each zones, which are joined by short ones.

        cache1.az1.virginia   app1.az1.virginia
                       \\       /
                   router.az1.virginia
                           ||  half of zone_rtt
        truth.virginia - router.virginia ============ 201 ms ============ router.mumbai - truth.mumbai
                           ||                                                   ||
                   router.az2.virginia                                    router.az1.mumbai
                       /       \\                                           /       \\
        cache1.az2.virginia   app1.az2.virginia              cache1.az1.mumbai   app1.az1.mumbai

    Double lines are emulated; single lines are plain cables. Two zones of a region are `zone_rtt` apart, a zone and its
    region's source of truth half of that, and two regions their published RTT besides.
    """

    regions = setting.words("Virginia", "places of the regions, separated by commas; the first one has `zones` zones")
    zones = setting.count("3", "zones of the first region", 1, 20)
    far_zones = setting.count("1", "zones of each other region", 1, 20)
    caches = setting.count("1", "cache nodes in each zone", 1, 20)
    truths = setting.choice("first", "where a source of truth stands: in the first region, or in every", "first", "every")
    zone_rtt = setting.duration("1ms", "round-trip time between two zones of a region")
    zone_rate = setting.rate("1gbit", "rate of each direction between a zone and its region")
    network = setting.choice("azure", "whose published round-trip times: aws, azure or ibm", *places.networks())
    rate = setting.rate("100mbit", "rate of each direction of every long link")
    loss = setting.percentage("0%", "independent loss of each direction of every long link")

    def build(self) -> None:
        """Regions first, then a long link between each two."""
        try:
            regions = list(dict.fromkeys(places.find(name) for name in self.regions))
        except places.PlaceError as error:
            raise setting.SettingError(f"could not place a region: {error}") from None
        if not regions:
            raise setting.SettingError("could not set regions to nothing: there must be one; name a place")
        for number, place in enumerate(regions):
            self._region(place, self.far_zones if number else self.zones, number == 0 or self.truths == "every")
        for a, b in combinations(regions, 2):
            known, name = places.rtt(a, b, self.network), f"{a.slug}-{b.slug}"
            self.link(f"router.{a.slug}", f"router.{b.slug}", self.shaped(name, known.ms, self.rate, loss=self.loss), name=name,
                      source=known.source, estimate=known.estimate, cost=(1.0, known.ms / 2, 1.0))  # fmt: skip

    def _region(self, place: places.Place, zones: int, truth: bool) -> None:
        router = self.router(f"router.{place.slug}", place)
        if truth:
            self.cable(router, self.host(f"truth.{place.slug}", "truth", place))
        for zone in (f"az{number}.{place.slug}" for number in range(1, zones + 1)):
            self.router(f"router.{zone}", place)
            self.link(router, f"router.{zone}", self.shaped(zone, self.zone_rtt / 2, self.zone_rate), name=zone)
            for number in range(1, self.caches + 1):
                self.cable(f"router.{zone}", self.host(f"cache{number}.{zone}", "cache", place))
            self.cable(f"router.{zone}", self.host(f"app1.{zone}", "app", place))

    def names(self, role: str) -> list[str]:
        """The nodes with a role, in the order of regions and zones."""
        return [node.name for node in self.nodes_info if node.role == role]


topos, links = for_mininet("zones", Zones)
