"""A network graph of the Shadow simulator, as real hosts: what was simulated there runs here. It is no Shadow: time is real."""

import sys

if "__file__" not in globals():  # stock `mn --custom` runs this file bare, from the project's folder
    sys.path.insert(0, "")

from itertools import combinations
from pathlib import Path

from topologies.emulator import changes, setting, shadow
from topologies.emulator.links.effects.jitter import Jitter
from topologies.emulator.links.effects.loss import Loss
from topologies.emulator.links.spec import Direction, LinkSpec, derived_queue, wire
from topologies.emulator.plan import seed_of
from topologies.emulator.topology import Topology, for_mininet

EXAMPLE = Path(shadow.__file__).parents[1] / "data" / "shadow_example.gml"




class ShadowGraph(Topology):
    """A site of one host and one router for each node of the graph (`per_node` of them, if more are asked for).

        node0 ==== up, down ==== net0 ======== latency, packet_loss ======== net1 ==== up, down ==== node1

    A host's bandwidth is its access link's. An edge has none, so each pair of sites may have a link of its own without sharing
    anything; hosts at one node are joined by that node's edge with itself. Packets go by least latency (in a directed graph by
    the mean of both directions). Shadow takes `jitter` and does nothing with it; here it is uniform, and order is kept.
    """

    graph = setting.text("example", "path of a GML file; example: topologies/data/shadow_example.gml")
    per_node = setting.count("1", "hosts at each node", 1, 50)
    queue = setting.queue("bdp", "drop-tail queue of a host's bandwidth, each way; bdp: bandwidth x longest round trip")

    def build(self) -> None:
        """Sites, then a link for each pair that an edge joins."""
        found = shadow.read(EXAMPLE if self.graph == "example" else Path(self.graph))
        rtt_ms = 2 * found.longest_ms()
        sites = {number: [f"node{number}" + (f".{one}" if self.per_node > 1 else "") for one in range(1, self.per_node + 1)]
                 for number in found.places}  # fmt: skip
        for number, place in found.places.items():
            if self.per_node > 1 and (number, number) not in found.ways:
                raise setting.SettingError(f"could not put {self.per_node} hosts at node {number}: the graph has no edge from "
                                           "it to itself, which would join them; add one, or use per_node=1")  # fmt: skip
            for site in sites[number]:
                self.host(site, "client")
                self.join(site, self.router(net(site)), self.access(place.up_bps, rtt_ms), self.access(place.down_bps, rtt_ms))
        for (source, target), way in found.ways.items():
            pairs = combinations(sites[source], 2) if source == target else (
                (a, b) for a in sites[source] for b in sites[target] if source < target)  # fmt: skip
            for a, b in pairs:
                self.join(net(a), net(b), edge(way), edge(found.ways[target, source]))

    def access(self, rate_bps: int, rtt_ms: float) -> Direction:
        """One direction of a host's bandwidth."""
        return Direction(0, rate_bps, self.queue or derived_queue(rate_bps, rtt_ms)[0])

    def join(self, a: str, b: str, there: Direction, back: Direction) -> None:
        """A link of these two directions."""
        name = f"{a}-{b}"
        with changes.explained(f"could not specify link {name}"):
            spec = LinkSpec(there, back, seed=seed_of(self.seed, name))
        self.link(a, b, spec, name=name, source=f"the graph {self.graph}")


def net(site: str) -> str:
    """The router of a site."""
    return site.replace("node", "net")


def edge(way: shadow.Way) -> Direction:
    """One direction of an edge: latency, jitter and loss, and no bandwidth of its own."""
    return Direction(way.latency_ms, None, derived_queue(None, 0)[0], wire(Loss(way.loss), Jitter(way.jitter_ms)))


topos, links = for_mininet("shadow_graph", ShadowGraph)
