"""`fifo`: the object stored longest ago goes first, used or not.

It keeps nothing per use; its hit ratio is below that of `lru` where uses repeat soon.
"""

from __future__ import annotations

from nodes.edge.policies.machinery.ordered import Queue


class Fifo(Queue):
    """Keys in the order in which they came."""

    renews = False
