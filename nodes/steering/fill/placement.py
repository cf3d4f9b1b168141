"""On which edges of a site a file lies: consistent hashing with two weights, and more replicas of what is hotter.

It moves nothing. Hot files go by what an edge can send, the tail by what it can store (Netflix, "Distributing Content to Open
Connect", 2017, has the two rings). The hash is weighted rendezvous (Schindelhauer and Schomaker, "Weighted Distributed Hash
Tables", 2005): an edge more or less moves only what comes to it or was on it, in proportion to its weight.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass

from nodes.steering.fill.errors import FillError


@dataclass(frozen=True)
class Edge:
    """An edge with its two weights: bit/s that it can send, bytes that it can store."""

    name: str
    throughput_bps: float
    storage_bytes: float


def replicas(popularity: float, plays_per_replica: float, edges: int) -> int:
    """How many edges get a file with so many plays a day: one for each `plays_per_replica`, at least one, at most all."""
    return max(1, min(edges, math.ceil(popularity / plays_per_replica)))


def place(title: str, popularity: float, edges: Sequence[Edge], plays_per_replica: float) -> list[str]:
    """The edges for a file, the first the most preferred. Hot is what has more than one replica. Raises FillError."""
    if not plays_per_replica > 0:
        raise FillError(f"could not place {title}: plays_per_replica {plays_per_replica:g} is not above zero")
    count = replicas(popularity, plays_per_replica, len(edges)) if edges else 0
    hot = count > 1
    weighed = [(edge.throughput_bps if hot else edge.storage_bytes, edge.name) for edge in edges]
    if wrong := [name for weight, name in weighed if not 0 <= weight < math.inf]:
        raise FillError(f"could not place {title}: the weight of {wrong[0]} is not from 0 on")
    usable = sorted(((_score(title, name, weight), name) for weight, name in weighed if weight > 0), reverse=True)
    if not usable:
        raise FillError(f"could not place {title}: no edge can take it")
    return [name for _, name in usable[:count]]


def _score(title: str, edge: str, weight: float) -> float:
    digest = hashlib.blake2b(f"{title}\0{edge}".encode(), digest_size=8).digest()
    return -weight / math.log((int.from_bytes(digest, "big") + 0.5) / 2**64)
