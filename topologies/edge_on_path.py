"""An edge on the way from a client to an origin: for questions about split connections. It has one of each, and no zones."""

import sys

if "__file__" not in globals():  # stock `mn --custom` runs this file bare, from the project's folder
    sys.path.insert(0, "")

from topologies.emulator import setting
from topologies.emulator.topology import Topology, for_mininet


class EdgeOnPath(Topology):
    """The edge stands beside the path: who goes straight to the origin has the whole of it, and no detour.

        client ======== near ======== router ======== far ======== origin
                                        |
                                       edge        (edge1, edge2, ... if more are asked for)
    """

    edges = setting.count("1", "edges at the router", 1, 50)

    near = setting.duration("20ms", "round-trip time between client and edge, without serialisation")
    far = setting.duration("150ms", "round-trip time between edge and origin, without serialisation")
    rate = setting.rate("100mbit", "rate of both links, each way")
    queue = setting.queue("bdp", "drop-tail queue of both links, each way; bdp: rate x the whole round trip")
    loss = setting.percentage("0%", "independent loss of the near link, each way")

    def build(self) -> None:
        """Two links and a cable."""
        self.host("client", "client")
        self.host("origin", "origin")
        self.router("router")
        whole = self.near + self.far
        self.link("client", "router", self.shaped("near", self.near, self.rate, self.queue, path_rtt_ms=whole, loss=self.loss),
                  name="near")  # fmt: skip
        self.link("router", "origin", self.shaped("far", self.far, self.rate, self.queue, path_rtt_ms=whole), name="far")
        for number in range(1, self.edges + 1):
            self.cable("router", self.host(f"edge{number}" if self.edges > 1 else "edge", "edge"))


topos, links = for_mininet("edge_on_path", EdgeOnPath)
