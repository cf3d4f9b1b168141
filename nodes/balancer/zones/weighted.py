"""Weighted by capacity: chance in proportion to what each zone can carry, scaled by the share of it that is healthy.

It looks at no load.
"""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

from nodes.balancer.zones.machinery.zone_rule import ChosenZone, ZoneRule, ZoneState, weighted


class Weighted(ZoneRule):
    """A zone of capacity 3 whose nodes are half healthy counts as one of 1.5."""

    def choose(self, zones: Sequence[ZoneState], random: Random) -> ChosenZone:
        weights = [zone.capacity * zone.healthy / zone.nodes for zone in zones]
        return ChosenZone(weighted(zones, weights, random), "capacity")
