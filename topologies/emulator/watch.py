"""What a link's counters say of a run: whether it stayed what it was asked to be. It is pure and measures nothing.

The RTT and rate that were measured before the first trial prove little if the machine was late during the trials.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from topologies.emulator.links.backend import DirectionCounters, Stretch
from topologies.emulator.links.spec import LinkSpec
from topologies.emulator.links.tolerance import REAL, Tolerance

BUSY = "the machine was too busy"
"""How reasons end that a quieter machine would not give."""
WORST = 5
"""No packet may be later than so many times what one in a hundred may be."""


def most_lateness_ms(spec: LinkSpec, tolerance: Tolerance = REAL) -> float:
    """The 99th percentile of lateness (time of release minus time due) above which a link is not trusted."""
    return tolerance.of_time(max(1.0, 0.01 * spec.rtt_ms), spec.rtt_ms)


def distrust(spec: LinkSpec, counters: Mapping[str, DirectionCounters], tolerance: Tolerance = REAL) -> list[str]:
    """Why the link was not as specified while packets ran over it, over the whole run; empty when it was."""
    reasons = []
    most_ms = most_lateness_ms(spec, tolerance)
    for way, count in counters.items():
        if count.unexplained:
            reasons.append(f"{way}: {abs(count.unexplained)} packets are missing from the balance of what was offered, "
                           "delivered and dropped, and nothing explains them")  # fmt: skip
        if count.lateness_p99_ns is not None and count.lateness_p99_ns / 1e6 > most_ms:
            late_ms = count.lateness_p99_ns / 1e6
            reasons.append(f"{way}: over the whole run one packet in a hundred was {late_ms:.3g} ms late or more where "
                           f"{most_ms:.3g} ms is allowed: {BUSY}")  # fmt: skip
        if count.overrun:
            reasons.append(f"{way}: {count.overrun} packets were lost before the link could take them")
        if count.failed:
            reasons.append(f"{way}: {count.failed} packets were refused by the receiving interface")
    return reasons


def too_late(specs: Mapping[str, LinkSpec], stretch: Stretch, tolerance: Tolerance = REAL, bears_ms: float = 0.0) -> list[str]:
    """Why a stretch of time does not count; empty when every link was punctual.

    One packet in a hundred may be late by `most_lateness_ms`, none by five times that, and the backend may not have stood
    still for longer than that: what arrives in such a moment waits unseen. Both may be up to `bears_ms` where the question is
    one of means over many thousands of packets.
    """
    reasons = []
    for name, ways in stretch.late_ns.items():
        most_ms = most_lateness_ms(specs[name], tolerance)
        for way, (p99_ns, max_ns) in ways.items():
            if p99_ns / 1e6 > most_ms:
                reasons.append(f"link {name}: {way}: one packet in a hundred was {p99_ns / 1e6:.3g} ms late or more where "
                               f"{most_ms:.3g} ms is allowed: {BUSY}")  # fmt: skip
            elif max_ns / 1e6 > (worst_ms := max(WORST * most_ms, bears_ms)):
                reasons.append(f"link {name}: {way}: a packet was {max_ns / 1e6:.3g} ms late where {worst_ms:.3g} ms is "
                               f"the most for any: {BUSY}")  # fmt: skip
    stall_ms = (stretch.stall_ns or 0) / 1e6
    shortest_ms = min((WORST * most_lateness_ms(specs[name], tolerance) for name in stretch.late_ns), default=WORST)
    shortest_ms = max(shortest_ms, bears_ms)
    if stall_ms > shortest_ms and not reasons:
        reasons.append(f"the links stood still for {stall_ms:.3g} ms where {shortest_ms:.3g} ms is the most: "
                       f"{BUSY}")  # fmt: skip
    return reasons


def handshake(rtt_ms: float, chance_ms: float, seen_ms: float, tolerance: Tolerance = REAL) -> str:
    """Why a handshake on an idle path does not have the path's time; empty when it does.

    It must be `rtt_ms` (specified, with the serialisation of its two packets) within 1 ms or 1 %, and `chance_ms` of
    jitter. It is read off the packets: no link's own word is taken.
    """
    allowed_ms = tolerance.of_time(max(1.0, 0.01 * rtt_ms), rtt_ms) + chance_ms
    if abs(seen_ms - rtt_ms) <= allowed_ms:
        return ""
    return (f"the handshake took {seen_ms:.4g} ms on a path of {rtt_ms:.4g} ms, where {allowed_ms:.3g} ms either way is "
            "allowed: a link was not as specified at that moment")  # fmt: skip


def one_way(delay_ms: float, least_ms: float, idle: bool, tolerance: Tolerance = REAL) -> str:
    """Why packets did not take the time one way that their links have; empty when they did.

    `least_ms` is the least that any of them took, without its own time on the wire, read off captures at both ends. It must be
    the delay within 1 ms or 1 %; where other packets may be in the way (not `idle`) it must only not be less.
    """
    allowed_ms = tolerance.of_time(max(1.0, 0.01 * delay_ms), delay_ms)
    if abs(least_ms - delay_ms) <= allowed_ms or (least_ms > delay_ms and not idle):
        return ""
    return (f"the quickest took {least_ms:.4g} ms where {delay_ms:.4g} ms one way are specified and {allowed_ms:.3g} ms either "
            "way allowed: a link was not as specified")  # fmt: skip


def only_busy(reasons: Iterable[str]) -> bool:
    """Whether there are reasons and lateness is all of them: then it is worth another attempt."""
    found = list(reasons)
    return bool(found) and all(reason.endswith(BUSY) for reason in found)


def lateness_ms(count: DirectionCounters) -> dict[str, Any]:
    """The lateness as `links.json` has it; null where the backend cannot know."""
    found = {"median": count.lateness_p50_ns, "p99": count.lateness_p99_ns, "max": count.lateness_max_ns}
    return {"lateness_ms": {name: None if ns is None else ns / 1e6 for name, ns in found.items()}}
