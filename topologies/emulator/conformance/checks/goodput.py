"""What one TCP flow carries in its steady state."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil

from topologies.emulator.conformance.bed import Bed
from topologies.emulator.conformance.check import Check
from topologies.emulator.conformance.figure import Figure, mbps
from topologies.emulator.links.spec import ETHERNET_HEADER, symmetric
from units import show_bps, show_ms

MTU = 1500
SEGMENT = MTU - 20 - 20 - 12
"""Payload of a full segment: IPv4, TCP and its timestamps taken off."""
EDGES_S = 0.004
"""The moments at which a window begins and ends are known within two milliseconds each."""


@dataclass(frozen=True)
class Goodput(Check):
    """One cubic flow, drop-tail queue of one bandwidth-delay product; counted at the receiver, bytes in order.

    It begins with a window of one bandwidth-delay product, which saves cubic's search for it (half a minute on a long, fast
    link); what is counted begins `warm_s` later.
    """

    rate_bps: int
    rtt_ms: float
    least: float
    warm_s: float
    window_s: float

    @property
    def what(self) -> str:
        """With its values."""
        return f"goodput of one flow, {show_bps(self.rate_bps)}, {show_ms(self.rtt_ms)}"

    def measure(self, bed: Bed) -> list[Figure]:
        """Bytes over the window."""
        if self.rate_bps > 50_000_000:
            bed.needs(self.rate_bps)
        spec = symmetric(self.rtt_ms, self.rate_bps, mtu=MTU)
        product = ceil(self.rate_bps / 8e3 * self.rtt_ms / (MTU + ETHERNET_HEADER))
        with bed.link(spec) as link, link.tcp(max(10, product)) as transfer:
            transfer.run(self.warm_s + self.window_s)
            achieved = transfer.goodput_bps(self.warm_s, self.warm_s + self.window_s)
        most = self.rate_bps * SEGMENT / (MTU + ETHERNET_HEADER)
        frame_bits = (MTU + ETHERNET_HEADER) * 8
        least = 1 - bed.tolerance.of_rate(1 - self.least)
        edges = EDGES_S / self.window_s + frame_bits / self.rate_bps / self.window_s
        above = 1 + max(edges, bed.tolerance.share)
        return [Figure("goodput", mbps(most), achieved, least * most, above * most, mbps,
                       f"{achieved / most:.2%} of what the rate leaves for payload, over {self.window_s:g} s")]  # fmt: skip


def checks(quick: bool) -> Sequence[Check]:
    """Rates and round trips of the table of goals; the fastest has a goal of its own."""
    if quick:
        return [Goodput(10_000_000, 20, 0.98, 1.5, 2.0)]
    usual = [Goodput(rate, rtt, 0.98, 4.0, 6.0) for rtt in (20, 150)
             for rate in (1_000_000, 10_000_000, 100_000_000, 500_000_000)]  # fmt: skip
    return [*usual, Goodput(1_000_000_000, 150, 0.95, 5.0, 6.0)]
