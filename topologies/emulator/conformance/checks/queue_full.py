"""The round trip over a full drop-tail queue: what the queue holds, seen from outside."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import median

from topologies.emulator.conformance import chance
from topologies.emulator.conformance.bed import Bed
from topologies.emulator.conformance.check import Check, TooSlowError
from topologies.emulator.conformance.checks.rtt import echo_ms
from topologies.emulator.conformance.figure import Figure, around, ms
from topologies.emulator.conformance.play import every, play
from topologies.emulator.conformance.softnet import Softnet, standing
from topologies.emulator.links.spec import ETHERNET_HEADER, LinkSpec, symmetric
from units import show_bps, show_bytes, show_ms

BASE_MS = 20.0
OVERLOAD = 1.05
"""Of the rate, once the queue is full: enough to keep it so, and the least work for a slow machine."""
WITHIN = 0.05
SETTLE_S = 0.5
"""From the beginning, in which a slow machine hands over the first packets late and then catches up."""
FRAMES_AN_ECHO = 40
"""An echo for so many full packets: in a queue that counts packets it takes the place of one."""
APART_NS = 1_000_000
"""About so far apart packets are handed over, as many at once as there are: a slow machine could not overload a fast link by
handing over each by itself."""


PUNCTUAL = 90
"""Per cent of the load have to be handed over in time: what makes a sender late, others' work, makes echoes late too."""


def overloaded(bed: Bed, spec: LinkSpec, first: int, overload: float, settle_s: float, echoes: int, late_ms: float) -> float:
    """Median round trip, after `settle_s`, beside a flow from a to b: `first` full packets at once, then so many times the
    rate. Not a number when no echo comes back. Raises TooSlowError when this machine did not hand over the rate, or much of
    it by more than `late_ms` late, or kept frames waiting for so long before the link."""
    frame, rate_bps = spec.mtu + ETHERNET_HEADER, spec.a_to_b.rate_bps or 0
    packet_ns = frame * 8e9 / rate_bps / overload
    batch = max(1, round(APART_NS / packet_ns))
    gap_ns, settle_ns, echo_ns = batch * packet_ns, settle_s * 1e9, FRAMES_AN_ECHO * packet_ns
    handed_over_ns: list[int] = []

    def hand_over() -> None:
        flow.send(batch)
        handed_over_ns.append(time.monotonic_ns())

    def ask() -> None:
        echo.send()
        softnet.look()

    with bed.link(spec) as link, link.echo() as echo, link.flow("a_to_b", frame) as flow, Softnet() as softnet:
        turns = int((settle_ns + echoes * echo_ns) / gap_ns)
        # Echoes fall between the packets: right behind some that filled the queue they would be lost.
        began_ns = play([echo, flow], [(0, lambda: flow.send(first))], every(gap_ns, turns, hand_over),
                        every(echo_ns, echoes, ask, settle_ns + gap_ns / 2),
                        tail_s=2.0, done=lambda: echo.complete)  # fmt: skip
        offered_bps = turns * batch * frame * 8e9 / (flow.sent[-1] - flow.sent[first])
        if offered_bps < rate_bps:
            raise TooSlowError(f"this machine handed over {show_bps(offered_bps)} in packets of {frame} B; more than "
                               f"{show_bps(rate_bps)} are needed to keep the queue full")  # fmt: skip
        late_ns = [at - began_ns - turn * gap_ns for turn, at in enumerate(handed_over_ns)]
        late_ns = late_ns[int(settle_ns / gap_ns) :]
        if reason := stumbling(late_ns, late_ms) or standing(softnet.waiting, packet_ns * overload / 1e6, late_ms):
            raise TooSlowError(reason)
        return median(echo.times_ms() or [float("nan")])


def stumbling(late_ns: Sequence[float], late_ms: float) -> str:
    """Why a load whose parts were so late is no load to judge by: its tenth that was latest was so by more than `late_ms`."""
    found_ms = chance.percentile(late_ns, PUNCTUAL) / 1e6
    if found_ms <= late_ms:
        return ""
    return (f"this machine handed over a tenth of the packets at least {show_ms(found_ms)} late, and echoes likewise; "
            f"{show_ms(late_ms)} can be borne")  # fmt: skip


@dataclass(frozen=True)
class FullQueue(Check):
    """A queue in bytes or, if that is None, in packets."""

    rate_bps: int
    queue_bytes: int | None
    queue_packets: int | None
    echoes: int

    @property
    def what(self) -> str:
        """With its values."""
        held = f"{self.queue_packets} packets" if self.queue_bytes is None else show_bytes(self.queue_bytes)
        return f"ping under a full queue of {held}, {show_bps(self.rate_bps)}"

    def measure(self, bed: Bed) -> list[Figure]:
        """Half as much again as the queue holds comes at once, then more than the rate."""
        if self.rate_bps > 50_000_000:
            bed.needs(self.rate_bps)
        plain = symmetric(BASE_MS, self.rate_bps)
        spec = replace(plain, a_to_b=replace(plain.a_to_b, queue_bytes=self.queue_bytes, queue_packets=self.queue_packets))
        room = spec.a_to_b.room_bytes(spec.mtu)
        first = int(1.5 * room / (spec.mtu + ETHERNET_HEADER))
        due = echo_ms(spec) + room * 8e3 / self.rate_bps
        off = bed.tolerance.of_time(WITHIN * due, due)
        return [around("median", ms(due), overloaded(bed, spec, first, OVERLOAD, SETTLE_S, self.echoes, off / 2), due, off, ms)]


def checks(quick: bool) -> Sequence[Check]:
    """Small and large queues, in both kinds."""
    echoes = 30 if quick else 100
    usual = [FullQueue(10_000_000, 65_536, None, echoes), FullQueue(10_000_000, None, 60, echoes)]
    more = [FullQueue(100_000_000, 1 << 20, None, echoes), FullQueue(100_000_000, None, 1000, echoes)]
    return usual if quick else usual + more
