"""The nightly plan of one site: what comes and what goes, under its disk and its rate in the fill window.

It does not say from where (`sources.py`) or onto which edge (`placement.py`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from nodes.steering.fill.errors import FillError

BETTER_BY = 1.25
"""A file is exchanged only for one so many times as popular: at the margin ranks change by chance, and each change costs a
write and a read across the network."""


@dataclass(frozen=True)
class Limits:
    """Of a site: bytes of disk, bit/s in the window, and how long that is in seconds."""

    disk_bytes: int
    rate_bps: float
    window_s: float

    @property
    def fill_bytes(self) -> int:
        """What can come in one night."""
        return int(self.rate_bps * self.window_s / 8)


@dataclass(frozen=True)
class Plan:
    """`come` in the order in which they are to be copied, the most popular first; `go` before them."""

    come: tuple[str, ...]
    go: tuple[str, ...]
    left_off: tuple[str, ...]
    """What would have come, had there been time."""


def plan(popularity: Mapping[str, float], sizes_bytes: Mapping[str, int], held: Iterable[str], limits: Limits) -> Plan:
    """The most popular files that fit, least change first: what is there goes only for what is clearly more popular.

    Raises FillError for a file without a size and for limits below zero.
    """
    if min(limits.disk_bytes, limits.rate_bps, limits.window_s) < 0:
        raise FillError(f"could not plan for {limits}: a limit is below zero")
    there = set(held)
    if unknown := [title for title in (*there, *popularity) if sizes_bytes.get(title, 0) <= 0]:
        raise FillError(f"could not plan {unknown[0]}: its size is {sizes_bytes.get(unknown[0], 'unknown')}")
    free = limits.disk_bytes - sum(sizes_bytes[title] for title in there)
    leaving = sorted(there, key=lambda title: (popularity.get(title, 0.0), title))  # the least popular first
    go: list[str] = []
    while free < 0:  # the disk became smaller
        free += sizes_bytes[leaving[0]]
        go.append(leaving.pop(0))
    come, left_off, budget, next_to_go = list[str](), list[str](), limits.fill_bytes, 0
    for title in sorted(popularity, key=lambda title: (-popularity[title], title)):
        if title in there or popularity[title] <= 0:
            continue
        room, going = free, next_to_go
        while room < sizes_bytes[title] and going < len(leaving):
            if popularity.get(leaving[going], 0.0) * BETTER_BY >= popularity[title]:
                break
            room += sizes_bytes[leaving[going]]
            going += 1
        if room < sizes_bytes[title]:
            if going < len(leaving) and free <= 0:
                break  # those behind are less popular still
            continue
        if sizes_bytes[title] > budget:
            left_off.append(title)
            continue
        go += leaving[next_to_go:going]
        free, next_to_go, budget = room - sizes_bytes[title], going, budget - sizes_bytes[title]
        come.append(title)
    return Plan(tuple(come), tuple(go), tuple(left_off))
