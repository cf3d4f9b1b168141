"""Netflix's choice of two: of two nodes by chance the better by three numbers, two seen from here and one the node reports.

It is not Zuul's code, whose weights are not published; the factors and filters are those of M. Smith, "Rethinking Netflix's
Edge Load Balancing" (Netflix Technology Blog, 2018): the share of failures, requests under way, the utilisation in
`X-Netflix.server.utilization`; all decay towards zero, and a new node has one request at a time until it has answered.
"""

from __future__ import annotations

from math import exp

from nodes.balancer.picks.machinery.node_state import NodeState
from nodes.balancer.picks.machinery.pair import pair
from nodes.balancer.picks.machinery.pick import Pick

DECAY_S = 30.0
"""What was learnt so long ago counts a third; what is older hardly."""
FAILING, FULL = 0.5, 0.95
"""A node above either is passed over while another pair can be drawn."""
LATEST = 0.2
"""What the latest answer counts for in the share of failures."""
DRAWS = 3


class ChoiceOfTwo(Pick):
    """See the module."""

    def pick(self, key: str, now_s: float) -> NodeState:
        for _ in range(DRAWS):
            one, two = pair(self.nodes, self._random)
            if usable(one, now_s):
                if not usable(two, now_s):
                    return one
                break
            if usable(two, now_s):
                return two
        return one if score(one, two, now_s) <= score(two, one, now_s) else two

    def answered(self, node: NodeState, now_s: float, took_s: float, ok: bool) -> None:
        before = _aged(node.failures, node.failures_at_s, now_s)
        node.failures, node.failures_at_s = before * (1.0 - LATEST) + (0.0 if ok else LATEST), now_s


def usable(node: NodeState, now_s: float) -> bool:
    """Whether a node passes the filters: not on probation with a request under way, not failing, not full."""
    if not node.answers and node.active:
        return False
    if _aged(node.failures, node.failures_at_s, now_s) > FAILING:
        return False
    return node.utilisation is None or _aged(node.utilisation, node.utilisation_at_s, now_s) <= FULL


def score(node: NodeState, beside: NodeState, now_s: float) -> float:
    """The sum of three numbers between 0 and 1; less is better. Requests are those of the two, one more each, by weight."""
    own, others = (node.active + 1) / node.weight, (beside.active + 1) / beside.weight
    reported = 0.0 if node.utilisation is None else _aged(node.utilisation, node.utilisation_at_s, now_s)
    return own / (own + others) + reported + _aged(node.failures, node.failures_at_s, now_s)


def _aged(value: float, at_s: float, now_s: float) -> float:
    return value * exp((at_s - now_s) / DECAY_S) if value else 0.0
