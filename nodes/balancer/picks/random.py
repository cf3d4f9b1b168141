"""Random: each node with a chance in proportion to its weight. It remembers nothing and looks at no load."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate
from random import Random

from nodes.balancer.picks.machinery.node_state import NodeState
from nodes.balancer.picks.machinery.pick import Pick


class AtRandom(Pick):
    """See the module."""

    def __init__(self, nodes: Sequence[NodeState], random: Random) -> None:
        super().__init__(nodes, random)
        self._ends = list(accumulate(node.weight for node in self.nodes))

    def pick(self, key: str, now_s: float) -> NodeState:
        place = bisect_right(self._ends, self._random.random() * self._ends[-1])
        return self.nodes[min(place, len(self.nodes) - 1)]
