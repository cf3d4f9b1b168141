"""`lru`: the least recently used object goes first.

It does not know how often an object was used; one long scan replaces everything.
"""

from __future__ import annotations

from nodes.edge.policies.machinery.ordered import Queue


class Lru(Queue):
    """Keys in the order of their last use."""

    renews = True
