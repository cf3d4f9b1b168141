"""Shortest paths: for every node, by which link each other node is reached.

Pure functions over a graph; nothing here touches a routing table.
"""

from __future__ import annotations

import heapq
from collections.abc import Mapping, Sequence

Cost = tuple[float, ...]
"""Compared from the left and added element by element, e.g. (long hops, delay in ms, hops)."""

Graph = Mapping[str, Sequence[tuple[str, Cost, int]]]
"""node -> its (neighbour, cost, link number)."""


def first_links(graph: Graph, source: str) -> dict[str, int]:
    """Destination -> number of the first link on the cheapest path from `source` (Dijkstra 1959).

    Equal costs are settled by the lower link numbers, so that the same topology always has the same routes. What
    cannot be reached is missing.
    """
    best: dict[str, int] = {}
    seen: set[str] = set()
    heap: list[tuple[Cost, tuple[int, ...], str]] = [((), (), source)]
    while heap:
        cost, links, node = heapq.heappop(heap)
        if node in seen:
            continue
        seen.add(node)
        if links:
            best[node] = links[0]
        for neighbour, step, link in graph.get(node, ()):
            if neighbour not in seen:
                total = tuple(a + b for a, b in zip(cost, step, strict=True)) if cost else step
                heapq.heappush(heap, (total, (*links, link), neighbour))
    return best
