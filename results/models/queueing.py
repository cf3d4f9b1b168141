"""Queues at a link whose packets arrive by chance and are of one size: in the mean, and packet by packet. It draws nothing."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise


def waiting_packets(load: float) -> float:
    """How many packets wait on average at a link with Poisson arrivals (M/D/1; Pollaczek and Khinchine). `load` is below 1."""
    if not 0 <= load < 1:
        raise ValueError(f"a load of {load} is not from 0 to below 1: the queue would have no mean")
    return load**2 / (2 * (1 - load))


def waits_ms(arrivals_s: Sequence[float], service_ms: float) -> list[float]:
    """How long each packet waits: what the one before it left of work, less the time since (Lindley 1952)."""
    found = [0.0]
    for before, at in pairwise(arrivals_s):
        found.append(max(0.0, found[-1] + service_ms - (at - before) * 1e3))
    return found
