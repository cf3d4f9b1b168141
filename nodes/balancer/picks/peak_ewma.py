"""Peak-EWMA: of two nodes by chance, the one whose response time times requests under way is smaller.

It believes bad news at once and good news slowly: a response slower than the average becomes the average, a faster one moves
it by its age. From Twitter's Finagle (`PeakEwma`), whose decay of 10 s it takes.
"""

from __future__ import annotations

from math import exp

from nodes.balancer.picks.machinery.node_state import NodeState
from nodes.balancer.picks.machinery.pair import pair
from nodes.balancer.picks.machinery.pick import Pick

DECAY_S = 10.0
UNKNOWN_S = 1.0
"""What a request under way at a node that never answered counts for: one is let in, and others wait for what it says."""


class PeakEwma(Pick):
    """See the module."""

    def pick(self, key: str, now_s: float) -> NodeState:
        one, two = pair(self.nodes, self._random)
        return one if cost(one, now_s) <= cost(two, now_s) else two

    def answered(self, node: NodeState, now_s: float, took_s: float, ok: bool) -> None:
        node.cost_s = peak(node.cost_s, node.cost_at_s, took_s, now_s)
        node.cost_at_s = now_s


def peak(average_s: float, at_s: float, took_s: float, now_s: float) -> float:
    """The new average."""
    if took_s > average_s:
        return took_s
    kept = exp(-max(0.0, now_s - at_s) / DECAY_S)
    return average_s * kept + took_s * (1.0 - kept)


def cost(node: NodeState, now_s: float) -> float:
    """What one more request there is expected to cost, in seconds; an average nobody renews falls towards zero."""
    average_s = node.cost_s * exp(-max(0.0, now_s - node.cost_at_s) / DECAY_S)
    if not average_s and node.active:
        average_s = UNKNOWN_S
    return average_s * (node.active + 1) / node.weight
