"""What a fill shows: the rate at which the queue drained, and how much waited when it was full. It sends and judges nothing."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Container, Mapping
from itertools import pairwise
from statistics import median

from ..spec import ETHERNET_HEADER
from .dispersion import overtakers, spacing_ns
from .fill import Fill
from .filler import Filler

LEAST_SURE, LEAST_FULL = 8, 4


def drain(fill: Fill, filler: Filler, arrived: Mapping[int, int], lossy: bool) -> tuple[float, float] | None:
    """(rate in bit/s, how long the burst was in s) of the frames that any right link accepts; None when that is unknown.

    On a link that loses frames on its wire they are told by their numbers: a lost one has used the rate. Otherwise they are
    counted as they come, so that a queue that is too small is not taken for a rate.
    """
    members = _members(filler, arrived, lossy)
    if len(members) < LEAST_SURE:
        return None
    spacing = spacing_ns(members, [frame for frame in filler.dry if frame < filler.sure])
    if spacing is None or spacing <= 0:
        return None
    return fill.frame_bytes * 8e9 / spacing, (members[-1][1] - members[0][1]) / 1e9


def queue_bytes(fill: Fill, filler: Filler, arrived: Mapping[int, int], rate_bps: float, lossy: bool,
                blurred: Container[int] = ()) -> int | None:  # fmt: skip
    """How much waited when the queue was full: the wait of the frames accepted then, at the measured rate.

    Of `blurred` ones it is not known well when they left.
    """
    if not filler.filled:
        return None
    spacing = fill.frame_bytes * 8e9 / rate_bps
    early = _members(filler, arrived, lossy)
    early = early[: max(LEAST_SURE, len(early) // 4)]
    waits = [arrived[number] - filler.sent_at[number] for number in filler.at_full
             if number in arrived and number not in blurred]  # fmt: skip
    if not early or len(waits) < LEAST_FULL:
        return None
    # A frame that finds the link idle is there after this: each of the first ones has waited for those before it.
    idle_ns = median(at - number * spacing for number, at in early) - filler.sent_at[0]
    return max(0, round((median(waits) - idle_ns) / spacing * fill.frame_bytes))


def _members(filler: Filler, arrived: Mapping[int, int], lossy: bool) -> list[tuple[int, int]]:
    """(number, arrival) of the sure frames that kept their order; without loss they are numbered as they came."""
    passed = overtakers(arrived)
    members = sorted((number, at) for number, at in arrived.items() if number < filler.sure and number not in passed)
    return members if lossy or passed else [(rank, at) for rank, (_, at) in enumerate(members)]


def mean_bps(fill: Fill, filler: Filler, arrived: Mapping[int, int]) -> tuple[float, float] | None:
    """(bits of IP packets a second, length of the window in s) over whole periods of a recording; None when the queue may have
    run empty, or too little arrived.

    The window begins in the widest gap of its first period and so ends in the same one: nothing late moves over its ends.
    """
    times = sorted(arrived.values())
    if filler.dry or not filler.filled or len(times) < 2:
        return None
    within = times[: bisect_left(times, times[0] + fill.window_ns // fill.periods) + 1]
    _, begin = max((later - sooner, (sooner + later) // 2) for sooner, later in pairwise(within))
    if times[-1] < begin + fill.window_ns:
        return None
    count = bisect_left(times, begin + fill.window_ns) - bisect_left(times, begin)
    return count * (fill.frame_bytes - ETHERNET_HEADER) * 8e9 / fill.window_ns, fill.window_ns / 1e9
