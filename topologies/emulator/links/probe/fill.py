"""How the queue of a direction is filled on purpose: how many frames, how fast, and when that is not worth trying.

It sends nothing; `filler.py` paces, `ceiling.py` reads the result. A full queue drains at the rate of the link, so the same
burst shows both, for as long as the queue lasts. A recording has no rate to be read off at once: there the queue is kept full
for whole periods of it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeVar

from units import show_bps, show_bytes, show_ms

from ..spec import ETHERNET_HEADER, Direction
from ..trace import CHANCE_BYTES
from .chances import chance
from .pacer import FASTEST
from .plan import MOST_BATCH, MOST_BATCH_BYTES, MOST_PACE, account_bytes, frame_ns, room_frames

PACE, FAST_PACE = 70_000, 2.3
"""Frames a second while a queue is filled, or so many times what the link carries, at most `MOST_PACE`."""
LEAST_PACE = 1.25
"""A sender that is not so many times as fast as the link would fill its queue too slowly."""
SHORTEST_MS, LONGEST_MS = 3.0, 600.0
"""How long a full queue drains. A shorter time is not told from the machine's own delays; a longer one is not waited for."""
SLACK = 1.2
"""While the sender is held up more frames pass the link, and all must find room in the receive buffer."""
MOST_FRAMES, MOST_FRAMES_IN_ALL = 40_000, 80_000
"""Of one fill, and of all fills of one verification."""
HOLD_PACE, LEAST_HELD, LEAST_HELD_NS, HELD_SHARE = 2.0, 24, 10_000_000, 0.2
"""A queue once full is kept full at so many times the rate, for so many frames, so long, and so much of its drain time."""
Key = TypeVar("Key")
MOST_JITTER, MOST_REORDER = 0.05, 0.2
LONGEST_PERIOD_MS, LEAST_WINDOW_MS, PEAK_MS = 1_000, 200, 20


@dataclass(frozen=True)
class Fill:
    """Frames in batches of `batch`, one every `gap_ns`, until `room_ns` of sending time wait; then for `hold_ns` batches of
    `hold_batch`, one every `hold_gap_ns`.

    `frame_ns` is what one frame takes on the link as specified, `busy_ns` the least that one may take without the link having
    been idle. About `frames` are needed; after `most_frames`, or `most_ns`, it is given up. A `window_ns` is so many `periods`
    of a recording.
    """

    frame_bytes: int
    frame_ns: int
    busy_ns: int
    room_ns: int
    batch: int
    gap_ns: int
    hold_ns: int
    hold_batch: int
    hold_gap_ns: int
    frames: int
    most_ns: int
    window_ns: int = 0
    periods: int = 0

    @property
    def most_frames(self) -> int:
        """Twice what is needed, for a sender that is held up."""
        return 2 * self.frames + 64

    @property
    def drain_bps(self) -> float:
        """What the link carries meanwhile."""
        return self.frame_bytes * 8e9 / self.frame_ns


def why_not(way: Direction, mtu: int) -> str:
    """Why the ceiling of the queue cannot be measured at all, in words; empty when it can."""
    if way.rate_bps is None or way.codel is not None or not way.up:
        return ("the link is down" if not way.up else "CoDel drops before the queue is full" if way.codel is not None else
                "a trace drains in bursts, so the wait tells nothing of the queue" if way.trace is not None else
                "without a rate nothing waits")  # fmt: skip
    drain_ms = frame_ns(way.room_bytes(mtu), way.rate_bps) / 1e6
    if drain_ms < SHORTEST_MS:
        return f"full, it drains in {show_ms(drain_ms)}, which this machine's own delays hide"
    if drain_ms > LONGEST_MS:
        return f"full, it drains in {show_ms(drain_ms)}; {show_ms(LONGEST_MS)} are waited for at most"
    if way.jitter_ms > MOST_JITTER * drain_ms:
        return f"jitter of up to {show_ms(way.jitter_ms)} hides a wait of {show_ms(drain_ms)}"
    return "too many frames overtake those that wait" if chance(way, "reorder") > MOST_REORDER else ""


