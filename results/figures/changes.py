"""What became of links while a trial ran: their states over the schedule's time, and the moments at which each was made.

One row per link and direction that changed. A dot is one change in one trial; where a schedule asked, it belongs at the edge.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from results.changes import Change, differs, specified
from results.effects import spaced
from results.figures.drawing.axis import Scale, bottom_axis
from results.figures.drawing.canvas import GRID, INK, MUTED, SERIES, Canvas, fit
from results.figures.registry import NothingToDraw
from results.judge import Verdict
from results.links import WAYS, Link
from results.rundir import Run
from units import show_ms

WIDTH, LABELS, ROW, BAND = 920, 240, 62, 26
MOST_ROWS = 12


def draw(run: Run, request: Mapping[str, Any], verdict: Verdict) -> str:
    """SVG. Raises NothingToDraw when no link changed."""
    rows = [(link, way, [one for one in run.changes if (one.link, one.way) == (link.name, way)])
            for link in run.links for way in WAYS]  # fmt: skip
    rows = [row for row in rows if row[2]]
    if not rows:
        raise NothingToDraw("no link was changed during a trial")
    shown = rows[:MOST_ROWS]
    last_ms = max(max(one.done_ms, one.planned_ms or 0.0) for _, _, changes in shown for one in changes)
    canvas = Canvas(WIDTH)
    across = Scale(0.0, max(last_ms, 1.0) * 1.18 / 1e3, LABELS, WIDTH - 14)
    for number, (link, way, changes) in enumerate(shown):
        _row(canvas, across, 8 + ROW * number, link, way, changes)
    bottom_axis(canvas, across, 4, 8 + ROW * len(shown), "since the start of the trial's schedule (s)")
    if len(rows) > len(shown):
        canvas.text(0, 8 + ROW * len(shown) + 56, f"{len(rows) - len(shown)} more directions changed: see links.json", size=12,
                    colour=MUTED)  # fmt: skip
    return canvas.svg(str(request.get("title") or "How links changed while a trial ran"))


def latest_ms(changes: Sequence[Change]) -> float | None:
    """How late the latest planned change was; None where none was planned."""
    return max((one.done_ms - one.planned_ms for one in changes if one.planned_ms is not None), default=None)


def _row(canvas: Canvas, across: Scale, top: float, link: Link, way: str, changes: Sequence[Change]) -> None:
    found = link.ways[WAYS.index(way)]
    late = latest_ms(changes)
    said = "1 change" if len(changes) == 1 else f"{len(changes)} changes"
    said += "" if late is None else f", at most {show_ms(max(late, 0.0))} late"
    name = f"{found.source} → {found.target}"
    canvas.text(0, top + 17, fit(name, LABELS - 12), hint=name)
    canvas.text(0, top + 34, fit(said, LABELS - 12, 11.5), size=11.5, colour=MUTED, hint=said)
    states = {one.planned_ms: one.words for one in changes if one.planned_ms is not None}
    moments = sorted(states)
    words = [specified(found.asked), *(states[moment] for moment in moments)]
    ends = [0.0, *(moment / 1e3 for moment in moments), across.high]
    for index, state in enumerate(words):
        start, end = across(ends[index]), across(ends[index + 1])
        down = state.endswith(" down")
        canvas.box(start, top, end - start, BAND, colour=SERIES[0] if down else SERIES[1], outline=GRID,
                   opacity=0.3 if down else 0.1 + 0.1 * (index % 2), hint=state)  # fmt: skip
        label = spaced(differs(state, words[index - 1])) if index else "as specified"
        if end - start > 30:
            canvas.text(start + 5, top + 17, fit(label, end - start - 10, 12), size=12, hint=state)
    for one in changes:
        colour = SERIES[3] if one.planned_ms is None else INK
        canvas.dot(across(one.done_ms / 1e3), top + BAND + 8, 3, colour=colour, opacity=0.5)
