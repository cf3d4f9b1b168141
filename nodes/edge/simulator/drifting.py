"""Requests by Zipf's law, day by day, with titles that become hits and others that are forgotten. It simulates no cache."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np


def drifting(titles: int, plays: int, days: int, rising: int, *, exponent: float = 1.1, seed: int = 8) -> Iterator[list[int]]:
    """The titles (numbers) asked for on each day, in order. On each day `rising` titles, whichever they are, change places with
    as many of the most popular fiftieth. The same arguments give the same requests."""
    chance = np.random.default_rng(seed)
    share = np.arange(1, titles + 1) ** -exponent
    ranked = np.arange(titles)
    for _ in range(days):
        risen, fallen = chance.integers(0, titles, rising), chance.integers(0, max(1, titles // 50), rising)
        for one, other in zip(risen, fallen, strict=True):
            ranked[[one, other]] = ranked[[other, one]]
        yield ranked[chance.choice(titles, plays, p=share / share.sum())].tolist()
