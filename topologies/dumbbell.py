"""Senders and receivers around one bottleneck: for questions about flows that share a queue. It has no CDN."""

import sys

if "__file__" not in globals():  # stock `mn --custom` runs this file bare, from the project's folder
    sys.path.insert(0, "")

from topologies.emulator import setting
from topologies.emulator.topology import Topology, for_mininet


class Dumbbell(Topology):
    """N senders, N receivers, one bottleneck; each sender has an RTT of its own.

        sender1 --- rtts[0] ---\\                              /--- receiver1
        sender2 --- rtts[1] --- left ==== rate, queue ==== right --- receiver2
        senderN --- rtts[N] ---/                              \\--- receiverN

    Delay stands on the senders' links, which have `access` rate and a queue for their whole bandwidth-delay product;
    the bottleneck has rate and queue alone. So the two never entangle.
    """

    pairs = setting.count("2", "senders, and receivers", 1, 200)
    rtts = setting.durations("80ms", "round-trip time per sender, separated by commas; the last one serves the rest")
    rate = setting.rate("100mbit", "rate of the bottleneck")
    queue = setting.queue("bdp", "drop-tail queue of the bottleneck in bytes; bdp: rate x longest rtt")
    loss = setting.percentage("0%", "independent loss of the bottleneck")
    access = setting.rate("1gbit", "rate of the senders' links")

    def build(self) -> None:
        """Sender i is joined to receiver i only by name: any may talk to any."""
        rtts = [*self.rtts, *self.rtts[-1:] * self.pairs][: self.pairs]
        self.router("left")
        self.router("right")
        self.link("left", "right", self.shaped("left-right", 0, self.rate, self.queue, loss=self.loss,
                                               path_rtt_ms=max(rtts)))  # fmt: skip
        for number, rtt_ms in enumerate(rtts, 1):
            sender, receiver = self.host(f"sender{number}", "server"), self.host(f"receiver{number}", "client")
            self.link(sender, "left", self.shaped(f"{sender}-left", rtt_ms, self.access))
            self.cable("right", receiver)


topos, links = for_mininet("dumbbell", Dumbbell)
