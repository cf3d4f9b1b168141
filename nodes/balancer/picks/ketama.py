"""Ketama: the same key goes to the same node, by a ring of 160 points each. It looks at no load."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

from nodes.balancer.picks.machinery.node_state import NodeState
from nodes.balancer.picks.machinery.pick import Keyed
from nodes.hashing.ketama import Ring


class Ketama(Keyed):
    """See `nodes/hashing/ketama.py`. Points are made of the nodes' names, so a node keeps its keys at a new address."""

    def __init__(self, nodes: Sequence[NodeState], random: Random) -> None:
        super().__init__(nodes, random)
        self.ring = Ring(self.weights)

    def pick(self, key: str, now_s: float) -> NodeState:
        return self.by_name[self.ring.find(key)]

    def other(self, key: str, now_s: float, but: NodeState) -> NodeState | None:
        return next((self.by_name[name] for name in self.ring.walk(key) if name != but.name), None)
