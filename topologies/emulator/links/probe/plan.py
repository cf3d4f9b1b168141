"""How a link is probed with trains and echoes: sizes, counts and paces, computed from its specification.

It sends nothing. A train must be long enough to mean something and short enough never to overflow the queue; how a queue is
filled on purpose stands in `fill.py`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from ..effects.jitter import Jitter
from ..spec import ETHERNET_HEADER, Direction
from .chances import chance, inflation, spoilt

HEADERS = ETHERNET_HEADER + 20 + 8  # Ethernet, IPv4, UDP (ICMP echo has the same 8)
PAYLOAD = 8
ECHO_FRAME = SMALLEST_FRAME = HEADERS + PAYLOAD

OVERPACE = 1.15
"""Faster than the link by more than the tolerance, so that a link that is too fast shows."""
TRAIN_S, LONGEST_TRAIN_S, LEAST_FRAMES, JITTERS_PER_TRAIN = 0.02, 0.6, 64, 60
EVENTS_WANTED, MOST_LOSS_FRAMES, LOSS_FRAMES_PER_S, LONGEST_LOSS_S = 30, 10_000, 20_000, 1.0
ECHOES, ECHO_SPAN_S, CABLE_ECHOES = 16, 0.5, 6
RANDOM_ECHOES, RANDOM_SPAN_S, FURTHEST_WIDTHS = 64, 1.0, 1.6
"""Where the delay is random: its level and its spread need samples."""
MOST_FRAMES_PER_S = 80_000
MOST_PACE = 190_000
"""Frames a second that one train may have: the relay takes in no more without falling behind."""
PRIME_NS, QUEUE_SHARE, MOST_QUEUE_SHARE = 5_000_000, 0.7, 0.8
LEAST_SEND_NS, MOST_BATCH, MOST_BATCH_BYTES = 50_000, 44, 65_000
FEWEST_WAITING, LEAST_SERVICE_NS, TINY_OVERPACE, MOST_TINY_LOSS = 4, 500_000, 2.0, 0.3
_UNSHAPED_BURST_NS = 1_000_000
_DOWN_FRAMES = 8


@dataclass(frozen=True)
class Train:
    """`frames` of `frame_bytes`, one every `gap_ns`; after each `run` of them a pause in which the queue empties.

    `frame_ns` is what one takes on the link as specified. A run starts with `prime` frames at once, and never has more
    than `most_ns` of sending time in the queue. They are sent `batch` at a time. Without `saturates` it is the sender that
    sets the pace. One that `overflows` keeps a queue busy that holds too few frames for anything else, and tells no loss.
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
    batch: int = 1
    saturates: bool = True
    overflows: bool = False

    @property
    def rate_bps(self) -> float:
        """What it puts on the machine while it runs."""
        return self.frame_bytes * 8e9 / self.gap_ns


def room_frames(way: Direction, frame_bytes: int) -> float:
    """How many frames of that size surely wait without a drop. CoDel leaves alone what waits for less than its target."""
    room = way.queue_packets if way.queue_packets is not None else (way.queue_bytes or 0) / frame_bytes
    if way.codel and way.nominal_bps:
        room = min(room, way.codel.target_ms / 2e3 * way.nominal_bps / 8 / frame_bytes)
    return room


def account_bytes(frame_bytes: int) -> int:
    """What the kernel charges a socket buffer for one frame, at most: its memory comes in whole blocks."""
    return frame_bytes + 1050 if frame_bytes <= 1514 else 2 * frame_bytes + 1024


def frame_ns(size_bytes: float, rate_bps: float) -> int:
    """What so many bytes take at a rate."""
    return round(size_bytes * 8e9 / rate_bps)


