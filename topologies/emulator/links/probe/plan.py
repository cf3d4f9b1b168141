"""How a link is probed: sizes, counts and paces, computed from its specification.

It sends nothing. A train must be long enough to mean something and short enough never to overflow the queue.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from ..spec import Direction

HEADERS = 14 + 20 + 8  # Ethernet, IPv4, UDP (ICMP echo has the same 8)
PAYLOAD = 8
ECHO_FRAME = SMALLEST_FRAME = HEADERS + PAYLOAD

OVERPACE = 1.15
"""Faster than the link by more than the tolerance, so that a link that is too fast shows."""
TRAIN_S, LONGEST_TRAIN_S, LEAST_FRAMES, JITTERS_PER_TRAIN = 0.02, 0.6, 64, 60
LOSSES_WANTED, MOST_LOSS_FRAMES, LOSS_FRAMES_PER_S, LONGEST_LOSS_S = 10, 10_000, 20_000, 1.0
ECHOES, ECHO_SPAN_S = 16, 0.8
MOST_FRAMES_PER_S = 40_000
PRIME_NS, QUEUE_SHARE, MOST_QUEUE_SHARE = 5_000_000, 0.7, 0.8
_UNSHAPED_BURST_NS = 1_000_000


@dataclass(frozen=True)
class Train:
    """`frames` of `frame_bytes`, one every `gap_ns`; after each `run` of them a pause in which the queue empties.

    `frame_ns` is what one takes on the link as specified. A run starts with `prime` frames at once, and never has more
    than `most_ns` of sending time in the queue.
    """

    frame_bytes: int
    frames: int
    gap_ns: int
    run: int
    pause_ns: int
    frame_ns: int
    prime: int
    most_ns: int
    measures_rate: bool

    @property
    def rate_bps(self) -> float:
        """What it puts on the machine while it runs."""
        return self.frame_bytes * 8e9 / self.gap_ns


def trains(way: Direction, mtu: int, buffer_bytes: int) -> list[Train]:
    """The trains of one direction: one for the rate if it has one, one of small frames for the loss if it has any.

    `buffer_bytes` is what the receiver's socket holds, in the kernel's accounting.
    """
    found = []
    if way.rate_bps is not None:
        found.append(_rate_train(way, way.rate_bps, mtu, buffer_bytes))
    if way.loss:
        pace_bps = LOSS_FRAMES_PER_S * SMALLEST_FRAME * 8.0
        if way.rate_bps is not None:
            pace_bps = min(pace_bps, 0.8 * way.rate_bps)
        per_s = pace_bps / 8 / SMALLEST_FRAME
        count = min(math.ceil(LOSSES_WANTED / way.loss), MOST_LOSS_FRAMES, int(per_s * LONGEST_LOSS_S),
                    buffer_bytes // _account_bytes(SMALLEST_FRAME))  # fmt: skip
        gap_ns, frames = round(1e9 / per_s), max(8, count)
        frame_ns = _frame_ns(SMALLEST_FRAME, way.rate_bps) if way.rate_bps else gap_ns
        most_ns = _frame_ns(way.queue_bytes // 2, way.rate_bps) if way.rate_bps else _UNSHAPED_BURST_NS
        found.append(Train(SMALLEST_FRAME, frames, gap_ns, frames, 0, frame_ns, 1, most_ns, False))
    return found


def _account_bytes(frame_bytes: int) -> int:
    """What the kernel charges a socket buffer for one frame, at most: its memory comes in whole blocks."""
    return frame_bytes + 1050 if frame_bytes <= 1514 else 2 * frame_bytes + 1024


def _frame_ns(size_bytes: int, rate_bps: int) -> int:
    return round(size_bytes * 8e9 / rate_bps)


def _rate_train(way: Direction, rate_bps: int, mtu: int, buffer_bytes: int) -> Train:
    full = mtu + 14
    frame = min(full, max(SMALLEST_FRAME, int(rate_bps * LONGEST_TRAIN_S / 8 / LEAST_FRAMES)))
    wanted_s = min(LONGEST_TRAIN_S, max(TRAIN_S, JITTERS_PER_TRAIN * way.jitter_ms / 1000))
    frames = min(max(LEAST_FRAMES, math.ceil(rate_bps * wanted_s / 8 / frame)),
                 max(8, buffer_bytes // _account_bytes(frame)))  # fmt: skip
    frame_ns, queue_frames = _frame_ns(frame, rate_bps), way.queue_bytes / frame
    # What waits in the queue from the start keeps the link busy while this sender is held up.
    prime = max(1, min(int(queue_frames / 2), max(4, PRIME_NS // frame_ns)))
    # Beyond the prime the queue gains (1 - 1/OVERPACE) of a frame with each frame sent.
    run = min(frames, max(2, prime + int((queue_frames * QUEUE_SHARE - prime) / (1 - 1 / OVERPACE))))
    pause_ns = round((prime + run * (OVERPACE - 1)) * frame_ns * 1.5)
    most_ns = _frame_ns(int(way.queue_bytes * MOST_QUEUE_SHARE), rate_bps)
    return Train(frame, frames, round(frame_ns / OVERPACE), run, pause_ns, frame_ns, prime, most_ns, True)


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
        spacing_ns = _frame_spacing_ns(members, dry)
        if spacing_ns is not None:
            frames = members[-1][0] - members[0][0]
            bits += frames * train.frame_bytes * 8
            time_ns += frames * spacing_ns
    return bits * 1e9 / time_ns if time_ns > 0 else None


def _frame_spacing_ns(members: Sequence[tuple[int, int]], dry: Sequence[int]) -> float | None:
    """Median over all pairs a quarter of a run apart (after Theil and Sen) between which the link was kept busy.

    A frame released late moves nothing, and one stall of this machine touches a minority of the pairs; a link that is
    slow or stalls again and again still shows.
    """
    apart = max(1, len(members) // 4)
    spacings = [(later[1] - sooner[1]) / (later[0] - sooner[0])
                for sooner, later in zip(members, members[apart:], strict=False)
                if bisect_right(dry, sooner[0]) == bisect_right(dry, later[0])]  # fmt: skip
    return median(spacings) if spacings and len(spacings) >= len(members) // 10 else None


def jitter_bias(way: Direction) -> float:
    """What jitter may do to the measured rate, as a fraction: one end of the train moves against the other."""
    return 2 / JITTERS_PER_TRAIN if way.jitter_ms else 0.0


def echoes(a_to_b: Direction, b_to_a: Direction) -> tuple[int, int]:
    """How many echoes and how many nanoseconds apart: no echo meets another in a queue, or overtakes its jitter."""
    slowest_s = max(ECHO_FRAME * 8 / way.rate_bps if way.rate_bps else 0.0 for way in (a_to_b, b_to_a))
    apart_s = max(ECHO_SPAN_S / ECHOES, 3 * slowest_s, 2.5e-3 * max(a_to_b.jitter_ms, b_to_a.jitter_ms))
    return max(5, min(ECHOES, int(ECHO_SPAN_S / apart_s))), round(apart_s * 1e9)


def groups(loads: Sequence[tuple[object, Train]], budget_bps: float) -> list[list[int]]:
    """Indices of the trains that run at the same time: rates within the budget, and frames within what we can send.

    Each load is a direction (any value that names it) and a train: two trains of one direction never share a group,
    they would measure each other. A train above the budget runs alone.
    """
    found: list[tuple[list[int], set[object], list[float]]] = []
    for index in sorted(range(len(loads)), key=lambda i: loads[i][1].rate_bps, reverse=True):
        way, train = loads[index]
        load = (train.rate_bps, 1e9 / train.gap_ns)
        fitting = (g for g in found if way not in g[1] and load[0] <= g[2][0] and load[1] <= g[2][1])
        group = next(fitting, None)
        if group is None:
            group = ([], set(), [budget_bps * OVERPACE, float(MOST_FRAMES_PER_S)])
            found.append(group)
        members, ways, left = group
        members.append(index)
        ways.add(way)
        left[:] = [left[0] - load[0], left[1] - load[1]]
    return [members for members, _, _ in found]
