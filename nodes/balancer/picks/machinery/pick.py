"""What a node rule is: made for the nodes of a zone that may be used, asked for one of them for each request.

It does not know about health; who may be used is decided before. A new one is made whenever that changes, so what must
outlive a change is kept in the `NodeState`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from random import Random

from nodes.balancer.picks.machinery.node_state import NodeState

TRIES = 4


class Pick(ABC):
    """`nodes` is not empty. `key` is what the request is for, `now_s` a clock that never goes back."""

    def __init__(self, nodes: Sequence[NodeState], random: Random) -> None:
        self.nodes, self._random = tuple(nodes), random

    @abstractmethod
    def pick(self, key: str, now_s: float) -> NodeState:
        """One of the nodes."""

    def other(self, key: str, now_s: float, but: NodeState) -> NodeState | None:
        """One of the nodes except that one, the same for the same key where the rule goes by keys; None when there is
        no other."""
        for attempt in range(TRIES):
            found = self.pick(f"{key}#{attempt}", now_s)
            if found is not but:
                return found
        left = [node for node in self.nodes if node is not but]
        return min(left, key=lambda node: node.active / node.weight) if left else None

    def answered(self, node: NodeState, now_s: float, took_s: float, ok: bool) -> None:  # noqa: B027 - most rules learn nothing
        """A node has answered; `took_s` is the time to its first byte."""


class Keyed(Pick):
    """A rule by keys: `find` names a node for a key."""

    def __init__(self, nodes: Sequence[NodeState], random: Random) -> None:
        super().__init__(nodes, random)
        self.by_name = {node.name: node for node in self.nodes}

    @property
    def weights(self) -> dict[str, float]:
        """Of the nodes, by name."""
        return {node.name: node.weight for node in self.nodes}
