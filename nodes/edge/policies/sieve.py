"""`sieve`: a hand goes from the oldest object to the newest and takes the first that was not used since it last passed.

Objects never move, so that new ones which nobody asks for again are found soon (Y. Zhang et al., "SIEVE is Simpler than
LRU", NSDI 2024, algorithm 1). It does not resist scans: one long scan clears all marks.
"""

from __future__ import annotations

from nodes.edge.policies.machinery.policy import Policy


class _Node:
    __slots__ = ("key", "newer", "older", "size", "used")

    def __init__(self, key: int, size: int, older: _Node | None) -> None:
        self.key, self.size, self.older = key, size, older
        self.newer: _Node | None = None
        self.used = False


class Sieve(Policy):
    """A queue with a hand in it."""

    def __init__(self, capacity_bytes: int) -> None:
        super().__init__(capacity_bytes)
        self._nodes: dict[int, _Node] = {}
        self._newest: _Node | None = None
        self._oldest: _Node | None = None
        self._hand: _Node | None = None

    def __contains__(self, key: int) -> bool:
        return key in self._nodes

    def __len__(self) -> int:
        return len(self._nodes)

    def _hit(self, key: int) -> None:
        self._nodes[key].used = True

    def _add(self, key: int, size_bytes: int) -> None:
        node = self._nodes[key] = _Node(key, size_bytes, self._newest)
        if self._newest is None:
            self._oldest = node
        else:
            self._newest.newer = node
        self._newest = node

    def _evict(self) -> tuple[int, int]:
        node = self._hand or self._oldest
        assert node is not None, "nothing to evict"
        while node.used:
            node.used = False
            following = node.newer or self._oldest
            assert following is not None
            node = following
        self._hand = node  # from where `_unlink` moves it on
        self._unlink(node)
        return node.key, node.size

    def _drop(self, key: int) -> int | None:
        node = self._nodes.get(key)
        if node is None:
            return None
        self._unlink(node)
        return node.size

    def _unlink(self, node: _Node) -> None:
        del self._nodes[node.key]
        if self._hand is node:
            self._hand = node.newer  # None: it begins again with the oldest
        if node.newer is None:
            self._newest = node.older
        else:
            node.newer.older = node.older
        if node.older is None:
            self._oldest = node.newer
        else:
            node.older.newer = node.newer
