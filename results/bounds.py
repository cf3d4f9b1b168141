"""What the numbers of a link and of the machine may be, as plain intervals. It measures nothing and decides no verdict.

These are the tolerances by which a run itself judges (`topologies/emulator/links/probe/compare.py`, `.../watch.py`,
`experiments/harness/machine.py`), as far as plain numbers say them; a test holds both together. Where chance or a recording has
a say the run's rule is longer than that: there is no Bound then, and what the run found stands.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from results.links import Asked, Link, Rtt, Seen

RTT_TOLERANCE_MS, RTT_TOLERANCE, RATE_TOLERANCE, QUEUE_TOLERANCE = 0.5, 0.01, 0.05, 0.10
QUEUE_CLOCK_S = 0.0003
SLACK_MS, SLACK = 3.0, 0.04
"""In place of that where processors were emulated: so many milliseconds, or that share of a time."""
LATE_MS, LATE = 1.0, 0.01
MOST_STEAL = 0.05
HEADER_BYTES, ECHO_BYTES = 14, 50
"""Of Ethernet; and of an echo on the wire: Ethernet, IPv4 and ICMP headers and eight bytes."""

SHAPES = {"uniform": (0.0, 1 / math.sqrt(3), 1.8), "normal": (0.0, 1.0, 3.0), "pareto": (-0.0329, 0.8209, 11.365)}
"""Mean and standard deviation of each shape of jitter, in units of its width, and its kurtosis."""
SIGMAS_LESS, SIGMAS_MORE, FEWEST = 4.3, 3.0, 8
"""How far chance may move the logarithm of a standard deviation, in deviations of its own; fewer echoes tell nothing."""


@dataclass(frozen=True)
class Bound:
    """From `low` to `high`, both included; an end that is None is open."""

    low: float | None
    high: float | None

    def share(self, value: float) -> float:
        """How much of what is allowed the value uses: 0 in the middle (or at 0), 1 at the edge, more outside. Without an
        upper end there is no middle: 0 within."""
        if self.high is None:
            return 0.0 if self.holds(value) else math.inf
        middle, edge = (0.0 if self.low is None else (self.low + self.high) / 2), self.high
        away, room = abs(value - middle), abs(edge - middle)
        return away / room if room else (math.inf if away else 0.0)

    def holds(self, value: float) -> bool:
        """Whether the value lies within."""
        return (self.low is None or value >= self.low) and (self.high is None or value <= self.high)


def rtt(link: Link, seen: Rtt) -> Bound | None:
    """The round trip: as specified, with the echo's own time on the wire, within max(0.5 ms, 1 %). With jitter the mean
    of the echoes is judged, and five of its standard errors are added."""
    ways = [way.asked for way in link.ways]
    if any("reorder" in asked.effects or asked.trace for asked in ways):
        return None
    return _time(link.rtt_ms, ways, seen.samples, max(RTT_TOLERANCE_MS, RTT_TOLERANCE * link.rtt_ms, link.slack_ms))


def delay(asked: Asked, link: Link, seen: Seen) -> Bound | None:
    """The time one way: the delay, with the echo's own time on the wire, by the same rule as the round trip."""
    if "reorder" in asked.effects or asked.trace or not asked.up:
        return None
    return _time(asked.delay_ms, [asked], seen.timed, _allowed_ms(asked, link))


def spread(asked: Asked, link: Link, seen: Seen) -> Bound | None:
    """How far the times one way spread: by the standard deviation of the jitter, times what chance does in so many samples, and
    what a time may be off beside; without jitter by that alone."""
    count = seen.timed or 0.0
    if "reorder" in asked.effects or asked.trace or not asked.up or count < FEWEST:
        return None
    _, deviation, kurtosis = _jitter(asked)
    allowed, relative = _allowed_ms(asked, link), math.sqrt((kurtosis - 1) / (4 * count) + 1 / (2 * count * (count - 1)))
    low, high = (deviation * math.exp(by * relative) for by in (-SIGMAS_LESS, SIGMAS_MORE))
    return Bound(low - allowed if low > allowed else None, high + allowed)


def _time(asked_ms: float, ways: Sequence[Asked], samples: float | None, base_ms: float) -> Bound:
    jitters = [_jitter(asked) for asked in ways]
    own_ms = sum(ECHO_BYTES * 8e3 / asked.rate_bps for asked in ways if asked.rate_bps)
    middle = asked_ms + own_ms + sum(mean for mean, _, _ in jitters)
    deviation = math.hypot(*(one for _, one, _ in jitters))
    allowed = base_ms + 5 * deviation / math.sqrt(max(1.0, samples or 0.0))
    return Bound(middle - allowed, middle + allowed)


def _allowed_ms(asked: Asked, link: Link) -> float:
    slack = max(SLACK_MS, SLACK * asked.delay_ms) if link.slack_ms else 0.0
    return max(RTT_TOLERANCE_MS, RTT_TOLERANCE * asked.delay_ms, slack)


def rate(asked: Asked, seen: Seen) -> Bound | None:
    """The rate over a burst, within 5 %; where the sender could not reach it, at least 95 % of what was sent."""
    if asked.rate_bps is None or asked.trace or "jitter" in asked.effects:
        return None
    if seen.sent_bps is not None:
        return Bound(min(asked.rate_bps, seen.sent_bps) * (1 - RATE_TOLERANCE), None)
    return Bound(asked.rate_bps * (1 - RATE_TOLERANCE), asked.rate_bps * (1 + RATE_TOLERANCE))


def queue(asked: Asked, link: Link) -> Bound | None:
    """The ceiling of the queue in bytes: within 10 %, a frame, and what 0.3 ms of the machine's own delays look like."""
    frame = link.mtu + HEADER_BYTES
    room = asked.queue_bytes if asked.queue_packets is None else asked.queue_packets * frame
    if room is None or asked.rate_bps is None or asked.codel:
        return None
    clock_s = max(QUEUE_CLOCK_S, SLACK_MS / 1e3 if link.slack_ms else 0.0)
    allowed = QUEUE_TOLERANCE * room + frame + clock_s * asked.rate_bps / 8
    return Bound(max(0.0, room - allowed), room + allowed)


def loss(asked: Asked) -> float | None:
    """The share of frames that is due not to arrive: all while the direction is down. None where corruption and copies have
    a say: the run's own rule counts those too."""
    if not asked.up:
        return 1.0
    return asked.loss if not {"corrupt", "duplicate"} & set(asked.effects) else None


def lateness(link: Link) -> Bound:
    """The 99th percentile in ms of release minus due."""
    return Bound(None, max(LATE_MS, LATE * link.rtt_ms, link.slack_ms))


def one_way(delay_ms: float, slack_ms: float = 0.0) -> Bound:
    """The least time that a packet took one way, without its own time on the wire, where nothing else was on the path."""
    allowed = max(LATE_MS, LATE * delay_ms, max(SLACK_MS, SLACK * delay_ms) if slack_ms else 0.0)
    return Bound(delay_ms - allowed, delay_ms + allowed)


def _jitter(asked: Asked) -> tuple[float, float, float]:
    """Mean and standard deviation in ms, and the kurtosis."""
    shape = asked.effects.get("jitter", "").partition(" ")[2]
    mean, deviation, kurtosis = SHAPES.get(shape, SHAPES["uniform"])
    return asked.jitter_ms * mean, asked.jitter_ms * deviation, kurtosis
