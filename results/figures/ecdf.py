"""What share of the fetches was done within a time: one step line per level of `by`, one panel per level of `panels`.

It smooths nothing: every fetch is one step. Request: `metric`, `by`, optional `panels`, `where`, `title`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from results.figures.drawing.axis import Scale, bottom_axis, from_zero, legend
from results.figures.drawing.canvas import DASHES, GRID, MUTED, SERIES, Canvas, fit
from results.figures.registry import NothingToDraw, need_column
from results.judge import Verdict
from results.rundir import Run
from results.wording import axis_label

WIDTH, PANEL_HEIGHT, PER_ROW = 920, 200, 3


def draw(run: Run, request: Mapping[str, Any], verdict: Verdict) -> str:
    """SVG. Raises RunError for an unknown column, NothingToDraw without samples."""
    metric, by, panels = str(request["metric"]), str(request["by"]), request.get("panels")
    where = dict(request.get("where", {}))
    need_column(run, "ecdf", metric, by, *([panels] if panels else []), *where)
    title = str(request.get("title") or f"Distribution of {metric}")
    series = run.levels(by)
    rooms = [{panels: level, **where} for level in run.levels(panels)] if panels else [where]
    samples = {(index, level): sorted(run.sample(metric, {by: level, **room}))
               for index, room in enumerate(rooms) for level in series}  # fmt: skip
    if not any(samples.values()):
        raise NothingToDraw(f"no valid trial has {metric}")

    canvas = Canvas(WIDTH)
    entries = [(fit(run.manifest.label(by, level), WIDTH - 60), *look(index)) for index, level in enumerate(series)]
    top = legend(canvas, 44, 16, entries)
    columns = min(len(rooms), PER_ROW)
    pitch = (WIDTH - 44) / columns
    for index, room in enumerate(rooms):
        left = 44 + pitch * (index % columns)
        y = top + (PANEL_HEIGHT + 90) * (index // columns) + 26
        if panels:
            name = run.manifest.label(panels, room[panels])
            canvas.text(left, y - 10, fit(name, pitch - 24), bold=True, hint=name)
        _panel(canvas, {level: samples[index, level] for level in series}, left, y, left + pitch - 24,
               axis_label(metric), first=index % columns == 0)  # fmt: skip
    return canvas.svg(title)


def look(index: int) -> tuple[str, str]:
    """Colour and dash of the series with this number."""
    return SERIES[index % len(SERIES)], DASHES[index % len(DASHES)]


def _panel(canvas: Canvas, samples: Mapping[str, list[float]], left: float, top: float, right: float, label: str,
           *, first: bool) -> None:  # fmt: skip
    bottom = top + PANEL_HEIGHT
    everything = [value for values in samples.values() for value in values]
    share = Scale(0, 1, bottom, top)
    for value in (0, 0.25, 0.5, 0.75, 1):
        canvas.line(left, share(value), right, share(value), colour=GRID)
        if first:
            canvas.text(left - 6, share(value) + 4, f"{value:.0%}", size=12, anchor="end", colour=MUTED)
    if not everything:
        canvas.text((left + right) / 2, (top + bottom) / 2, "no valid trial", anchor="middle", colour=MUTED)
        return
    across = from_zero(everything, left, right)
    bottom_axis(canvas, across, top, bottom, label)
    for index, values in enumerate(samples.values()):
        colour, dash = look(index)
        points = [(across(values[0]), bottom)] if values else []
        for number, value in enumerate(values):
            points += [(across(value), share(number / len(values))), (across(value), share((number + 1) / len(values)))]
        if points:
            canvas.path([*points, (right, top)], colour=colour, width=2.2, dash=dash)
