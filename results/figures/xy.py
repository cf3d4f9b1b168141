"""A metric against a factor whose levels are quantities, ours over the published: every trial a dot, their medians a line.

What was published is hollow, with a thin line. Request: `metric`, `x`, optional `by`, `where`, `log` (`x`, `y`, `xy`),
`published` ({level of `by`, or "": [[level of x, value], ...]}), `title`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import units
from results.figures.drawing.axis import bottom_axis, left_axis, legend, spanning
from results.figures.drawing.canvas import MUTED, SHEET, Canvas, fit
from results.figures.ecdf import look
from results.figures.registry import NothingToDraw, need_column
from results.judge import Verdict
from results.rundir import Run
from results.statistics import median
from results.wording import axis_label

WIDTH, HEIGHT, LEFT = 920, 360, 70
_UNITS = ((units.fraction, 100.0, "%"), (units.milliseconds, 1.0, "ms"), (units.bits_per_second, 1e-6, "Mbit/s"),
          (units.byte_count, 2.0**-10, "KiB"))  # fmt: skip
Points = list[tuple[float, float]]


def quantity(level: str) -> tuple[float, str]:
    """A level as a number and its unit on the axis: `0.1%`, `100ms`, `10mbit`, `64KiB`, or a bare one. Raises ValueError."""
    for parse, factor, unit in _UNITS:
        try:
            return parse(level) * factor, unit
        except units.UnitError:
            continue
    match = re.match(r"\s*([-+]?[\d.]+(?:[eE][-+]?\d+)?)", level)
    if match is None:
        raise ValueError(f"the level '{level}' is no quantity")
    return float(match[1]), ""


def draw(run: Run, request: Mapping[str, Any], verdict: Verdict) -> str:
    """SVG. Raises RunError for an unknown column, ValueError for levels that are no quantities, NothingToDraw."""
    metric, x, by = str(request["metric"]), str(request["x"]), str(request.get("by") or "")
    where, log = dict(request.get("where", {})), str(request.get("log") or "")
    need_column(run, "xy", metric, x, *([by] if by else []), *where)
    published: dict[str, Points] = {str(level): [(quantity(str(a))[0], float(b)) for a, b in points]
                                    for level, points in (request.get("published") or {}).items()}  # fmt: skip
    series = run.levels(by) if by else [""]
    ours = {level: {quantity(at)[0]: values for at in run.levels(x)
                    if (values := run.sample(metric, {x: at, **({by: level} if by else {}), **where}))}
            for level in series}  # fmt: skip
    dots = [(at, value) for found in ours.values() for at, values in found.items() for value in values]
    if not dots:
        raise NothingToDraw(f"no valid trial has {metric}")
    everything = dots + [point for level in series for point in published.get(level, [])]
    everything = [one for one in everything if (one[0] > 0 or "x" not in log) and (one[1] > 0 or "y" not in log)]
    if not everything:
        raise NothingToDraw(f"{metric} or {x} is nowhere above zero, which a logarithmic axis needs")
    hidden = len([one for one in dots if one not in everything])
    canvas = Canvas(WIDTH)
    entries = [(fit(run.manifest.label(by, level) if by else "measured", 320), *look(i)) for i, level in enumerate(series)]
    top = legend(canvas, LEFT, 16, entries)
    if any(published.values()) or hidden:
        words = "filled: every trial here, and the line of their medians; hollow: published"
        words += f"; {hidden} at zero are not on this axis" if hidden else ""
        canvas.text(LEFT, top + 8, words, size=12, colour=MUTED)
        top += 20
    top += 24
    across = spanning([a for a, _ in everything], LEFT + 10, WIDTH - 24, log="x" in log)
    upwards = spanning([b for _, b in everything], top + HEIGHT, top, log="y" in log)
    left_axis(canvas, upwards, LEFT, WIDTH - 14, axis_label(metric))
    unit = quantity(run.levels(x)[0])[1]
    bottom_axis(canvas, across, top, top + HEIGHT, f"{x.replace('_', ' ')}{f' ({unit})' if unit else ''}")
    for index, level in enumerate(series):
        colour, dash = look(index)
        known = sorted(point for point in published.get(level, []) if point in everything)
        if known:
            canvas.path([(across(a), upwards(b)) for a, b in known], colour=colour, width=1, dash=dash or "1 3")
        found = {at: [v for v in values if (at, v) in everything] for at, values in sorted(ours[level].items())}
        if middle := [(across(at), upwards(median(v))) for at, v in found.items() if v]:
            canvas.path(middle, colour=colour, dash=dash)
        for at, values in found.items():
            for value in values:
                canvas.dot(across(at), upwards(value), 3.5, colour=colour, opacity=0.5)
        for a, b in known:
            canvas.dot(across(a), upwards(b), 5, colour=SHEET, outline=colour)
    return canvas.svg(str(request.get("title") or f"{metric} against {x}"))
