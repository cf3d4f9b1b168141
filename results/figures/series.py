"""Samples in time: a column of a series against its clock, one panel for each level of a factor, a line for each of `lines`.

It smooths nothing and shows the first trial that counts of each level. Request: `name` (of the series), `x`, `y`, `by`,
optional `lines` (a column of the series), `where`, `title`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from results import series
from results.figures.drawing.axis import bottom_axis, left_axis, legend, spanning
from results.figures.drawing.canvas import MUTED, Canvas, fit
from results.figures.ecdf import look
from results.figures.registry import NothingToDraw, need_column
from results.judge import Verdict
from results.rundir import Run
from results.wording import axis_label

WIDTH, PANEL_HEIGHT, PER_ROW, MOST_POINTS, LEFT = 920, 170, 2, 400, 60
MOST_PANELS, MOST_LINES = 12, 12
Points = list[tuple[float, float]]


def draw(run: Run, request: Mapping[str, Any], verdict: Verdict) -> str:
    """SVG. Raises RunError for an unknown column, NothingToDraw without samples."""
    name, x, y, by = (str(request[key]) for key in ("name", "x", "y", "by"))
    where, lines = dict(request.get("where", {})), str(request.get("lines") or "")
    need_column(run, "series", by, *where)
    if not (run.path / "series" / f"{name}.csv").exists():
        raise NothingToDraw(f"no trial left a series {name}")
    shown = {level: trial.text("trial") for level in run.levels(by)[:MOST_PANELS]
             for trial in reversed(run.trials) if trial.counts and trial.matches({by: level, **where})}  # fmt: skip
    rows = series.read(run, name, set(shown.values()))
    curves = {level: _curves(run, rows[trial], name, x, y, lines) for level, trial in shown.items()}
    curves = {level: found for level, found in curves.items() if found}
    if not curves:
        raise NothingToDraw(f"no valid trial left samples of {y}")
    canvas, names = Canvas(WIDTH), list(dict.fromkeys(line for found in curves.values() for line in found))[:MOST_LINES]
    top = legend(canvas, LEFT, 16, [(fit(line, 300), *look(i)) for i, line in enumerate(names)]) if lines else 4.0
    everything = [point for found in curves.values() for line in found.values() for point in line]
    pitch = WIDTH / min(PER_ROW, len(curves))
    for index, (level, found) in enumerate(curves.items()):
        left, upper = pitch * (index % PER_ROW) + LEFT, top + (PANEL_HEIGHT + 96) * (index // PER_ROW) + 40
        right = pitch * (index % PER_ROW) + pitch - 20
        across = spanning([point[0] for line in found.values() for point in line], left, right)
        upwards = spanning([point[1] for point in everything], upper + PANEL_HEIGHT, upper)
        label = run.manifest.label(by, level)
        canvas.text(left, upper - 26, fit(f"{label} (trial {shown[level]})", right - left), bold=True, hint=label)
        left_axis(canvas, upwards, left, right, axis_label(y))
        bottom_axis(canvas, across, upper, upper + PANEL_HEIGHT, axis_label(x))
        for line, points in found.items():
            if line in names:
                colour, dash = look(names.index(line))
                canvas.path([(across(a), upwards(b)) for a, b in points], colour=colour, width=1.6, dash=dash)
    if (more := len(run.levels(by)) - MOST_PANELS) > 0:
        bottom = top + (PANEL_HEIGHT + 96) * ((len(curves) + 1) // PER_ROW) + 20
        canvas.text(LEFT, bottom, f"and {more} more, in series/{name}.csv", colour=MUTED)
    return canvas.svg(str(request.get("title") or f"{y} in time"))


def _curves(run: Run, rows: list[dict[str, str]], name: str, x: str, y: str, lines: str) -> dict[str, Points]:
    """Points by line, at most MOST_POINTS each, evenly taken."""
    found: dict[str, Points] = {}
    for row in rows:
        try:
            if row[x] and row[y]:
                found.setdefault(row[lines] if lines else "", []).append((float(row[x]), float(row[y])))
        except KeyError as error:
            raise run.error(f"series/{name}.csv lacks the column {error}, which the figure 'series' uses") from None
        except ValueError as error:
            raise run.error(f"series/{name}.csv: {error}") from None
    return {line: points[:: 1 + (len(points) - 1) // MOST_POINTS] for line, points in found.items() if len(points) > 1}
