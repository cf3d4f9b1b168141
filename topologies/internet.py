"""A small internet of autonomous systems with three edge sites: for questions about who is sent where, and by what.

It is drawn so that routing and distance disagree for one of its clients; the daemons that steer are started by an experiment.
"""

import sys

if "__file__" not in globals():  # stock `mn --custom` runs this file bare, from the project's folder
    sys.path.insert(0, "")

from topologies.emulator import places, setting
from topologies.emulator.topology import Topology, for_mininet

ANYCAST = "192.0.2.1"
"""The address that every site has, of a block for documentation (RFC 5737). No node is known by it."""


class Internet(Topology):
    """Two transit providers and who joins them, a regional carrier, three edge sites, two client networks and a cloud.

                  sea (London) ================================ 153 ms =========
                     |                                                         \\\\
        cloud == west (London)                                         east (Singapore) -- resolver
          76 ms  /         \\\\                                           /     |        \\\\
         site.london      161 ms                             site.singapore  54 ms    70 ms
                               \\\\                                          |          \\\\
                            isp.chennai ========= 30 ms ========== india (Mumbai)   isp.tokyo
                                 |                                        |              |
                           client.chennai                              hosting      client.tokyo
                                                                          |
                                                                     site.mumbai

    Single lines have no delay; the cloud is in Virginia and has the origin and steering. Everybody is a customer of who stands
    above, and so is the cloud of west, and isp.chennai of west and of india. So to the client in Chennai the site in London is
    two networks away and the one in Mumbai three, though it is five times as near: an AS path counts networks, not kilometres.
    isp.chennai also tells the site in Mumbai, and nobody else, of its clients one by one, as an ISP does with an edge that
    serves it (the listener).
    """

    network = setting.choice("azure", "whose published round-trip times: aws, azure or ibm", *places.networks())
    rate = setting.rate("100mbit", "rate of each direction of every long link")

    def build(self) -> None:
        """Networks with their hosts, links, then who is whose customer."""
        for number, (router, place, *hosts) in enumerate((
            ("sea", "London"), ("cloud", "Virginia", "origin", "steering"), ("west", "London"),
            ("east", "Singapore", "resolver"), ("india", "Mumbai"), ("hosting", "Mumbai"), ("site.london", "London", "edge"),
            ("site.singapore", "Singapore", "edge"), ("site.mumbai", "Mumbai", "edge"),
            ("isp.chennai", "Chennai", "client"), ("isp.tokyo", "Tokyo", "client"),
        )):  # fmt: skip
            found = places.find(place)
            self.router(router, found)
            for host in hosts:
                self.cable(router, self.host(f"{host}.{found.slug}", host, found))
            self.system(router, 64501 + number, *(f"{host}.{found.slug}" for host in hosts))
        for provider, customer in (
            ("sea", "west"), ("sea", "east"), ("west", "cloud"), ("west", "site.london"), ("west", "isp.chennai"),
            ("east", "india"), ("east", "site.singapore"), ("east", "isp.tokyo"), ("india", "hosting"),
            ("india", "isp.chennai"), ("hosting", "site.mumbai"),
        ):  # fmt: skip
            self._join(provider, customer)
            self.peering(provider, customer, "customer")
        self.peering("isp.chennai", "site.mumbai", "listener")

    def _join(self, a: str, b: str) -> None:
        """A cable where both stand at one place; else a long link, over which nobody but its ends passes a client network."""
        one, other = (node.place for name in (a, b) for node in self.nodes_info if node.name == name)
        assert one is not None
        assert other is not None
        if one == other:
            self.cable(a, b)
            return
        rtt, name = places.rtt(one, other, self.network), f"{a}-{b}"
        through_clients = float(b.startswith("isp."))
        self.link(a, b, self.shaped(name, rtt.ms, self.rate), name=name, source=rtt.source, estimate=rtt.estimate,
                  cost=(through_clients, rtt.ms / 2, 1.0))  # fmt: skip


topos, links = for_mininet("internet", Internet)
