"""What the balancer knows of one node while it runs: what it has sent there and what came back. It judges nothing."""

from __future__ import annotations


class NodeState:
    """`name` is unique among all zones; `weight` is above zero. Rules read it; only the balance and a rule's `answered`
    change it."""

    __slots__ = ("active", "answers", "cost_at_s", "cost_s", "failures", "failures_at_s", "name", "since_s", "utilisation",
                 "utilisation_at_s", "weight")  # fmt: skip

    def __init__(self, name: str, weight: float = 1.0, since_s: float = 0.0) -> None:
        self.name, self.weight = name, weight
        self.since_s = since_s
        """When it began to take traffic."""
        self.active = 0
        """Requests under way there, from here."""
        self.answers = 0
        """How many it has answered since it began."""
        self.cost_s = self.cost_at_s = 0.0
        """Of peak-EWMA: its response time, and when that was worked out."""
        self.failures = self.failures_at_s = 0.0
        """The share of late requests that failed, and when that was worked out."""
        self.utilisation: float | None = None
        """What it said of itself last, 1 being full."""
        self.utilisation_at_s = 0.0

    def __repr__(self) -> str:
        return f"NodeState({self.name!r}, active={self.active})"
