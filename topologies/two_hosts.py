"""Two hosts and one link: the smallest lab, for questions about a path alone. It has no router and no CDN."""

import sys

if "__file__" not in globals():  # stock `mn --custom` runs this file bare, from the project's folder
    sys.path.insert(0, "")

from topologies.emulator import setting
from topologies.emulator.topology import Topology, for_mininet


class TwoHosts(Topology):
    """Two hosts and one link.

        client [eth0] ======== rtt, rate, queue, loss, jitter ======== [eth0] server
    """

    rtt = setting.duration("80ms", "round-trip time, without serialisation")
    rate = setting.rate("100mbit", "rate of each direction")
    queue = setting.queue("bdp", "drop-tail queue of each direction in bytes; bdp: rate x rtt")
    loss = setting.percentage("0%", "independent loss of each direction")
    jitter = setting.duration("0ms", "half width of a uniform jitter of each direction; order is kept")
    mtu = setting.size("1500B", "largest IP packet")

    def build(self) -> None:
        """One link."""
        self.host("client", "client")
        self.host("server", "server")
        spec = self.shaped("client-server", self.rtt, self.rate, self.queue, loss=self.loss, jitter_ms=self.jitter,
                           mtu=self.mtu)  # fmt: skip
        self.link("client", "server", spec)


topos, links = for_mininet("two_hosts", TwoHosts)
