"""The rate of a link from when the frames of a burst arrive. It sends nothing and judges nothing."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from itertools import pairwise
from statistics import median

from .plan import Train

FEWEST_CROWDED = 8


def overtakers(arrived: Mapping[int, int]) -> set[int]:
    """Frames (by sequence number) that came before one that was sent earlier."""
    found, latest = set(), 0
    for number in sorted(arrived):
        if arrived[number] < latest:
            found.add(number)
        else:
            latest = arrived[number]
    return found


def dispersion_bps(arrivals: Sequence[tuple[int, int]], train: Train, dry: Sequence[int] = ()) -> float | None:
    """Rate from (sequence number, arrival in ns), by sequence number: a frame lost on the wire has used the rate too.

    Runs are measured each for itself, their bits and times added: what the pauses did does not count, nor does any
    stretch in which a frame of `dry` (ascending sequence numbers) found the link idle. None when too little is left.
    """
    bits = time_ns = 0.0
    runs: dict[int, list[tuple[int, int]]] = {}
    for sequence, at in arrivals:
        runs.setdefault(sequence // train.run, []).append((sequence, at))
    for members in runs.values():
        members.sort()
        spacing = spacing_ns(members, dry)
        if spacing is not None:
            frames = members[-1][0] - members[0][0]
            bits += frames * train.frame_bytes * 8
            time_ns += frames * spacing
    return bits * 1e9 / time_ns if time_ns > 0 else None


def crowded_bps(arrivals: Sequence[tuple[int, int]], frame_bytes: int) -> float | None:
    """Rate where the queue drops many frames: half of those that follow each other are no further apart than the link sends."""
    times = sorted(at for _, at in arrivals)
    spacing = median(later - sooner for sooner, later in pairwise(times)) if len(times) >= FEWEST_CROWDED else 0
    return frame_bytes * 8e9 / spacing if spacing > 0 else None


def spacing_ns(members: Sequence[tuple[int, int]], dry: Sequence[int] = ()) -> float | None:
    """Of (number, arrival), ascending: the median over all pairs a quarter of them apart (after Theil and Sen) between which
    the link was kept busy.

    A frame released late moves nothing, and one stall of this machine touches a minority of the pairs; a link that is
    slow or stalls again and again still shows.
    """
    apart = max(1, len(members) // 4)
    spacings = [(later[1] - sooner[1]) / (later[0] - sooner[0])
                for sooner, later in zip(members, members[apart:], strict=False)
                if bisect_right(dry, sooner[0]) == bisect_right(dry, later[0])]  # fmt: skip
    return median(spacings) if spacings and len(spacings) >= len(members) // 10 else None
