"""A player's decisions: the rate of the next segment, when it may be asked for, what the buffer holds. Pure; takes `now`.

The rate follows throughput alone, by a table of thresholds, as in "Confused, timid, and unstable" (Huang et al., IMC 2012): the
estimate is the mean of the last segments' throughputs. When the buffer is full the player waits until a segment fits, and the
connection is idle meanwhile; those OFF times are what the paper is about.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass


class LadderError(ValueError):
    """A ladder or a setting of the player that has no meaning; the message names it."""


@dataclass(frozen=True)
class Step:
    """This rate is taken while the estimate is above `above_kbps`."""

    above_kbps: float
    rate_kbps: float


@dataclass(frozen=True)
class Settings:
    """`ladder` highest rate first, the last one with `above_kbps` 0; `estimate_of` segments make the estimate."""

    ladder: tuple[Step, ...]
    segment_s: float = 4.0
    buffer_s: float = 240.0
    estimate_of: int = 10

    def __post_init__(self) -> None:
        above = [step.above_kbps for step in self.ladder]
        rates = [step.rate_kbps for step in self.ladder]
        if not self.ladder or above != sorted(set(above), reverse=True) or rates != sorted(set(rates), reverse=True):
            raise LadderError("the ladder is to fall, in its thresholds and in its rates")
        if above[-1] != 0 or rates[-1] <= 0:
            raise LadderError("the last step of the ladder is to be above 0 kbit/s, and its rate too")
        if not (self.segment_s > 0 and self.buffer_s >= self.segment_s and self.estimate_of >= 1):
            raise LadderError("a segment lasts longer than nothing, the buffer holds one, and the estimate is of one at least")

    def size_bytes(self, rate_kbps: float) -> int:
        """Of one segment."""
        return round(rate_kbps * 1000 * self.segment_s / 8)


def ladder(pairs: Sequence[Sequence[float]]) -> tuple[Step, ...]:
    """From pairs of threshold and rate in kbit/s. Raises LadderError."""
    try:
        return tuple(Step(float(above), float(rate)) for above, rate in pairs)
    except (TypeError, ValueError):
        raise LadderError("the ladder is to be pairs of threshold and rate, in kbit/s") from None


class Player:
    """One playback. Times are seconds of any steady clock. Playback begins with the first segment and stalls on an empty
    buffer."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.stalled_s = 0.0
        self._throughputs: deque[float] = deque(maxlen=settings.estimate_of)
        self._buffered_s = 0.0
        self._at: float | None = None

    @property
    def estimate_kbps(self) -> float:
        """Mean throughput of the last segments; 0 before the first."""
        return sum(self._throughputs) / len(self._throughputs) if self._throughputs else 0.0

    def rate_kbps(self) -> float:
        """Of the next segment."""
        estimate = self.estimate_kbps
        return next((step.rate_kbps for step in self.settings.ladder if estimate > step.above_kbps),
                    self.settings.ladder[-1].rate_kbps)  # fmt: skip

    def buffered_s(self, now: float) -> float:
        """What can still be shown at this moment."""
        return max(0.0, self._buffered_s - (now - self._at)) if self._at is not None else 0.0

    def wait_s(self, now: float) -> float:
        """How long until the next segment fits into the buffer; 0 when it does."""
        return max(0.0, self.buffered_s(now) + self.settings.segment_s - self.settings.buffer_s)

    def arrived(self, now: float, size_bytes: int, took_s: float) -> None:
        """A segment is whole. Until it came, the buffer ran empty for as long as it lacked something to show."""
        if self._at is not None:
            self.stalled_s += max(0.0, (now - self._at) - self._buffered_s)
        self._buffered_s, self._at = self.buffered_s(now) + self.settings.segment_s, now
        self._throughputs.append(size_bytes * 8e-3 / max(took_s, 1e-6))
