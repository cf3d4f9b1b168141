"""One direction of a link while it is measured: what is to be sent through it, and what came of it so far.

It sends nothing itself (`course.py`) and does not compare (`compare.py`).
"""

from __future__ import annotations

from collections.abc import Iterable

from ..spec import Direction
from . import fill as filling
from .binomial import interval
from .ceiling import drain, mean_bps, queue_bytes
from .chances import chance, inflation, vanishes
from .course import Course
from .dispersion import crowded_bps, dispersion_bps, overtakers
from .fill import Fill
from .filler import Filler
from .model import Way
from .pacer import Pacer
from .plan import SMALLEST_FRAME, Train, loss_train, rate_train, why_no_rate

CONFIDENCE = 0.99
PATIENCE_S, LOSSY_PATIENCE_S, FILL_PATIENCE_S = 0.5, 0.15, 0.05
SHARE_OF_TRAIN = 0.9
_LONGEST_STANDSTILL_S = 10.0
NO_CODEL = "a queue that stands for so long as to make it drop is not built up"
HELD_UP = "this machine held the sender up"


class Survey:
    """`small` and `full` are trains or None, `fill` is a text where there is none. `buffer_bytes` is what its socket holds."""

    def __init__(self, way: Direction, mtu: int, course: Course, buffer_bytes: int) -> None:
        self.way, self.course = way, course
        self.small, self.full = loss_train(way, mtu, buffer_bytes), rate_train(way, mtu, buffer_bytes)
        self.fill: Fill | str = (filling.saturation if way.trace and way.up else filling.fill)(way, mtu, buffer_bytes)
        self._why_no_rate = why_no_rate(way, mtu)
        self.rate: tuple[float, float] | None = None
        self._sent = self._received = self._duplicated = self._overtook = 0
        self._sent_bps: float | None = None
        self._queue_bytes: int | None = None
        self._queue_note = filling.why_not(way, mtu)
        self._gone = vanishes(way, SMALLEST_FRAME)
        self._order = not chance(way, "reorder")

    def begin_train(self, train: Train, start_ns: int) -> None:
        """Make its course ready."""
        own_s = self._under_way_s + train.frames * train.frame_ns / 1e9
        wait_s = own_s * 1.5 + PATIENCE_S if self._gone == 0 else own_s + LOSSY_PATIENCE_S
        certain = self._gone == 0 and self._order
        self.course.begin(Pacer(train, start_ns), train.frame_bytes, train.batch, wait_s, certain=certain)

    def begin_fill(self, fill: Fill, filler: Filler) -> None:
        """Make its course ready."""
        wait_s = self._under_way_s + (fill.room_ns + fill.hold_ns) / 1e9 + FILL_PATIENCE_S
        self.course.begin(filler, fill.frame_bytes, fill.batch, wait_s, certain=False)

    def end_train(self, train: Train) -> None:
        """Take what its course has found."""
        pacer, arrived = self.course.pace, self.course.arrived
        assert isinstance(pacer, Pacer)
        if not train.measures_rate or self.small is None:
            self._count(pacer.count)
        if train.measures_rate:
            late = overtakers(arrived)
            in_order = [(number, at) for number, at in arrived.items() if number not in late]
            bps = (crowded_bps(in_order, train.frame_bytes) if train.overflows else
                   dispersion_bps(in_order, train, pacer.dry if train.saturates else ()))  # fmt: skip
            burst_s = (max(arrived.values()) - min(arrived.values())) / 1e9 if arrived else 0.0
            if bps and (self.rate is None or self.rate[1] < burst_s):
                self.rate = bps, burst_s
            if not train.saturates and pacer.last_ns > pacer.first_ns:
                self._sent_bps = (pacer.count - train.batch) * train.frame_bytes * 8e9 / (pacer.last_ns - pacer.first_ns)

    def end_fill(self, fill: Fill) -> bool:
        """Take what its course has found; whether that is all a fill can tell."""
        filler, arrived = self.course.pace, self.course.arrived
        assert isinstance(filler, Filler)
        if fill.window_ns:
            self.rate = mean_bps(fill, filler, arrived)
            return self.rate is not None
        if self.small is None:
            self._count(min(filler.sure, filler.count))
        self.rate = drain(fill, filler, arrived, self._gone > 0)
        if self.rate is not None:
            self._queue_bytes = queue_bytes(fill, filler, arrived, self.rate[0], self._gone > 0, self.course.blurred)
        return self._queue_bytes is not None

    @property
    def enough(self) -> bool:
        """Whether rate and loss are known from as many frames as a train would have; a fill of a short queue has fewer."""
        counted = self.small is not None or self.full is None or self._sent >= SHARE_OF_TRAIN * self.full.frames
        return self.rate is not None and counted

    def give_up(self, note: str) -> None:
        """There is no fill, or it told nothing, for that reason."""
        if self.way.trace is None and not self._queue_note:
            self._queue_note = note
        self.fill = note

    @property
    def result(self) -> Way:
        """What is known now."""
        low, high = _interval(self.way, self._sent, self._received)
        rate_bps, burst_s = self.rate or (None, None)
        return Way(
            rate_bps, self._sent, self._received, self.course.overflowed, burst_s, self._rate_note, self._sent_bps, low, high,
            self._queue_bytes, None if self._queue_bytes is not None else self._queue_note, self._duplicated, self._overtook,
            codel_note=NO_CODEL if self.way.codel else None,
        )  # fmt: skip

    @property
    def _rate_note(self) -> str | None:
        if self.rate is not None:
            return None if self._sent_bps is None else "the link is faster than this machine can send frames"
        if self.way.trace is not None and self.way.up:
            return str(self.fill) if isinstance(self.fill, str) else HELD_UP
        return self._why_no_rate or f"too little arrived, or {HELD_UP}"

    @property
    def _under_way_s(self) -> float:
        trace_s = self.way.trace.period_ms / 1000 if self.way.trace else 0.0
        return (self.way.delay_ms + self.way.jitter_ms) / 1000 + min(2 * trace_s, _LONGEST_STANDSTILL_S)

    def _count(self, sure: int) -> None:
        """The frames numbered below `sure`."""
        self._sent += sure
        self._received += _below(sure, self.course.arrived)
        self._duplicated += _below(sure, self.course.copies)
        self._overtook += _below(sure, overtakers(self.course.arrived))


def _below(sure: int, numbers: Iterable[int]) -> int:
    return sum(number < sure for number in numbers)


def _interval(way: Direction, sent: int, received: int) -> tuple[float | None, float | None]:
    """Of the loss; losses that come in bursts count as fewer independent frames."""
    if not sent:
        return None, None
    wide = inflation(way)
    return interval((sent - received) / wide, sent / wide, CONFIDENCE)
