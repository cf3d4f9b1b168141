"""Power of two choices: of two nodes by chance, the one with fewer requests under way for its weight.

M. Mitzenmacher, "The power of two choices in randomized load balancing", 2001. It looks at no response times.
"""

from __future__ import annotations

from nodes.balancer.picks.machinery.node_state import NodeState
from nodes.balancer.picks.machinery.pair import pair
from nodes.balancer.picks.machinery.pick import Pick


class PowerOfTwo(Pick):
    """See the module."""

    def pick(self, key: str, now_s: float) -> NodeState:
        one, two = pair(self.nodes, self._random)
        # with a request more each, so that of two idle nodes the heavier is taken
        return one if (one.active + 1) * two.weight <= (two.active + 1) * one.weight else two
