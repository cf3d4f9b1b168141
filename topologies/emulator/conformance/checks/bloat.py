"""The round trip beside one TCP flow that fills the queue: what a real sender, with all its kernel's cleverness, finds there.

It is not `queue_full.py`, whose datagrams nobody holds back. A link whose queue stands on its sender's own account looks right
there, and never fills here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from topologies.emulator.conformance import chance
from topologies.emulator.conformance.bed import Bed
from topologies.emulator.conformance.check import Check
from topologies.emulator.conformance.checks.rtt import echo_ms
from topologies.emulator.conformance.figure import Figure, ms
from topologies.emulator.conformance.play import every, play
from topologies.emulator.links.spec import symmetric
from units import show_bps, show_bytes

BASE_MS = 20.0
APART_NS = 20_000_000
SETTLE_NS = 1_000_000_000
LESS, MORE = 0.10, 0.05
"""Of the law base + 8 Q / rate, for the 95th percentile: cubic's window grows to the queue's end and falls by three tenths."""


@dataclass(frozen=True)
class Bloat(Check):
    """A drop-tail queue in bytes, one cubic flow, echoes beside it."""

    rate_bps: int
    queue_bytes: int
    seconds: float

    @property
    def what(self) -> str:
        """With its values."""
        return f"ping beside one TCP flow, queue of {show_bytes(self.queue_bytes)}, {show_bps(self.rate_bps)}"

    def measure(self, bed: Bed) -> list[Figure]:
        """After its slow start the flow keeps the queue between some seven tenths and all of its length."""
        plain = symmetric(BASE_MS, self.rate_bps)
        spec = replace(plain, a_to_b=replace(plain.a_to_b, queue_bytes=self.queue_bytes))
        with bed.link(spec) as link, link.echo() as echo, link.tcp() as transfer, transfer.running():
            play([echo], every(APART_NS, int(self.seconds * 1e9 / APART_NS), echo.send), tail_s=1.0)
            times = echo.times_ms(SETTLE_NS)
        due = echo_ms(spec) + spec.a_to_b.room_bytes(spec.mtu) * 8e3 / self.rate_bps
        off = bed.tolerance.of_time(LESS * due, due), bed.tolerance.of_time(MORE * due, due)
        seen = chance.percentile(times, 95) if times else float("nan")
        return [Figure("95th percentile", ms(due), seen, due - off[0], due + off[1], ms)]


def checks(quick: bool) -> Sequence[Check]:
    """A home's line; a faster one takes the suite's own processors from it."""
    return [Bloat(10_000_000, 128 << 10, 4.0 if quick else 10.0)]
