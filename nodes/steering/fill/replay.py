"""Fill over days of requests, without edges: what would have been there when it was asked for, and what would be written.

It is the model that a running fill is held against; its decisions are those of `plan.py` and `popularity.py`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from nodes.steering.fill.plan import Limits, plan
from nodes.steering.fill.popularity import Popularity


@dataclass(frozen=True)
class Replayed:
    """Of the days that count: requests, those for a title that was there, and files that came in the nights between them."""

    requests: int
    hits: int
    written: int
    nights: int


def replay(days: Sequence[Sequence[str]], sizes_bytes: Mapping[str, int], limits: Limits, half_life_days: float,
           counted_from: int) -> Replayed:  # fmt: skip
    """One site that begins empty, with a night after each day but the last. Raises FillError for a title without a size."""
    popularity, held = Popularity(half_life_days), set[str]()
    requests = hits = written = nights = 0
    for day, titles in enumerate(days):
        asked = Counter(titles)
        if day >= counted_from:
            requests += len(titles)
            hits += sum(count for title, count in asked.items() if title in held)
        if day == len(days) - 1:
            break
        popularity.day({title: count * sizes_bytes[title] for title, count in asked.items()}, sizes_bytes)
        tonight = plan(popularity.all(), sizes_bytes, held, limits)
        held = (held - set(tonight.go)) | set(tonight.come)
        if day >= counted_from:
            written, nights = written + len(tonight.come), nights + 1
    return Replayed(requests, hits, written, nights)
