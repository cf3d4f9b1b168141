"""Specified against measured: the reasons why a link is not what it was asked to be.

It measures nothing; the tolerances are those that `verify` and every report state.
"""

from __future__ import annotations

from units import show_bps, show_bytes, show_ms

from ..spec import ETHERNET_HEADER, Direction, LinkSpec
from ..tolerance import REAL, Tolerance
from .binomial import interval
from .chances import chance, doubled, inflation, vanishes
from .level import Due, due
from .model import Measured, Way
from .plan import LOSS_FRAMES_PER_S, SMALLEST_FRAME, jitter_bias, why_no_rate
from .spread import spread_due
from .survey import HELD_UP

RATE_TOLERANCE, QUEUE_TOLERANCE = 0.05, 0.10
QUEUE_CLOCK_S = 0.0003
"""How well the wait in a full queue is known beside that: the machine's own delays."""
CONFIDENCE = 0.999
"""Of what chance may do to a right link. Losses in bursts get `BURSTS` instead: their tail is longer than a binomial one."""
BURSTS = 0.99999
STRAY = 0.002
"""So few frames may come out of order unasked: two processors of a machine may swap them."""
GAPS_OVERTAKEN = 10


def compare(spec: LinkSpec, measured: Measured, tolerance: Tolerance = REAL) -> list[str]:
    """Reasons in words, empty when the link is within tolerance; `tolerance` is what the machine is allowed beside ours."""
    ways = (("a_to_b", spec.a_to_b, measured.a_to_b), ("b_to_a", spec.b_to_a, measured.b_to_a))
    found = _rtt_reasons(spec, measured, tolerance)
    return found + [f"{name}: {text}" for name, way, seen in ways
                    for text in way_reasons(way, seen, spec.mtu, tolerance)]  # fmt: skip


def _rtt_reasons(spec: LinkSpec, measured: Measured, tolerance: Tolerance) -> list[str]:
    rtt, ways = measured.rtt_ms, (spec.a_to_b, spec.b_to_a)
    if not all(way.up for way in ways):
        return [f"RTT: {rtt.samples} echoes came back although the link is down"] if rtt.samples else []
    if rtt.level is None:
        return [f"RTT: none of {rtt.sent} echoes came back"]
    found = _time_reasons("RTT", rtt.level, spec.rtt_ms, due(spec, rtt.samples, tolerance))
    if rtt.samples < rtt.sent and not any(vanishes(way, SMALLEST_FRAME) for way in ways):
        found.append(f"RTT: {rtt.sent - rtt.samples} of {rtt.sent} echoes did not come back on a link without loss")
    return found


def _time_reasons(name: str, level_ms: float, asked_ms: float, wanted: Due) -> list[str]:
    if -wanted.less_ms <= level_ms - wanted.ms <= wanted.more_ms:
        return []
    allowed = (f"{show_ms(wanted.less_ms)} either way" if wanted.less_ms == wanted.more_ms else
               f"{show_ms(wanted.less_ms)} less, {show_ms(wanted.more_ms)} more")  # fmt: skip
    what = "" if wanted.words == "the median" else f", {wanted.words},"
    return [f"{name}: {show_ms(level_ms)}{what} where {show_ms(wanted.ms)} is due: {show_ms(asked_ms)} as specified "
            f"and the echo's own time on the wire (allowed: {allowed})"]  # fmt: skip


def way_reasons(way: Direction, seen: Way, mtu: int, tolerance: Tolerance = REAL) -> list[str]:
    """Of one direction; see `compare`."""
    # The kernel counts a wrong checksum as one without room (__udp4_lib_rcv): where bits are inverted the rule
    # of losses judges both.
    if seen.overflowed and not chance(way, "corrupt"):
        return [f"the probe's own receive buffer overflowed ({seen.overflowed} frames); this is no measurement"]
    if not way.up:
        return [f"{seen.received} of {seen.sent} frames passed although the link is down"] if seen.received else []
    return [*_loss_reasons(way, seen), *_order_reasons(way, seen), *_rate_reasons(way, seen, mtu, tolerance),
            *_queue_reasons(way, seen, mtu, tolerance), *_delay_reasons(way, seen, tolerance)]  # fmt: skip


def _delay_reasons(way: Direction, seen: Way, tolerance: Tolerance) -> list[str]:
    if seen.delay_ms is None:
        return []
    found = _time_reasons("one way", seen.delay_ms, way.delay_ms, due(way, seen.timed, tolerance))
    if seen.spread_ms is None:
        return found
    wanted = spread_due(way, seen.timed, tolerance)
    if not wanted.low_ms <= seen.spread_ms <= wanted.high_ms:
        what = f"jitter of {way.jitter.text()}" if way.jitter_ms else "no jitter"
        found.append(f"the delay of {seen.timed} echoes spreads by {show_ms(seen.spread_ms)} where {what} was specified "
                     f"(allowed: {show_ms(wanted.low_ms)} to {show_ms(wanted.high_ms)})")  # fmt: skip
    return found


