"""The largest packet that passes."""

from __future__ import annotations

import errno
from collections.abc import Sequence
from dataclasses import dataclass, replace

from topologies.emulator.conformance.bed import Bed, Link
from topologies.emulator.conformance.check import Check
from topologies.emulator.conformance.figure import Figure, count
from topologies.emulator.conformance.play import play
from topologies.emulator.links.spec import ETHERNET_HEADER, symmetric

RATE_BPS = 100_000_000
PACKETS = 10


def passed(link: Link, size_bytes: int) -> int:
    """How many of ten packets of so many bytes, not to be fragmented, arrive."""
    with link.flow("a_to_b", size_bytes + ETHERNET_HEADER) as flow:
        try:
            for _ in range(PACKETS):
                flow.send()
        except OSError as error:
            if error.errno != errno.EMSGSIZE:
                raise
        play([flow], tail_s=0.5, done=lambda: bool(flow.sent) and flow.complete)
        return len(flow.arrived)


@dataclass(frozen=True)
class Mtu(Check):
    """A packet of so many bytes passes; with one byte more it does not, since it may not be fragmented."""

    mtu: int

    @property
    def what(self) -> str:
        """With its value."""
        return f"MTU {self.mtu} B"

    def measure(self, bed: Bed) -> list[Figure]:
        """Ten packets of each size."""
        with bed.link(replace(symmetric(20, RATE_BPS, 1 << 20), mtu=self.mtu)) as link:
            fitting, above = passed(link, self.mtu), passed(link, self.mtu + 1)
        return [Figure(f"arrived, {self.mtu} B", f"{PACKETS} of {PACKETS}", fitting, PACKETS, PACKETS, count),
                Figure(f"arrived, {self.mtu + 1} B", "none", above, 0, 0, count)]  # fmt: skip


def checks(quick: bool) -> Sequence[Check]:
    """The usual, one smaller, a jumbo."""
    return [Mtu(mtu) for mtu in ((1500,) if quick else (1500, 1280, 9000))]
