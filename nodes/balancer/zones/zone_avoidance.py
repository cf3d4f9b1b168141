"""Zone avoidance, as Netflix's Ribbon has it: drop a zone that is out, drop the worst when it is loaded, share the rest.

It does not weigh distance. The numbers are those of Ribbon's ZoneAvoidanceRule: a zone is out at 0.99999 of its instances
with their circuit tripped; the most loaded is dropped once it has 0.2 requests for each server that works.
"""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

from nodes.balancer.zones.machinery.zone_rule import ChosenZone, ZoneRule, ZoneState, weighted

BLACKOUT = 0.99999
TRIGGERING_LOAD = 0.2
EQUAL = 1e-6
"""Loads so close count as the same."""


class ZoneAvoidance(ZoneRule):
    """Unlike Ribbon's it does not drop the worst of the rest merely because another zone is out: of two zones none would be
    left."""

    sees_all = True

    def choose(self, zones: Sequence[ZoneState], random: Random) -> ChosenZone:
        left = available(zones, random)
        words = "share" if len(left) == len(zones) else "avoided " + "+".join(z.name for z in zones if z not in left)
        return ChosenZone(weighted(left, [zone.nodes for zone in left], random), words)


def available(zones: Sequence[ZoneState], random: Random) -> list[ZoneState]:
    """Those that are not dropped. Of several equally loaded worst ones one is dropped, by chance in proportion to nodes."""
    left = [zone for zone in zones if zone.nodes and (zone.nodes - zone.healthy) / zone.nodes < BLACKOUT]
    if len(left) < 2:
        return left or list(zones)
    loads = [zone.active / zone.healthy for zone in left]
    most = max(loads)
    if most < TRIGGERING_LOAD:
        return left
    worst = [zone for zone, load in zip(left, loads, strict=True) if most - load < EQUAL]
    left.remove(weighted(worst, [zone.nodes for zone in worst], random))
    return left
