"""A CDN over the world: an origin site, edge sites and client sites at places of the published tables.

It is shaped like Netflix's Open Connect; the daemons that make it one are started by an experiment, not here.
"""

import sys

if "__file__" not in globals():  # stock `mn --custom` runs this file bare, from the project's folder
    sys.path.insert(0, "")

from itertools import combinations

import units
from topologies.emulator import places, setting
from topologies.emulator.topology import Topology, for_mininet


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
    """

    origin = setting.text("Virginia", "place of the origin site")
    edges = setting.words("Mumbai", "places with edge sites, separated by commas; may be empty")
    clients = setting.words("Chennai", "places with clients, separated by commas")
    zones = setting.count("1", "availability zones of each edge site and of the origin site", 1, 10)
    edges_per_zone = setting.count("1", "edges in each zone", 1, 50)
    clients_per_place = setting.count("1", "clients at each place", 1, 200)
    network = setting.choice("azure", "whose published round-trip times: aws, azure or ibm", *places.networks())
    rtt = setting.words("", "round-trip times that replace the table's: Virginia/Mumbai=50ms, ...")
    rate = setting.rate("100mbit", "rate of each direction of every long link")
    queue = setting.queue("bdp", "drop-tail queue of each direction in bytes; bdp: rate x rtt of the link")
    loss = setting.percentage("0%", "independent loss of each direction of every long link")
    jitter = setting.duration("0ms", "half width of a uniform jitter of each direction; order is kept")
    detour = setting.words("", "clients that reach the origin through another region: Chennai/Mumbai, ... (one way)")
    routes = setting.choice("direct", "direct: the pair's own link; shortest: least delay", "direct", "shortest")

    def build(self) -> None:
        """Sites first, then a long link between each two regions."""
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
        replaced = self._replacements(regions)
        for a, b in combinations(regions, 2):
            self._long_link(a, b, replaced.get(frozenset((a, b))))
        for text in self.detour:
            self._detour(text, clients)

    def _site(self, place: places.Place, role: str, servers: int) -> None:
        for zone in (f"az{number}.{place.slug}" for number in range(1, self.zones + 1)):
            if not any(node.name == f"router.{zone}" for node in self.nodes_info):
                self.cable(f"router.{place.slug}", self.router(f"router.{zone}", place))
            for number in range(1, servers + 1):
                self.cable(f"router.{zone}", self.host(f"{role}{number}.{zone}", role, place))

    def _long_link(self, a: places.Place, b: places.Place, given_ms: float | None) -> None:
        known = places.rtt(a, b, self.network)
        rtt_ms, source = (known.ms, known.source) if given_ms is None else (given_ms, "set by the user")
        if warning := places.too_fast(a, b, rtt_ms):
            self.warnings.append(warning)
        name = f"{a.slug}-{b.slug}"
        spec = self.shaped(name, rtt_ms, self.rate, self.queue, loss=self.loss, jitter_ms=self.jitter)
        long_hops = 1.0 if self.routes == "direct" else 0.0
        self.link(f"router.{a.slug}", f"router.{b.slug}", spec, name=name, source=source,
                  estimate=known.estimate and given_ms is None, cost=(long_hops, rtt_ms / 2, 1.0))  # fmt: skip

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
