"""Nearest first: all requests go to the zone of the smallest distance that has a healthy node. It does not share load."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

from nodes.balancer.zones.machinery.zone_rule import ChosenZone, ZoneRule, ZoneState


class Nearest(ZoneRule):
    """Of equally near zones the first by name."""

    def choose(self, zones: Sequence[ZoneState], random: Random) -> ChosenZone:
        best = zones[0]
        for zone in zones:
            if (zone.distance_ms, zone.name) < (best.distance_ms, best.name):
                best = zone
        return ChosenZone(best, "nearest")