def fill(way: Direction, mtu: int, buffer_bytes: int) -> Fill | str:
    """The fill of one direction, or why there is none. `buffer_bytes` is what the receiver's socket holds."""
    if why := why_not(way, mtu):
        return why
    assert way.rate_bps is not None
    size = mtu + ETHERNET_HEADER
    own_ns = frame_ns(size, way.rate_bps)
    pace = min(MOST_PACE, max(PACE, FAST_PACE * 1e9 / own_ns))
    if 1e9 / own_ns * LEAST_PACE > pace:
        return f"{show_bps(way.rate_bps)} are too fast to be overtaken by a sender of {MOST_PACE} frames a second"
    room = way.queue_packets if way.queue_packets is not None else (way.queue_bytes or 0) / size
    held = max(LEAST_HELD, LEAST_HELD_NS / own_ns, HELD_SHARE * room)
    hold_pace = min(HOLD_PACE, pace * own_ns / 1e9)
    frames = math.ceil(room / (1 - 1e9 / own_ns / pace) + held * hold_pace)
    what = f"filling {show_bytes(way.room_bytes(mtu))}"
    if frames > MOST_FRAMES:
        return f"{what} takes {frames} frames, and {MOST_FRAMES} are the most for one queue"
    through = room + (room / (pace * own_ns / 1e9 - 1) + held) * SLACK
    if through > (most := buffer_bytes // account_bytes(size)):
        return f"{what} lets {through:.0f} frames through; a receive buffer of {show_bytes(buffer_bytes)} holds {most}"
    batch = max(1, min(MOST_BATCH, MOST_BATCH_BYTES // size, int(room / 4)))
    hold_batch = max(1, min(batch, int(room / 64)))
    return Fill(size, own_ns, round(own_ns / FASTEST), round(room * own_ns), batch, round(batch * 1e9 / pace),
                round(held * own_ns), hold_batch, round(hold_batch * own_ns / hold_pace), frames,
                round((most - room) * own_ns))  # fmt: skip


def saturation(way: Direction, mtu: int, buffer_bytes: int) -> Fill | str:
    """Whole periods of a recording with the queue kept full, or why its rate is not measured."""
    trace = way.trace
    assert trace is not None
    if trace.period_ms > LONGEST_PERIOD_MS:
        return (f"the recording begins again after {show_ms(trace.period_ms)}; whole periods are measured, of at most "
                f"{show_ms(LONGEST_PERIOD_MS)}")  # fmt: skip
    size = min(mtu, CHANCE_BYTES) + ETHERNET_HEADER
    peak, room = _most_within(trace.times_ms, trace.period_ms, PEAK_MS), room_frames(way, size)
    if way.codel is not None or peak > room / 2:
        return f"up to {peak} chances come within {PEAK_MS} ms, too many for the queue to bridge a pause of the sender"
    own_ns = round(trace.period_ms * 1e6 / len(trace.times_ms))
    fastest_ns = min(own_ns, round(PEAK_MS * 1e6 / peak))
    periods = math.ceil(LEAST_WINDOW_MS / trace.period_ms)
    window_ns = periods * trace.period_ms * 1_000_000
    hold_ns = window_ns + 2 * trace.period_ms * 1_000_000 + round(room * own_ns) + 20_000_000
    batch = max(1, min(MOST_BATCH, MOST_BATCH_BYTES // size, int(room / 8)))
    gap_ns = max(round(batch * fastest_ns / LEAST_PACE), round(batch * 1e9 / PACE))
    frames = math.ceil(room + hold_ns / gap_ns * batch)
    if frames > (most := min(MOST_FRAMES, buffer_bytes // account_bytes(size))):
        return f"keeping the queue full for whole periods takes {frames} frames, and {most} are the most"
    return Fill(size, own_ns, fastest_ns, round(room * own_ns), batch, round(batch * 1e9 / PACE), hold_ns, batch, gap_ns,
                frames, 4 * hold_ns, window_ns, periods)  # fmt: skip


def _most_within(times_ms: tuple[int, ...], period_ms: int, width_ms: int) -> int:
    """The most chances within any stretch of that width, the recording being repeated."""
    turns = math.ceil(width_ms / period_ms)
    times = [turn * period_ms + at for turn in range(turns + 1) for at in times_ms]
    most = first = 0
    for last, at in enumerate(times):
        while times[first] <= at - width_ms:
            first += 1
        most = max(most, last - first + 1)
    return most


def affordable(fills: Mapping[Key, Fill]) -> set[Key]:
    """Which of them are done in one verification: the smallest first, as many frames as it may send."""
    left, found = MOST_FRAMES_IN_ALL, set[Key]()
    for key, one in sorted(fills.items(), key=lambda item: item[1].frames):
        if one.frames > left:
            break
        left -= one.frames
        found.add(key)
    return found