def batch_of(frame_bytes: int, gap_ns: float, room: float) -> int:
    """How many frames go with one call: few calls where frames are dense, but at most a quarter of the room at once."""
    most = min(MOST_BATCH, MOST_BATCH_BYTES // (frame_bytes - HEADERS), int(room / 4))
    return max(1, min(math.ceil(LEAST_SEND_NS / max(1.0, gap_ns)), most))


def loss_train(way: Direction, mtu: int, buffer_bytes: int) -> Train | None:
    """Small frames that show how many are lost, doubled, overtake or vanish; None where full frames show it as well.

    `buffer_bytes` is what the receiver's socket holds, in the kernel's accounting. There are enough frames for thirty events of
    the rarest kind, as far as count and time allow.
    """
    rare = [p for p in (way.loss / inflation(way), spoilt(way, SMALLEST_FRAME), chance(way, "duplicate"),
                        chance(way, "reorder")) if p]  # fmt: skip
    if way.unshaped or (way.rate_bps is not None and way.up and not rare and not tiny_queue(way, mtu)):
        return None
    pace_bps = LOSS_FRAMES_PER_S * SMALLEST_FRAME * 8.0
    if way.nominal_bps is not None:
        pace_bps = min(pace_bps, 0.8 * way.nominal_bps)
    per_s, room = pace_bps / 8 / SMALLEST_FRAME, room_frames(way, SMALLEST_FRAME)
    most = [MOST_LOSS_FRAMES, int(per_s * LONGEST_LOSS_S), buffer_bytes // account_bytes(SMALLEST_FRAME)]
    if way.trace is not None:
        most.append(int(room / 2))  # a recording may stand still for long: all of them wait meanwhile
    frames = max(8, min(math.ceil(EVENTS_WANTED / min(rare)) if rare else LEAST_FRAMES, *most)) if way.up else _DOWN_FRAMES
    gap_ns = round(1e9 / per_s)
    own_ns = frame_ns(SMALLEST_FRAME, way.nominal_bps) if way.nominal_bps else gap_ns
    most_ns = round(room / 2 * own_ns) if way.nominal_bps else _UNSHAPED_BURST_NS
    return Train(SMALLEST_FRAME, frames, gap_ns, frames, 0, own_ns, 1, most_ns, False)


def tiny_queue(way: Direction, mtu: int) -> bool:
    """Whether the queue holds so few full frames that some must be dropped to keep the link busy."""
    return way.rate_bps is not None and room_frames(way, _train_frame(way.rate_bps, mtu)) < FEWEST_WAITING


def why_no_rate(way: Direction, mtu: int) -> str:
    """Why a direction has no train for its rate, in words; empty when it has one."""
    if way.rate_bps is None or not way.up:
        return "without a rate" if way.up else "the link is down"
    short = frame_ns(_train_frame(way.rate_bps, mtu), way.rate_bps) < LEAST_SERVICE_NS
    hidden = tiny_queue(way, mtu) and (short or way.loss > MOST_TINY_LOSS)
    return "its queue holds so few frames that it cannot be kept busy here" if hidden else ""


def _train_frame(rate_bps: int, mtu: int) -> int:
    return min(mtu + ETHERNET_HEADER, max(SMALLEST_FRAME, int(rate_bps * LONGEST_TRAIN_S / 8 / LEAST_FRAMES)))


def rate_train(way: Direction, mtu: int, buffer_bytes: int) -> Train | None:
    """Full frames a little faster than the rate; None where `why_no_rate` says why."""
    if why_no_rate(way, mtu) or way.rate_bps is None:
        return None
    rate_bps, frame = way.rate_bps, _train_frame(way.rate_bps, mtu)
    frames = min(max(LEAST_FRAMES, math.ceil(rate_bps * _wanted_s(way) / 8 / frame)),
                 max(8, buffer_bytes // account_bytes(frame)))  # fmt: skip
    own_ns, room = frame_ns(frame, rate_bps), room_frames(way, frame)
    if tiny_queue(way, mtu):
        return Train(frame, frames, round(own_ns / TINY_OVERPACE), frames, 0, own_ns, 1, frames * own_ns, True, overflows=True)
    gap_ns = max(round(own_ns / OVERPACE), round(1e9 / MOST_PACE))
    batch = batch_of(frame, gap_ns, room)
    saturates = gap_ns <= own_ns / 1.1
    # What waits in the queue from the start keeps the link busy while this sender is held up.
    prime = max(1, min(int(room / 2), max(4, PRIME_NS // max(1, own_ns)))) if saturates else 1
    # Beyond the prime the queue gains (1 - 1/OVERPACE) of a frame with each frame sent.
    run = min(frames, max(2, prime + int((room * QUEUE_SHARE - prime) / (1 - 1 / OVERPACE))))
    pause_ns = round((prime + run * (OVERPACE - 1)) * own_ns * 1.5)
    return Train(frame, frames, gap_ns, run, pause_ns, own_ns, prime, round(room * MOST_QUEUE_SHARE * own_ns), True,
                 batch, saturates)  # fmt: skip


def _wanted_s(way: Direction) -> float:
    return min(LONGEST_TRAIN_S, max(TRAIN_S, JITTERS_PER_TRAIN * way.jitter_ms / 1000))


def jitter_bias(way: Direction) -> float:
    """What jitter may do to the measured rate, as a fraction: one end of the train moves against the other."""
    return 2 * way.jitter_ms / 1000 / _wanted_s(way)


def echoes(a_to_b: Direction, b_to_a: Direction) -> tuple[int, int]:
    """How many echoes and how many nanoseconds apart: no echo meets another in a queue, or overtakes its jitter."""
    ways = (a_to_b, b_to_a)
    slowest_s = max(ECHO_FRAME * 8 / way.nominal_bps if way.nominal_bps else 0.0 for way in ways)
    random = any(isinstance(effect, Jitter) or effect.word == "reorder" for way in ways for effect in way.effects)
    wanted, span_s = (CABLE_ECHOES if all(way.unshaped for way in ways) else ECHOES), ECHO_SPAN_S
    if random:
        wanted, span_s = RANDOM_ECHOES, RANDOM_SPAN_S
    # An offset of several widths is rare, and the next echo is then held back a little.
    furthest_ms = max(min(way.jitter_ms, FURTHEST_WIDTHS * way.jitter.jitter_ms) for way in ways)
    apart_s = max(span_s / wanted, 3 * slowest_s, 2.5e-3 * furthest_ms)
    return max(5, min(wanted, int(span_s / apart_s))), round(apart_s * 1e9)


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
