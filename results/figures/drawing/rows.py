"""Rows of dots about a middle line: every point, the median with its interval, and the band it should lie in. It judges
nothing: the colour of a row is given."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from results.figures.drawing.axis import Scale, bottom_axis
from results.figures.drawing.canvas import GRID, INK, MUTED, SERIES, SHEET, Canvas, fit

ROW_HEIGHT = 44


@dataclass(frozen=True)
class Row:
    """One row. All numbers are in the unit of the axis; `low` and `high` bound the band (None: open). `points` are filled,
    `later` ones hollow."""

    label: str
    note: str
    points: Sequence[float]
    middle: float | None
    interval: tuple[float, float] | None
    low: float | None
    high: float | None
    colour: str = SERIES[1]
    later: Sequence[float] = ()


def draw_rows(canvas: Canvas, rows: Sequence[Row], top: float, left: float, right: float, axis_label: str,
              *, labels: bool = True) -> float:  # fmt: skip
    """Draw the rows from `top` on between `left` and `right`; labels stand left. Returns the y under the axis."""
    reach = [abs(value) for row in rows for value in
             (*row.points, *row.later, *(row.interval or ()), row.middle or 0, row.low or 0, row.high or 0)]  # fmt: skip
    span = max([*reach, 1e-9]) * 1.12
    scale = Scale(-span, span, left, right)
    bottom = top + ROW_HEIGHT * len(rows)
    for index, row in enumerate(rows):
        y = top + ROW_HEIGHT * (index + 0.5)
        start = scale(-span if row.low is None else row.low)
        end = scale(span if row.high is None else row.high)
        canvas.box(start, y - 15, end - start, 30, colour=SERIES[2], opacity=0.16, round_px=3)
        if labels:
            canvas.text(0, y - 3, fit(row.label, left - 12), hint=row.label)
            canvas.text(0, y + 13, fit(row.note, left - 12, 11.5), size=11.5, colour=MUTED, hint=row.note)
    bottom_axis(canvas, scale, top, bottom, axis_label)
    canvas.line(scale(0), top, scale(0), bottom, colour=MUTED, width=1.5)
    for index, row in enumerate(rows):
        y = top + ROW_HEIGHT * (index + 0.5)
        if index:
            canvas.line(0 if labels else left, y - ROW_HEIGHT / 2, right, y - ROW_HEIGHT / 2, colour=GRID)
        for number, value in enumerate(row.points):
            # Points are spread a little across the row, in a fixed pattern, so that equal ones stay visible.
            canvas.dot(scale(value), y + (number * 5 % 11 - 5) * 1.1, 3, colour=row.colour, opacity=0.45)
        if row.interval:
            canvas.line(scale(row.interval[0]), y, scale(row.interval[1]), y, colour=INK, width=2)
        if row.middle is not None:
            canvas.line(scale(row.middle), y - 10, scale(row.middle), y + 10, colour=INK, width=2.5)
        for number, value in enumerate(row.later):
            canvas.dot(scale(value), y + (5 if number % 2 else -5), 4, colour=SHEET, outline=row.colour)
    return bottom + 40
