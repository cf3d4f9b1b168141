"""A CDN over the world: an origin site, edge sites and client sites at places of the published tables.

It is shaped like Netflix's Open Connect; the daemons that make it one are started by an experiment, not here.
"""

import sys

if "__file__" not in globals():  # stock `mn --custom` runs this file bare, from the project's folder
    sys.path.insert(0, "")

from ipaddress import IPv4Network, collapse_addresses
from itertools import combinations
from typing import Any

import units
from topologies.emulator import places, setting
from topologies.emulator.topology import Topology, for_mininet

SCALES: dict[str, dict[str, str]] = {
    "small": {},
    "medium": {"edges": "Mumbai,Frankfurt", "clients": "Chennai,Paris", "zones": "2", "edges_per_zone": "2",
               "clients_per_place": "2", "balancers": "two-tier", "zone_rtts": "1ms,2ms", "transit": "Singapore",
               "peering": "Chennai/Mumbai,Paris/Frankfurt"},
    "large": {"edges": "Mumbai,Singapore,Frankfurt,Sao Paulo,London,Tokyo,Sydney,California", "zones": "3",
              "clients": "Chennai,Dubai,Paris,Madrid,Hong Kong,Seoul,Toronto", "edges_per_zone": "2",
              "clients_per_place": "10", "balancers": "two-tier", "zone_rtts": "1ms,2ms,3ms",
              "transit": "Singapore,Frankfurt,Dallas,Tokyo",
              "peering": "Chennai/Mumbai,Dubai/Mumbai,Paris/Frankfurt,Madrid/London,Hong Kong/Singapore,Seoul/Tokyo,"
                         "Toronto/Virginia"},
}  # fmt: skip
"""What a scale sets; each of it may be set otherwise beside it."""

DIRECT, UP_OR_DOWN, BETWEEN = 1.0, 0.75, 0.1
"""What links cost where there is transit: the pair's own link (backbone, peering), a transit link, one between two transit
routers. So a pair's own link comes before transit, and transit before the way through a third network's links, which carry
nothing for others (L. Gao, "On Inferring Autonomous System Relationships in the Internet", 2001: valley-free)."""


