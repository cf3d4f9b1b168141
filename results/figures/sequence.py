"""Bytes over time as packets brought them: a time-sequence graph of one fetch per level of `by`, in one frame.

Upright strokes are segments of the response, from their first byte to their last; the thin line under them is what was
acknowledged, red what was sent again, dots the edges of selective acknowledgements. A real fetch each: the one with the median
total time. Request: `by`, optional `where`, `at` (a capture point; else the client's), `title`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from results.captures.errors import CaptureError
from results.captures.transfer import Followed, transfer
from results.evidence import Seen, captures
from results.figures.drawing.axis import Scale, bottom_axis, legend
from results.figures.drawing.canvas import GRID, MUTED, SERIES, Canvas
from results.figures.registry import NothingToDraw, need_column
from results.figures.waterfall import typical
from results.judge import Verdict
from results.rundir import Run
from results.trials import Trial

WIDTH, HEIGHT, LEFT = 920, 400, 78
AGAIN = "var(--fails,#b3261e)"
MOST = 20_000
"""Segments drawn of one fetch; of more, every second, third ... one."""


@dataclass(frozen=True)
class Curve:
    """Of one fetch: rows (ms, first byte, last byte) of segments and of those sent again, (ms, byte) of acknowledgements and of
    the right edges of SACK blocks."""

    segments: list[tuple[float, float, float]]
    again: list[tuple[float, float, float]]
    acknowledged: list[tuple[float, float]]
    sacked: list[tuple[float, float]]


def draw(run: Run, request: Mapping[str, Any], verdict: Verdict) -> str:
    """SVG. Raises RunError for an unknown column, NothingToDraw without captures."""
    by, where = str(request["by"]), dict(request.get("where", {}))
    need_column(run, "sequence", by, "total_ms", "local_port", *where)
    curves: list[tuple[str, Curve]] = []
    for level in run.levels(by):
        trial = typical(run, {by: level, **where})
        if trial is not None and trial.text("local_port"):
            try:
                seen = [one for one in captures(run, trial) if one.point == request.get("at", one.point)]
                if seen:
                    curves.append((run.manifest.label(by, level), _curve(trial, seen[0])))
            except CaptureError as error:
                raise NothingToDraw(str(error)) from error
    if not curves:
        raise NothingToDraw("no valid fetch was captured")
    return _drawn(curves, str(request.get("title") or "Bytes over time, packet by packet"))


def _curve(trial: Trial, seen: Seen) -> Curve:
    analysis = seen.analysis
    wire = transfer(Followed(seen.path.name, analysis), int(trial.text("local_port")), int(trial.text("started_ns")))
    found, flow = analysis.segments, 2 * wire.stream + 1
    places = np.flatnonzero(found.flow == flow)
    data = places[found.payload[places] > 0]
    data = data[:: max(1, -(-len(data) // MOST))]
    acks = np.flatnonzero((found.flow == flow - 1) & (found.ack >= 0))
    again = np.isin(data, analysis.losses.again)
    reach = analysis.losses.sack_high[acks]

    def rows(chosen: Any) -> list[tuple[float, float, float]]:
        times = (found.time_ns[chosen] - wire.began_ns) / 1e6
        return list(zip(times.tolist(), found.seq[chosen].tolist(), found.end[chosen].tolist(), strict=True))

    times = (found.time_ns[acks] - wire.began_ns) / 1e6
    return Curve(rows(data[~again]), rows(data[again]),
                 list(zip(times.tolist(), np.maximum.accumulate(found.ack[acks]).tolist(), strict=True)),
                 list(zip(times[reach > 0].tolist(), reach[reach > 0].tolist(), strict=True)))  # fmt: skip


def _drawn(curves: Sequence[tuple[str, Curve]], title: str) -> str:
    canvas = Canvas(WIDTH)
    entries = [(name, SERIES[number % len(SERIES)], "") for number, (name, _) in enumerate(curves)]
    if any(one.again for _, one in curves):
        entries.append(("sent again", AGAIN, ""))
    top = legend(canvas, 0, 16, entries, block=True) + 8
    everything = [row for _, one in curves for row in (*one.segments, *one.again)]
    longest, most = max(row[0] for row in everything), max(row[2] for row in everything)
    across, up = Scale(0, longest * 1.02 or 1.0, LEFT, WIDTH - 8), Scale(0, most * 1.03, top + HEIGHT, top)
    for value in up.ticks(5):
        said = f"{value / 1e3:,.10g} kB" if value else "0"
        canvas.line(LEFT, up(value), WIDTH - 8, up(value), colour=GRID)
        canvas.text(LEFT - 8, up(value) + 4, said, size=12, anchor="end", colour=MUTED)
    bottom_axis(canvas, across, top, top + HEIGHT, "time since the connection began, or the request (ms)")
    for (_, colour, _), (_, one) in zip(entries, curves, strict=False):
        within = [(across(at_ms), up(acked)) for at_ms, acked in one.acknowledged if 0 <= at_ms <= across.high]
        if within:
            canvas.path([within[0], *(step for before, now in pairwise(within) for step in ((now[0], before[1]), now))],
                        colour=colour, width=0.8)  # fmt: skip
        canvas.strokes([(across(x), up(low), up(high)) for x, low, high in one.segments], colour=colour, width=1.8)
        canvas.strokes([(across(x), up(low), up(high)) for x, low, high in one.again], colour=AGAIN, width=2.6)
        for at_ms, edge in one.sacked:
            canvas.dot(across(at_ms), up(edge), 1.2, colour=MUTED)
    return canvas.svg(title)
