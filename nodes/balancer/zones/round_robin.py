"""Round robin over zones: each in turn, whatever its size. A zone without healthy nodes is passed over."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

from nodes.balancer.zones.machinery.zone_rule import ChosenZone, ZoneRule, ZoneState


class RoundRobin(ZoneRule):
    """It remembers how often it was asked."""

    def __init__(self) -> None:
        self._turn = -1

    def choose(self, zones: Sequence[ZoneState], random: Random) -> ChosenZone:
        self._turn += 1
        return ChosenZone(zones[self._turn % len(zones)], "turn")
