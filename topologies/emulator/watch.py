"""What a link's counters say of a run: whether it stayed what it was asked to be. It is pure and measures nothing.

The RTT and rate that were measured before the first trial prove little if the machine was late during the trials.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from topologies.emulator.links.backend import DirectionCounters
from topologies.emulator.links.spec import LinkSpec


def most_lateness_ms(spec: LinkSpec) -> float:
    """The 99th percentile of lateness (time of release minus time due) above which a link is not trusted."""
    return max(1.0, 0.01 * spec.rtt_ms)


def distrust(spec: LinkSpec, counters: Mapping[str, DirectionCounters]) -> list[str]:
    """Why the link was not as specified while packets ran over it, lateness aside; empty when it was."""
    reasons = []
    for way, count in counters.items():
        if count.overrun:
            reasons.append(f"{way}: {count.overrun} packets were lost before the link could take them")
        if count.failed:
            reasons.append(f"{way}: {count.failed} packets were refused by the receiving interface")
    return reasons


def too_late(spec: LinkSpec, p99_ns: Mapping[str, int | None]) -> list[str]:
    """Why a stretch of time does not count: the 99th percentile of lateness per way; empty when the link was punctual."""
    most_ms = most_lateness_ms(spec)
    return [
        f"{way}: one packet in a hundred was {ns / 1e6:.3g} ms late or more where {most_ms:.3g} ms is allowed: the machine "
        "was too busy"
        for way, ns in p99_ns.items()
        if ns is not None and ns / 1e6 > most_ms
    ]


def lateness_ms(count: DirectionCounters) -> dict[str, Any]:
    """The lateness as `links.json` has it; null where the backend cannot know."""
    found = {"median": count.lateness_p50_ns, "p99": count.lateness_p99_ns, "max": count.lateness_max_ns}
    return {"lateness_ms": {name: None if ns is None else ns / 1e6 for name, ns in found.items()}}
