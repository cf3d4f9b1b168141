"""Specified against measured: the reasons why a link is not what it was asked to be.

It measures nothing; the tolerances are those that `verify` and every report state.
"""

from __future__ import annotations

import math

from units import show_bps, show_ms

from ..spec import Direction, LinkSpec
from .model import Measured, Way
from .plan import ECHO_FRAME, jitter_bias

RTT_TOLERANCE_MS, RTT_TOLERANCE, RATE_TOLERANCE = 0.5, 0.01, 0.05
_TAIL = 0.0005  # on each side: a 99.9 % interval


def compare(spec: LinkSpec, measured: Measured) -> list[str]:
    """Reasons in words, empty when the link is within tolerance."""
    ways = (("a_to_b", spec.a_to_b, measured.a_to_b), ("b_to_a", spec.b_to_a, measured.b_to_a))
    return _rtt_reasons(spec, measured) + [text for name, way, seen in ways for text in _way_reasons(name, way, seen)]


def serialisation_ms(spec: LinkSpec) -> float:
    """What the echo itself takes on the wire, both ways; part of every measured RTT, not of the specified one."""
    return sum(ECHO_FRAME * 8e3 / way.rate_bps for way in (spec.a_to_b, spec.b_to_a) if way.rate_bps)


def rtt_allowance_ms(spec: LinkSpec, samples: int) -> float:
    """How far the median, less serialisation, may be from the specified RTT: max(0.5 ms, 1 %), plus what chance does.

    The median of n sums of two uniform jitters has a standard error of about 1.2533 s / sqrt(n); five of them.
    """
    base = max(RTT_TOLERANCE_MS, RTT_TOLERANCE * spec.rtt_ms)
    deviation = math.sqrt((spec.a_to_b.jitter_ms**2 + spec.b_to_a.jitter_ms**2) / 3)
    return base + (5 * 1.2533 * deviation / math.sqrt(samples) if samples else 0.0)


def _rtt_reasons(spec: LinkSpec, measured: Measured) -> list[str]:
    rtt = measured.rtt_ms
    if rtt.median is None:
        return [f"RTT: none of {rtt.sent} echoes came back"]
    found = []
    allowed = rtt_allowance_ms(spec, rtt.samples)
    expected = spec.rtt_ms + serialisation_ms(spec)
    if abs(rtt.median - expected) > allowed:
        found.append(f"RTT: {show_ms(rtt.median)} where {show_ms(expected)} is due: {show_ms(spec.rtt_ms)} as specified and "
                     f"the echo's own time on the wire (allowed: {show_ms(allowed)} either way)")  # fmt: skip
    if spec.a_to_b.loss == spec.b_to_a.loss == 0 and rtt.samples < rtt.sent:
        found.append(f"RTT: {rtt.sent - rtt.samples} of {rtt.sent} echoes did not come back on a link without loss")
    return found


def _way_reasons(name: str, way: Direction, seen: Way) -> list[str]:
    if seen.overflowed:
        return [f"{name}: the probe's own receive buffer overflowed ({seen.overflowed} frames); this is no measurement"]
    found = []
    lost = seen.sent - seen.received
    if way.loss == 0 and lost:
        found.append(f"{name}: {lost} of {seen.sent} frames were lost on a link without loss")
    elif way.loss and not _plausible(lost, seen.sent, way.loss):
        found.append(f"{name}: {lost} of {seen.sent} frames were lost, which a loss of {way.loss:.4%} does not do "
                     "(99.9 % interval)")  # fmt: skip
    if way.rate_bps is None:
        return found
    if seen.rate_bps is None:
        return [
            *found,
            f"{name}: the rate is unknown: too few of {seen.sent} frames arrived, or this machine held the sender up",
        ]
    low, high = 1 - RATE_TOLERANCE - jitter_bias(way), 1 + RATE_TOLERANCE + jitter_bias(way)
    if not low <= seen.rate_bps / way.rate_bps <= high:
        found.append(f"{name}: rate {show_bps(seen.rate_bps)} where {show_bps(way.rate_bps)} was specified "
                     f"(allowed: {high - 1:.1%} either way)")  # fmt: skip
    return found


def _plausible(lost: int, sent: int, p: float) -> bool:
    """Whether `lost` of `sent` lies within the 99.9 % interval of the binomial distribution, both tails equal."""
    logs = [math.lgamma(sent + 1) - math.lgamma(k + 1) - math.lgamma(sent - k + 1)
            + k * math.log(p) + (sent - k) * math.log1p(-p) for k in range(sent + 1)]  # fmt: skip
    at_most = math.fsum(math.exp(value) for value in logs[: lost + 1])
    at_least = math.fsum(math.exp(value) for value in logs[lost:])
    return min(at_most, at_least) >= _TAIL
