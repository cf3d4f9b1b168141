"""Rendezvous: the same key goes to the same node, and a node that leaves moves no key but its own. It looks at no load."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

from nodes.balancer.picks.machinery.node_state import NodeState
from nodes.balancer.picks.machinery.pick import Keyed
from nodes.hashing.rendezvous import Rendezvous


class ByRendezvous(Keyed):
    """See `nodes/hashing/rendezvous.py`."""

    def __init__(self, nodes: Sequence[NodeState], random: Random) -> None:
        super().__init__(nodes, random)
        self._find = Rendezvous(self.weights).find

    def pick(self, key: str, now_s: float) -> NodeState:
        return self.by_name[self._find(key)]
