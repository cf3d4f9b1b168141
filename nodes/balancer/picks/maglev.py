"""Maglev: the same key goes to the same node, by a table of 65,537 slots. It looks at no load."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

from nodes.balancer.picks.machinery.node_state import NodeState
from nodes.balancer.picks.machinery.pick import Keyed
from nodes.hashing.maglev import Maglev


class ByMaglev(Keyed):
    """See `nodes/hashing/maglev.py`."""

    def __init__(self, nodes: Sequence[NodeState], random: Random) -> None:
        super().__init__(nodes, random)
        self._find = Maglev(self.weights).find

    def pick(self, key: str, now_s: float) -> NodeState:
        return self.by_name[self._find(key)]
