"""Every claim beside its prediction: all fetches as dots, their median, and the band, as difference in per cent.

Claims without a predicted value, and ratios, are not drawn: the table has them. Request: optional `metric`, `title`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from results.figures.drawing.canvas import SERIES, Canvas
from results.figures.drawing.rows import Row, draw_rows
from results.figures.registry import NothingToDraw
from results.judge import ClaimResult, Verdict
from results.rundir import Run
from results.wording import show

WIDTH, LABELS = 920, 330


def draw(run: Run, request: Mapping[str, Any], verdict: Verdict) -> str:
    """SVG. Raises NothingToDraw when no claim has a prediction and a measurement."""
    wanted = request.get("metric")
    drawable = [one for one in verdict.claims if one.claim.predicted and one.measured and one.claim.over is None
                and one.claim.minus is None]
    rows = [_row(run, one) for one in drawable if wanted in (None, one.claim.metric)]
    if not rows:
        raise NothingToDraw("no claim has both a predicted value and a valid measurement")
    canvas = Canvas(WIDTH)
    draw_rows(canvas, rows, 4, LABELS, WIDTH - 14, "measured, against the prediction (% of it)")
    return canvas.svg(str(request.get("title") or "Measured against predicted"))


def _row(run: Run, result: ClaimResult) -> Row:
    claim, measured = result.claim, result.measured
    predicted = claim.predicted or 1.0
    assert measured is not None

    def percent(value: float) -> float:
        return (value / predicted - 1) * 100

    return Row(
        label=claim.name,
        note=f"predicted {show(predicted, claim.metric)}, measured {show(measured.value, claim.metric)}",
        points=[percent(value) for value in run.sample(claim.metric, claim.where)],
        middle=percent(measured.value),
        interval=None if measured.note else (percent(measured.low), percent(measured.high)),
        low=None if claim.low is None else percent(claim.low),
        high=None if claim.high is None else percent(claim.high),
        colour=SERIES[1] if result.outcome == "inside" else SERIES[0],
    )
