"""A scale from values to pixels with round ticks, and the drawing of axes and legends. It chooses no colours."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from results.figures.drawing.canvas import GRID, INK, MUTED, Canvas, text_width


@dataclass(frozen=True)
class Scale:
    """Values `low`..`high` to pixels `start`..`end`; logarithmic when `log`."""

    low: float
    high: float
    start: float
    end: float
    log: bool = False

    def __call__(self, value: float) -> float:
        if self.log:
            value, low, high = math.log10(max(value, self.low)), math.log10(self.low), math.log10(self.high)
        else:
            low, high = self.low, self.high
        return self.start + (value - low) / (high - low) * (self.end - self.start)

    def ticks(self, about: int = 5) -> list[float]:
        """Round values within the scale: multiples of 1, 2 or 5 times a power of ten."""
        if self.log:
            first, last = math.floor(math.log10(self.low)), math.ceil(math.log10(self.high))
            steps = (1,) if last - first > 3 else (1, 2, 5)
            every = [step * 10.0**power for power in range(first, last + 1) for step in steps]
            return [value for value in every if self.low * 0.999 <= value <= self.high * 1.001]
        step = round_step((self.high - self.low) / about)
        first_index, last_index = math.ceil(self.low / step - 1e-9), math.floor(self.high / step + 1e-9)
        return [index * step for index in range(first_index, last_index + 1)]


def round_step(rough: float) -> float:
    """The smallest of 1, 2, 5 times a power of ten that is at least `rough`."""
    power = 10.0 ** math.floor(math.log10(rough))
    return next(step * power for step in (1, 2, 5, 10) if step * power >= rough * 0.999)


def from_zero(values: Sequence[float], start: float, end: float) -> Scale:
    """From zero to a little over the largest value; logarithmic where the values span more than a factor of 30."""
    low, high = min(values), max(values)
    if low > 0 and high / low > 30:
        return Scale(10 ** math.floor(math.log10(low)), high * 1.15, start, end, log=True)
    return Scale(0.0, high * 1.06 if high > 0 else 1.0, start, end)


def tick_text(value: float) -> str:
    """`0`, `50`, `1,000`, `0.2`."""
    return f"{value:,.10g}" if abs(value) >= 1 or value == 0 else f"{value:.10g}"


def bottom_axis(canvas: Canvas, scale: Scale, top: float, bottom: float, label: str, size: float = 12) -> None:
    """Vertical grid lines, tick texts under them and the label under those."""
    room = abs(scale.end - scale.start)
    ticks = scale.ticks(max(4, int(room / 75)))
    for value in ticks:
        x, text = scale(value), tick_text(value)
        canvas.line(x, top, x, bottom, colour=GRID)
        half = text_width(text, size) / 2  # a text at the edge of the sheet moves inwards
        canvas.text(min(max(x, half), canvas.width - half), bottom + 16, text, size=size, anchor="middle", colour=MUTED)
    canvas.line(min(scale.start, scale.end), bottom, max(scale.start, scale.end), bottom, colour=MUTED)
    canvas.text((scale.start + scale.end) / 2, bottom + 34, label, size=size, anchor="middle", colour=MUTED)


def legend(canvas: Canvas, x: float, y: float, entries: Sequence[tuple[str, str, str]], *, block: bool = False) -> float:
    """Entries (text, colour, dash) in lines as wide as the sheet, a stroke or (`block`) a square before each; returns
    the y under it."""
    at = x
    for text, colour, dash in entries:
        wide = 30 + text_width(text, 13) + 20
        if at > x and at + wide > canvas.width:
            at, y = x, y + 22
        if block:
            canvas.box(at + 6, y - 11, 14, 14, colour=colour, round_px=2)
        else:
            canvas.line(at, y - 4, at + 24, y - 4, colour=colour, width=3, dash=dash)
        canvas.text(at + 30, y, text, colour=INK)
        at += wide
    return y + 14


def left_axis(canvas: Canvas, scale: Scale, left: float, right: float, label: str, size: float = 12) -> None:
    """Horizontal grid lines with tick texts left of them, and the label above."""
    for value in scale.ticks(max(3, int(abs(scale.end - scale.start) / 45))):
        canvas.line(left, scale(value), right, scale(value), colour=GRID)
        canvas.text(left - 6, scale(value) + 4, tick_text(value), size=size, anchor="end", colour=MUTED)
    canvas.text(max(0.0, left - 60), min(scale.start, scale.end) - 10, label, size=size, colour=MUTED)


def spanning(values: Sequence[float], start: float, end: float, *, log: bool = False) -> Scale:
    """From the least value to the largest; from zero where it is not logarithmic and none is below."""
    low, high = min(values), max(values)
    if log and low > 0:
        return Scale(low / 1.15, high * 1.15, start, end, log=True)
    low = min(low, 0.0)
    return Scale(low, high + (high - low) * 0.06 if high > low else low + 1.0, start, end)
