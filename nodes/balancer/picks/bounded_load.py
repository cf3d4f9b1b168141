"""Consistent hashing with bounded loads: the same key goes to the same node, unless that one has more than its share.

No node gets a request above ceil(1.25 * m / n), m being the requests under way with this one. Weights make a node's arc of the
ring, not its bound.
"""

from __future__ import annotations

from nodes.balancer.picks.ketama import Ketama
from nodes.balancer.picks.machinery.node_state import NodeState
from nodes.hashing import bounded_loads


class BoundedLoad(Ketama):
    """See `nodes/hashing/bounded_loads.py`."""

    def pick(self, key: str, now_s: float) -> NodeState:
        first, most = self.by_name[self.ring.find(key)], self._most()
        return first if first.active < most else self._below(key, most, None) or first

    def other(self, key: str, now_s: float, but: NodeState) -> NodeState | None:
        return self._below(key, self._most(), but) or super().other(key, now_s, but)

    def _most(self) -> int:
        total = sum([node.active for node in self.nodes])
        return bounded_loads.bound(bounded_loads.FACTOR, total + 1, len(self.nodes))

    def _below(self, key: str, most: int, but: NodeState | None) -> NodeState | None:
        """The first on the key's way that may carry one more."""
        nodes = (self.by_name[name] for name in self.ring.walk(key))
        return next((node for node in nodes if node is not but and node.active < most), None)