def _loss_reasons(way: Direction, seen: Way) -> list[str]:
    lost, gone = seen.sent - seen.received, vanishes(way, SMALLEST_FRAME)
    if gone == 0:
        return [f"{lost} of {seen.sent} frames were lost on a link without loss"] if lost else []
    wide = inflation(way)
    confidence = CONFIDENCE if wide == 1 else BURSTS
    if _within(gone, lost / wide, seen.sent / wide, confidence):
        return []
    others = "" if gone == way.loss else f" (with what corruption and copies do: {gone:.4%})"
    return [f"{lost} of {seen.sent} frames were lost, which a loss of {way.loss:.4%}{others} does not do "
            f"({100 * confidence:g} % interval)"]  # fmt: skip


def _order_reasons(way: Direction, seen: Way) -> list[str]:
    found = []
    twice = doubled(way, SMALLEST_FRAME)
    if not twice and seen.duplicated:
        found.append(f"{seen.duplicated} of {seen.sent} frames came twice on a link that doubles none")
    elif twice and not _within(twice, seen.duplicated, seen.sent, CONFIDENCE):
        found.append(f"{seen.duplicated} of {seen.sent} frames came twice where {twice:.4%} are to")
    asked = chance(way, "reorder")
    gap_ms = 1e3 / LOSS_FRAMES_PER_S if not way.nominal_bps else max(1e3 / LOSS_FRAMES_PER_S,
                                                                     SMALLEST_FRAME * 1e4 / way.nominal_bps)  # fmt: skip
    if not asked and seen.overtook > max(1, STRAY * seen.received):
        found.append(f"{seen.overtook} of {seen.received} frames overtook others on a link that keeps the order")
    elif asked and way.delay_ms >= GAPS_OVERTAKEN * gap_ms and not _within(asked, seen.overtook, seen.received, CONFIDENCE):
        found.append(f"{seen.overtook} of {seen.received} frames overtook others where {asked:.4%} are to")
    return found


def _rate_reasons(way: Direction, seen: Way, mtu: int, tolerance: Tolerance) -> list[str]:
    if way.nominal_bps is None:
        return []
    if seen.rate_bps is None:
        if seen.rate_note != HELD_UP if way.trace is not None else why_no_rate(way, mtu):
            return []
        return [f"the rate is unknown: too few of {seen.sent} frames arrived, or {HELD_UP}"]
    most = tolerance.of_rate(RATE_TOLERANCE) + jitter_bias(way)
    if seen.sent_bps is not None:
        wanted_bps = min(way.nominal_bps, seen.sent_bps)
        return [] if seen.rate_bps >= (1 - most) * wanted_bps else [
            f"rate {show_bps(seen.rate_bps)} where {show_bps(wanted_bps)} were sent and {show_bps(way.nominal_bps)} were "
            f"specified (allowed: {most:.1%} less)"]  # fmt: skip
    if way.trace is not None and seen.burst_s:
        most += 1 / (len(way.trace.times_ms) * seen.burst_s * 1e3 / way.trace.period_ms)  # a chance more or less
    if abs(seen.rate_bps / way.nominal_bps - 1) <= most:
        return []
    return [f"rate {show_bps(seen.rate_bps)} where {show_bps(way.nominal_bps)} was specified (allowed: {most:.1%} either way)"]


def _queue_reasons(way: Direction, seen: Way, mtu: int, tolerance: Tolerance) -> list[str]:
    if seen.queue_bytes is None or way.rate_bps is None:
        return []
    room = way.room_bytes(mtu)
    clock_s = max(QUEUE_CLOCK_S, tolerance.ms / 1e3)
    most = QUEUE_TOLERANCE * room + mtu + ETHERNET_HEADER + clock_s * way.rate_bps / 8
    if abs(seen.queue_bytes - room) <= most:
        return []
    more = " or more" if seen.queue_bytes > room else ""
    return [f"the queue holds {show_bytes(seen.queue_bytes)}{more} where {way.queue_words} ({show_bytes(room)}) was specified "
            f"(allowed: {show_bytes(most)} either way)"]  # fmt: skip


def _within(probability: float, count: float, of: float, confidence: float) -> bool:
    """Whether chance does that to so many frames; of none, it may have done anything."""
    if not of:
        return True
    low, high = interval(count, of, confidence)
    return low <= probability <= high
