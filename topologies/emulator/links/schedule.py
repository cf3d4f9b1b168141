"""Changes of a link at given times: `at 20s rate 20mbit; from 30s to 40s down`. It reads no clock and changes nothing."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from units import UnitError, milliseconds, show_ms

from . import change
from .change import Change
from .spec import Direction, LinkError

LONGEST_MS = 7 * 24 * 3_600_000.0

_EXAMPLE = "at 20s rate 20mbit; from 30s to 40s down"


@dataclass(frozen=True)
class Step:
    """A change from `at_ms` on; with `until_ms` what it touched is afterwards as it was before."""

    at_ms: float
    until_ms: float | None
    change: Change


@dataclass(frozen=True)
class Schedule:
    """Steps in ascending order of their beginning. No two that touch the same thing overlap."""

    steps: tuple[Step, ...]
    text: str

    def timeline(self, base: Direction) -> list[tuple[float, Direction]]:
        """(time in ms, the direction from then on), ascending, all changes of one moment together."""
        moments = sorted({at for step in self.steps for at in (step.at_ms, step.until_ms) if at is not None})
        return [(moment, self._at(base, moment)) for moment in moments]

    def _at(self, base: Direction, moment_ms: float) -> Direction:
        way = base
        for step in self.steps:
            if step.until_ms is None and step.at_ms <= moment_ms:
                way = step.change.apply(way)
        for step in self.steps:
            if step.until_ms is not None and step.at_ms <= moment_ms < step.until_ms:
                way = step.change.apply(way)
        return way


def parse(text: str) -> Schedule:
    """From text: steps separated by semicolons. Raises LinkError for steps that overlap or run backwards."""
    steps = tuple(_step(part.strip()) for part in text.split(";") if part.strip())
    if not steps:
        raise LinkError(f"the schedule '{text}' has no step; write for example {_EXAMPLE}")
    for earlier, later in pairwise(steps):
        if later.at_ms < earlier.at_ms:
            raise LinkError(f"the schedule runs backwards: {show_ms(later.at_ms)} comes after {show_ms(earlier.at_ms)}; "
                            "write its steps in the order of their times")  # fmt: skip
    _refuse_overlaps(steps)
    return Schedule(steps, text.strip())


def merged(several: Sequence[Schedule]) -> Schedule:
    """Several schedules of one direction as one. Raises LinkError where one overlaps another."""
    if len(several) == 1:
        return several[0]
    steps = tuple(sorted((step for one in several for step in one.steps), key=lambda step: step.at_ms))
    _refuse_overlaps(steps)
    return Schedule(steps, "; ".join(one.text for one in several))


def timed(text: str, example: str = _EXAMPLE) -> tuple[float, float | None, str]:
    """When a step begins and ends in ms (None: it does not end), and its words, from `at 20s WORDS` or `from 3s to 4s WORDS`.
    Raises LinkError."""
    match = re.fullmatch(r"at\s+(\S+)\s+(.*)|from\s+(\S+)\s+to\s+(\S+)\s+(.*)", text, re.DOTALL)
    if not match:
        raise LinkError(f"'{text}' is not a step of a schedule; write for example {example}")
    at, words, begin, end, inside = match.groups()
    try:
        at_ms = milliseconds(at or begin)
        until_ms = None if at else milliseconds(end)
    except UnitError as error:
        raise LinkError(f"'{text}': {error}") from None
    if max(at_ms, until_ms or 0) > LONGEST_MS:
        raise LinkError(f"'{text}' is beyond {show_ms(LONGEST_MS)}; no run lasts as long")
    if at_ms < 0:
        raise LinkError(f"'{text}' begins before the schedule does; times are not negative")
    if until_ms is not None and until_ms <= at_ms:
        raise LinkError(f"'{text}' ends before it begins; write the earlier time first")
    return at_ms, until_ms, words or inside


def _step(text: str) -> Step:
    at_ms, until_ms, words = timed(text)
    return Step(at_ms, until_ms, change.parse(words))


def _refuse_overlaps(steps: Sequence[Step]) -> None:
    for number, one in enumerate(steps):
        for other in steps[number + 1 :]:
            both = one.change.touches & other.change.touches
            inside = one.until_ms is not None and other.at_ms < one.until_ms
            if both and (inside or other.at_ms == one.at_ms):
                raise LinkError(f"the schedule overlaps: '{one.change.text}' and '{other.change.text}' both set "
                                f"{sorted(both)[0]} at {show_ms(other.at_ms)}; move one of them")  # fmt: skip
