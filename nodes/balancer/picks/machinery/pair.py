"""Two different nodes by chance, for the rules that compare two. It compares nothing."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

from nodes.balancer.picks.machinery.node_state import NodeState


def pair(nodes: Sequence[NodeState], random: Random) -> tuple[NodeState, NodeState]:
    """Every ordered pair alike; the same node twice where there is only one."""
    count = len(nodes)
    if count == 1:
        return nodes[0], nodes[0]
    # random() is several times as fast as sample(), and its bias for so few nodes is beyond measuring
    first, second = int(random.random() * count), int(random.random() * (count - 1))
    return nodes[first], nodes[second + (second >= first)]
