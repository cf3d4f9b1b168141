"""Round robin: each node in turn, heavier ones more often. It looks at no load.

Weights are kept by the earliest deadline first, as in Envoy: a node's next turn is 1 / weight after its last.
"""

from __future__ import annotations

from collections.abc import Sequence
from heapq import heapify, heapreplace
from random import Random

from nodes.balancer.picks.machinery.node_state import NodeState
from nodes.balancer.picks.machinery.pick import Pick


class RoundRobin(Pick):
    """With equal weights it is the plain order, from a place by chance: balancers that start together do not keep step."""

    def __init__(self, nodes: Sequence[NodeState], random: Random) -> None:
        super().__init__(nodes, random)
        first = random.randrange(len(self.nodes))
        turned = self.nodes[first:] + self.nodes[:first]
        self._turns = [(1.0 / node.weight, place, node) for place, node in enumerate(turned)]
        heapify(self._turns)

    def pick(self, key: str, now_s: float) -> NodeState:
        due, place, node = self._turns[0]
        heapreplace(self._turns, (due + 1.0 / node.weight, place, node))
        return node
