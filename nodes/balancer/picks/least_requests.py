"""Least requests: the node with the fewest requests under way for its weight, of all of them.

It sees only its own requests: several balancers that use it run after the same node.
"""

from __future__ import annotations

from nodes.balancer.picks.machinery.node_state import NodeState
from nodes.balancer.picks.machinery.pick import Pick


class LeastRequests(Pick):
    """Of equal ones each in turn: the search begins one further every time."""

    _first = 0

    def pick(self, key: str, now_s: float) -> NodeState:
        nodes = self.nodes
        first = self._first = (self._first + 1) % len(nodes)
        best, least = nodes[first], nodes[first].active / nodes[first].weight
        for place in range(first - len(nodes) + 1, first):  # from behind the first, round the end, to before it
            node = nodes[place]
            if node.active < least * node.weight:
                best, least = node, node.active / node.weight
                if not least:
                    break
        return best
