"""What is asked for: one URL, or one of a catalogue by Zipf's law. It asks for nothing."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from itertools import accumulate, repeat
from random import Random

MARK = "{}"
"""Stands in a URL for the rank of an object, 1 being the most popular."""


def cumulative(objects: int, exponent: float) -> list[float]:
    """Sums of the probabilities of ranks 1 to `objects`, each in proportion to 1 / rank ** exponent; the last is 1."""
    sums = list(accumulate(rank**-exponent for rank in range(1, objects + 1)))
    return [one / sums[-1] for one in sums]


def targets(url: str, objects: int, exponent: float, seed: int) -> Iterator[str]:
    """URLs without end, independent of each other. The same seed gives the same."""
    if MARK not in url:
        return repeat(url)
    random, sums = Random(f"targets {seed}"), cumulative(objects, exponent)
    return (url.replace(MARK, str(bisect_left(sums, random.random()) + 1)) for _ in repeat(None))