class OpenConnect(Topology):
    """Regions joined by long links; in a region zones with servers, or clients.

        origin1.az1.virginia                                                      client1.chennai
                |                                                                       |
        router.az1.virginia --- router.virginia ======== 235 ms ======== router.chennai-+
                                       \\\\                                //
                                       201 ms                        30 ms
                                           \\\\                        //
                                             ==== router.mumbai ====
                                                       |
                                               router.az1.mumbai --- edge1.az1.mumbai

    Double lines are emulated; single lines are plain cables. Every pair of regions has a link of its own with its
    published RTT, and packets between two regions take it even where a detour would be shorter (Virginia - Mumbai -
    Chennai is 231 ms in the table, Virginia - Chennai 235): the table is of paths, not of cables. `routes=shortest`
    takes the detour; `detour` sends the packets of some clients to the origin through a region, by policy.

    It grows by settings: more regions, zones and nodes; `zone_rtts` puts zones apart; `balancers` adds hosts for them:

        router.mumbai --- balancer.mumbai                          one for the region
          |       |
          |1 ms   |2 ms       each zone: router.az1.mumbai --- edge1.az1.mumbai, edge2.az1.mumbai, balancer.az1.mumbai
         az1     az2

    With `transit`, places that have clients alone are networks that buy transit, and only origin and edge sites have a backbone
    of links between each two of them. Packets take the pair's own link where there is one, else go by transit:

        chennai ------ peering, 30 ms ------ mumbai ===== backbone ===== virginia
           \\_____ transit ____ router.transit.singapore ____ transit ____//
    """

    scale = setting.choice("small", "small: the settings below; medium: 32 nodes in 5 regions; large: 200 in 16", *SCALES)
    origin = setting.text("Virginia", "place of the origin site")
    edges = setting.words("Mumbai", "places with edge sites, separated by commas; may be empty")
    clients = setting.words("Chennai", "places with clients, separated by commas")
    zones = setting.count("1", "availability zones of each edge site and of the origin site", 1, 10)
    zone_rtts = setting.durations("0ms", "round-trip time from a site's router to each of its zones; the last serves the rest")
    zone_rate = setting.rate("unlimited", "rate of each direction of the links to zones")
    balancers = setting.choice("none", "hosts for balancers at edge sites: none; regional: one at each; two-tier: one in each "
                               "zone too", "none", "regional", "two-tier")  # fmt: skip
    edges_per_zone = setting.count("1", "edges in each zone", 1, 50)
    clients_per_place = setting.count("1", "clients at each place", 1, 200)
    network = setting.choice("azure", "whose published round-trip times: aws, azure or ibm", *places.networks())
    rtt = setting.words("", "round-trip times that replace the table's: Virginia/Mumbai=50ms, ...")
    rate = setting.rate("100mbit", "rate of each direction of every long link")
    queue = setting.queue("bdp", "drop-tail queue of each direction in bytes; bdp: rate x rtt of the link")
    loss = setting.percentage("0%", "independent loss of each direction of every long link")
    jitter = setting.duration("0ms", "half width of a uniform jitter of each direction; order is kept")
    transit = setting.words("", "places of transit routers, each for what is nearest; empty: a link between each two regions")
    transit_rate = setting.rate("100mbit", "rate of each direction of every transit link")
    peering = setting.words("", "pairs with a link of their own beside transit: Chennai/Mumbai, ...")
    peering_rate = setting.rate("100mbit", "rate of each direction of every peering link")
    detour = setting.words("", "clients that reach the origin through another region: Chennai/Mumbai, ... (one way)")
    routes = setting.choice("direct", "direct: the pair's own link; shortest: least delay", "direct", "shortest")

    def __init__(self, **given: Any) -> None:
        super().__init__(**{**SCALES.get(str(given.get("scale")), {}), **given})

    def build(self) -> None:
        """Sites first, then the long links."""
        origin, edges, clients = self._find([self.origin])[0], self._find(self.edges), self._find(self.clients)
        if not clients:
            raise setting.SettingError("could not set clients to nothing: an experiment needs at least one place; name one")
        regions = list(dict.fromkeys([origin, *edges, *clients]))
        for place in regions:
            self.router(f"router.{place.slug}", place)
        self._site(origin, "origin", 1)
        for place in edges:
            self._site(place, "edge", self.edges_per_zone)
        for place in clients:
            for number in range(1, self.clients_per_place + 1):
                self.cable(f"router.{place.slug}", self.host(f"client{number}.{place.slug}", "client", place))
        if self.balancers != "none" and not edges:
            raise setting.SettingError(f"could not set balancers to {self.balancers}: there is no edge site; name one in edges")
        self._join(regions, list(dict.fromkeys([origin, *edges])))
        for text in self.detour:
            self._detour(text, clients)

    def prefixes(self, place: str) -> list[IPv4Network]:
        """The prefixes of the network at a place: those that its clients' addresses make up, and no others'."""
        slug = places.find(place).slug
        own = [i.address for name, plan in self.plans.items() for i in plan.interfaces
               if any(node.name == name and node.role == "client" and node.place and node.place.slug == slug
                      for node in self.nodes_info)]  # fmt: skip
        return list(collapse_addresses(IPv4Network(f"{address}/30", strict=False) for address in own))

    def _site(self, place: places.Place, role: str, servers: int) -> None:
        rtts = [*self.zone_rtts, *self.zone_rtts[-1:] * self.zones]
        for zone, rtt_ms in ((f"az{number}.{place.slug}", rtts[number - 1]) for number in range(1, self.zones + 1)):
            if not any(node.name == f"router.{zone}" for node in self.nodes_info):
                above, below = f"router.{place.slug}", self.router(f"router.{zone}", place)
                if rtt_ms or self.zone_rate:
                    self.link(above, below, self.shaped(f"{above}-{below}", rtt_ms, self.zone_rate))
                else:
                    self.cable(above, below)
            for number in range(1, servers + 1):
                self.cable(f"router.{zone}", self.host(f"{role}{number}.{zone}", role, place))
            if role == "edge" and self.balancers == "two-tier":
                self.cable(f"router.{zone}", self.host(f"balancer.{zone}", "balancer", place))
        if role == "edge" and self.balancers != "none":
            self.cable(f"router.{place.slug}", self.host(f"balancer.{place.slug}", "balancer", place))

    def _join(self, regions: list[places.Place], servers: list[places.Place]) -> None:
        """The long links: between each two regions, or a backbone, peering and transit."""
        hubs = self._find(self.transit)
        replaced = self._replacements([*regions, *hubs])
        peers = [self._peers(text, regions) for text in self.peering]
        rates = dict.fromkeys(map(frozenset, combinations(servers if hubs else regions, 2)), self.rate)
        rates |= dict.fromkeys(peers, self.peering_rate)
        for a, b in combinations(regions, 2):
            if frozenset((a, b)) in rates:
                self._long_link(a, b, a.slug, b.slug, rates[frozenset((a, b))], DIRECT, replaced)
        for hub in hubs:
            self.router(f"router.transit.{hub.slug}", hub)
        for a, b in combinations(hubs, 2):
            self._long_link(a, b, f"transit.{a.slug}", f"transit.{b.slug}", self.transit_rate, BETWEEN, replaced)
        for place in regions if hubs else ():
            hub = min(hubs, key=lambda hub: places.rtt(place, hub, self.network).ms)
            self._long_link(place, hub, place.slug, f"transit.{hub.slug}", self.transit_rate, UP_OR_DOWN, replaced)

    def _long_link(
        self, a: places.Place, b: places.Place, near: str, far: str, rate_bps: int | None, cost: float,
        replaced: dict[frozenset[places.Place], float],
    ) -> None:  # fmt: skip
        known, given_ms = places.rtt(a, b, self.network), replaced.get(frozenset((a, b)))
        rtt_ms, source = (known.ms, known.source) if given_ms is None else (given_ms, "set by the user")
        if warning := places.too_fast(a, b, rtt_ms):
            self.warnings.append(warning)
        name = f"{near}-{far}"
        spec = self.shaped(name, rtt_ms, rate_bps, self.queue, loss=self.loss, jitter_ms=self.jitter)
        self.link(f"router.{near}", f"router.{far}", spec, name=name, source=source,
                  estimate=known.estimate and given_ms is None,
                  cost=(cost if self.routes == "direct" else 0.0, rtt_ms / 2, 1.0))  # fmt: skip

    def _peers(self, text: str, regions: list[places.Place]) -> frozenset[places.Place]:
        ends = self._find(text.split("/"))
        if len(ends) != 2 or not set(ends) <= set(regions):
            raise setting.SettingError(f"could not set peering to '{text}': it is not PLACE/PLACE; write two places of this "
                                       "topology, for example Chennai/Mumbai")  # fmt: skip
        if not self.transit:
            raise setting.SettingError(f"could not set peering to '{text}': without transit each two regions have a link of "
                                       "their own; set transit too, or leave peering out")  # fmt: skip
        return frozenset(ends)

    def _detour(self, text: str, clients: list[places.Place]) -> None:
        ends = self._find(text.split("/"))
        if len(ends) != 2 or ends[0] not in clients:
            raise setting.SettingError(f"could not set detour to '{text}': it is not CLIENTS/REGION; write two places of this "
                                       "topology, the first one with clients, for example Chennai/Mumbai")  # fmt: skip
        here, there = ends
        origins = [node.name for node in self.nodes_info if node.role == "origin"]
        for client in [node.name for node in self.nodes_info if node.role == "client" and node.place == here]:
            for origin in origins:
                self.policy(f"router.{here.slug}", client, origin, f"router.{there.slug}")

    def _find(self, names: list[str] | tuple[str, ...]) -> list[places.Place]:
        try:
            return list(dict.fromkeys(places.find(name) for name in names))
        except places.PlaceError as error:
            raise setting.SettingError(f"could not place a site: {error}") from None

    def _replacements(self, regions: list[places.Place]) -> dict[frozenset[places.Place], float]:
        found = {}
        for text in self.rtt:
            pair, equals, value = text.partition("=")
            ends = self._find(pair.split("/"))
            if not equals or len(ends) != 2 or not set(ends) <= set(regions):
                raise setting.SettingError(f"could not set rtt to '{text}': write PLACE/PLACE=DURATION with two places "
                                           "of this topology, for example Virginia/Mumbai=50ms")  # fmt: skip
            try:
                found[frozenset(ends)] = units.milliseconds(value)
            except units.UnitError as error:
                raise setting.SettingError(f"could not set rtt to '{text}': {error}") from None
        return found


topos, links = for_mininet("open_connect", OpenConnect)
