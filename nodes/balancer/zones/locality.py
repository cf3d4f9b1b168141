"""Locality with overprovisioning, as Envoy has it: the near zone keeps all traffic while 72 % of it is healthy.

It looks at no load. Zones of the same distance are one priority and share by capacity. A priority's health is the healthy
share of its nodes times 1.4; the nearest takes traffic up to its health, the next ones what is left. When the healths of all
do not add up to one, traffic is shared in proportion, and a zone below 50 % is in panic: all its nodes are used. From Envoy's
documentation, "Priority levels", "Panic threshold" and "Locality weighted load balancing".
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from random import Random

from nodes.balancer.zones.machinery.zone_rule import ChosenZone, ZoneRule, ZoneState, weighted

FACTOR = 1.4
PANIC = 0.5


class Locality(ZoneRule):
    """See the module. Shares are worked out when health changes, not for each request."""

    sees_all = True

    def __init__(self) -> None:
        self._of: list[tuple[ZoneState, int, int, float]] = []
        self._shares: list[float] = []
        self._enough = True

    def choose(self, zones: Sequence[ZoneState], random: Random) -> ChosenZone:
        now = [(zone, zone.nodes, zone.healthy, zone.capacity) for zone in zones]
        if now != self._of:
            self._of, self._shares, self._enough = now, shares(zones), enough(zones)
        zone = weighted(zones, self._shares, random)
        if self._enough:
            return ChosenZone(zone, "near" if zone.distance_ms == min(z.distance_ms for z in zones) else "overflow")
        panic = zone.healthy < PANIC * zone.nodes
        return ChosenZone(zone, "panic" if panic else "scarce", panic)


def shares(zones: Sequence[ZoneState]) -> list[float]:
    """The part of the traffic that each zone gets; they add up to one."""
    found, left, total = [0.0] * len(zones), 1.0, min(1.0, sum(map(_health, _priorities(zones))))
    for level in _priorities(zones):
        part = min(left, _health(level) / total) if total > 0.0 else left  # with nothing healthy the nearest zones have it all
        left -= part
        weights = [zones[n].capacity * (_one(zones[n]) if total > 0.0 else 1.0) for n, _ in level]
        whole = sum(weights)
        for (number, _), weight in zip(level, weights, strict=True):
            found[number] = part * weight / whole if whole else 0.0
    return found


def enough(zones: Sequence[ZoneState]) -> bool:
    """Whether the healthy nodes of all priorities are enough for all traffic: then there is no panic anywhere."""
    return sum(map(_health, _priorities(zones))) >= 1.0 - 1e-9


def _priorities(zones: Sequence[ZoneState]) -> list[list[tuple[int, ZoneState]]]:
    ordered = sorted(enumerate(zones), key=lambda item: item[1].distance_ms)
    return [list(level) for _, level in groupby(ordered, key=lambda item: item[1].distance_ms)]


def _health(level: list[tuple[int, ZoneState]]) -> float:
    nodes = sum(zone.nodes for _, zone in level)
    healthy = sum(zone.healthy for _, zone in level)
    return min(1.0, FACTOR * healthy / nodes) if nodes else 0.0


def _one(zone: ZoneState) -> float:
    return min(1.0, FACTOR * zone.healthy / zone.nodes) if zone.nodes else 0.0
