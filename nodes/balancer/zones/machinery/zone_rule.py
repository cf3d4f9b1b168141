"""What a zone rule is: it sees each zone in a few numbers and names one of them. It sees no nodes and no requests."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from random import Random
from typing import NamedTuple


class ZoneState:
    """One zone now. `nodes` are those that take part (not draining), `healthy` those of them that are up and not ejected,
    `active` the requests under way there. `distance_ms` is what the members say, `capacity` the sum of its nodes' weights
    unless they say otherwise."""

    __slots__ = ("active", "capacity", "distance_ms", "healthy", "name", "nodes")

    def __init__(
        self, name: str, *, distance_ms: float = 0.0, capacity: float = 1.0, nodes: int = 1, healthy: int = 1, active: int = 0
    ) -> None:  # fmt: skip
        self.name, self.distance_ms, self.capacity = name, distance_ms, capacity
        self.nodes, self.healthy, self.active = nodes, healthy, active


class ChosenZone(NamedTuple):
    """A zone and why; in `panic` its nodes are used whatever their health."""

    zone: ZoneState
    reason: str
    panic: bool = False


class ZoneRule(ABC):
    """Made once for a set of zones, asked for each request."""

    @abstractmethod
    def choose(self, zones: Sequence[ZoneState], random: Random) -> ChosenZone:
        """One of the zones, of which there is at least one with a healthy node. It need not name a healthy one itself
        unless it wants to: the caller leaves out zones without any, but for rules that set `sees_all`."""

    sees_all = False
    """Whether the rule wants to see zones without a healthy node too."""


def weighted(zones: Sequence[ZoneState], weights: Sequence[float], random: Random) -> ZoneState:
    """One zone by chance, in proportion to weights of which at least one is above zero."""
    point = random.random() * sum(weights)
    for zone, weight in zip(zones, weights, strict=True):
        point -= weight
        if point < 0.0:
            return zone
    return max(zip(weights, range(len(zones)), zones, strict=True))[2]  # rounding left nothing over
