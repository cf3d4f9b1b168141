"""Changes of a running link: rate, delay and loss take effect at once, and nothing that waits is lost."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import median

from topologies.emulator.conformance.bed import Bed
from topologies.emulator.conformance.chance import binomial, percentile
from topologies.emulator.conformance.check import Check
from topologies.emulator.conformance.checks.down_up import between_clocks_ns
from topologies.emulator.conformance.checks.rtt import allowed_ms
from topologies.emulator.conformance.figure import Figure, around, count, ms, none
from topologies.emulator.conformance.flow import SMALLEST
from topologies.emulator.conformance.play import every, play, steady
from topologies.emulator.conformance.stream import BATCH, RATE_BPS, one_way, overtakers
from topologies.emulator.links.effects.effect import percent
from topologies.emulator.links.effects.loss import Loss
from topologies.emulator.links.spec import symmetric, wire
from units import show_bps, show_ms

FRAME = 1514


def due_ms(first_ms: float, changed_ms: float, bits: int, before_bps: float, after_bps: float, frames: int) -> list[float]:
    """When each of the frames that wait leaves the queue, the first at `first_ms`: what is left of the one being sent at the
    change, and all after it, take the new rate."""
    left, found = first_ms, [first_ms]
    for _ in range(frames - 1):
        slow = left + bits * 1e3 / before_bps
        if slow > changed_ms:
            rest = bits - max(0.0, changed_ms - left) * before_bps / 1e3
            slow = max(left, changed_ms) + rest * 1e3 / after_bps
        left = slow
        found.append(left)
    return found


@dataclass(frozen=True)
class ChangeOfRate(Check):
    """A queue of full packets is drained, at another rate from some moment on."""

    before_bps: int
    after_bps: int
    packets: int

    @property
    def what(self) -> str:
        """With its values."""
        return f"rate {show_bps(self.before_bps)} to {show_bps(self.after_bps)} while {self.packets} packets wait"

    def measure(self, bed: Bed) -> list[Figure]:
        """Each arrival against the moment that follows from the first arrival and the moment of the change."""
        spec = symmetric(20, self.before_bps, 2 * self.packets * FRAME)
        moments: list[int] = []
        faster = replace(spec.a_to_b, rate_bps=self.after_bps)
        with bed.link(spec) as link, link.flow() as flow:
            play([flow], [(0, lambda: flow.send(self.packets)),
                          (100_000_000, lambda: moments.append(link.change(a_to_b=faster)))],
                 tail_s=1 + self.packets * FRAME * 8 / self.before_bps, done=lambda: flow.complete)  # fmt: skip
        if flow.lost:
            return [none("packets lost", flow.lost)]
        begin = flow.arrived[0][1]
        changed_ms = (moments[0] + between_clocks_ns() - begin) / 1e6 + spec.a_to_b.delay_ms
        due = due_ms(0.0, changed_ms, FRAME * 8, self.before_bps, self.after_bps, self.packets)
        off = [abs((at - begin) / 1e6 - one) for (_, at), one in zip(flow.arrived, due, strict=True)]
        return [
            Figure("p99 from its moment", ms(0), percentile(off, 99), None, bed.tolerance.of_time(0.8, due[-1]), ms),
            none("packets lost", flow.lost),
        ]


@dataclass(frozen=True)
class ChangeOfDelay(Check):
    """A packet every millisecond meets one delay, then a longer one, then the first again."""

    before_ms: float
    after_ms: float

    @property
    def what(self) -> str:
        """With its values."""
        return f"delay {show_ms(self.before_ms)} to {show_ms(self.after_ms)} and back"

    def measure(self, bed: Bed) -> list[Figure]:
        """When the delay falls, packets wait for those under way: the order is kept, so these few do not count."""
        spec = symmetric(2 * self.before_ms, RATE_BPS, 1 << 20)
        moments: list[int] = []
        way, clocks = spec.a_to_b, between_clocks_ns()
        with bed.link(spec) as link, link.flow("a_to_b", SMALLEST) as flow:
            play([flow], every(1e6, 900, flow.send),
                 [(300_000_000, lambda: moments.append(link.change(a_to_b=replace(way, delay_ms=self.after_ms)))),
                  (600_000_000, lambda: moments.append(link.change(a_to_b=way)))],
                 tail_s=0.5, done=lambda: flow.complete)  # fmt: skip
        near = bed.tolerance.of_time(2.0, 0) * 1e6
        first, second = (moment + clocks for moment in moments)
        again = second + near + (self.after_ms - self.before_ms) * 1e6
        wire_ms = SMALLEST * 8e3 / RATE_BPS
        found = []
        for name, delay_ms, begin, end in (
            ("before", self.before_ms, 0.0, first - near), ("after", self.after_ms, first + near, second - near),
            ("back again", self.before_ms, again, float("inf")),
        ):  # fmt: skip
            times = [time_ms for number, time_ms in flow.times_ms() if begin <= flow.sent[number] < end]
            found.append(around(name, ms(delay_ms + wire_ms), median(times) if times else float("nan"), delay_ms + wire_ms,
                                allowed_ms(bed, delay_ms), ms))  # fmt: skip
        return [*found, none("lost", flow.lost), none("out of order", overtakers(flow))]


@dataclass(frozen=True)
class ChangeOfLoss(Check):
    """A steady flow over a link without loss, then with."""

    share: float
    packets: int

    @property
    def what(self) -> str:
        """With its values."""
        return f"loss 0% to {percent(self.share)} while running"

    def measure(self, bed: Bed) -> list[Figure]:
        """What was lost before the moment, and after."""
        spec = one_way(seed=bed.attempt)
        moments: list[int] = []
        lossy = replace(spec.a_to_b, effects=wire(Loss(self.share)))
        gap_ns = BATCH * 1e9 / bed.frames_per_s
        turns, clocks = self.packets // BATCH, between_clocks_ns()
        with bed.link(spec) as link, link.flow("a_to_b", SMALLEST) as flow:
            play([flow], steady(gap_ns, turns, lambda: flow.send(BATCH)),
                 [(round(gap_ns * turns / 2), lambda: moments.append(link.change(a_to_b=lossy)))], tail_s=0.5)  # fmt: skip
        moment, near = moments[0] + clocks, bed.tolerance.of_time(5.0, 0) * 1e6
        arrived = {number for number, _ in flow.arrived}
        before = [number for number, at in enumerate(flow.sent) if at < moment - near]
        after = [number for number, at in enumerate(flow.sent) if at > moment + near]
        low, high = binomial(len(after), self.share)
        lost = sum(number not in arrived for number in after)
        return [none("lost before", sum(number not in arrived for number in before)),
                Figure("lost after", count(len(after) * self.share), lost, low, high, count,
                       "99 % binomial interval")]  # fmt: skip


def checks(quick: bool) -> Sequence[Check]:
    """One of each, rates up and down."""
    packets = 10_000 if quick else 40_000
    usual = [ChangeOfRate(10_000_000, 40_000_000, 200), ChangeOfDelay(20, 50), ChangeOfLoss(0.1, packets)]
    return usual if quick else [*usual, ChangeOfRate(20_000_000, 5_000_000, 200)]
