"""Pairs of hosts, each with a link of its own: one path several times, for repetitions at the same time. It has no CDN."""

import sys

if "__file__" not in globals():  # stock `mn --custom` runs this file bare, from the project's folder
    sys.path.insert(0, "")

from topologies.emulator import setting
from topologies.emulator.topology import Topology, for_mininet


class SideBySide(Topology):
    """Pairs that share nothing but the machine and a hub without limits. What is random draws for each link by itself.

        client1 [eth0] ======== rtt, rate, queue ======== hub --- server1
        client2 [eth0] ======== rtt, rate, queue ========  |  --- server2
    """

    pairs = setting.count("3", "pairs of a client and a server", 1, 100)
    rtt = setting.duration("80ms", "round-trip time of each, without serialisation")
    rate = setting.rate("100mbit", "rate of each direction")
    queue = setting.queue("bdp", "drop-tail queue of each direction in bytes; bdp: rate x rtt")

    def build(self) -> None:
        """One link a pair; data comes by its direction `hub>clientN`."""
        self.router("hub")
        for number in range(1, self.pairs + 1):
            client, server = self.host(f"client{number}", "client"), self.host(f"server{number}", "server")
            self.link(client, "hub", self.shaped(f"{client}-hub", self.rtt, self.rate, self.queue))
            self.cable("hub", server)

    def ends(self) -> list[tuple[str, str]]:
        """(client, server) of each pair."""
        return [(f"client{number}", f"server{number}") for number in range(1, self.pairs + 1)]


topos, links = for_mininet("side_by_side", SideBySide)
