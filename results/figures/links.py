"""Links as measured before the run against what they were asked to be: round-trip time, and rate each way.

It decides no tolerance of its own: the shaded bands are the ones the run is judged by. Unshaped cables are left out.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from results.figures.drawing.canvas import INK, SERIES, Canvas
from results.figures.drawing.rows import Row, draw_rows
from results.figures.registry import NothingToDraw
from results.judge import Verdict
from results.links import Link
from results.rundir import Run
from units import show_bps, show_ms

WIDTH, LABELS, GAP = 920, 300, 30
RTT_TOLERANCE_MS, RTT_TOLERANCE, RATE_TOLERANCE = 0.5, 0.01, 0.05


def draw(run: Run, request: Mapping[str, Any], verdict: Verdict) -> str:
    """SVG. Raises NothingToDraw when no shaped link was measured."""
    found = [link for link in run.links if link.rtt_ms and link.seen_rtt_ms]
    if not found:
        raise NothingToDraw("no link with a delay was measured")
    canvas = Canvas(WIDTH)
    middle = LABELS + (WIDTH - LABELS) / 2
    canvas.text(LABELS, 14, "round-trip time", bold=True, colour=INK)
    draw_rows(canvas, [_rtt(link) for link in found], 24, LABELS, middle - GAP, "measured − specified (ms)")
    if any(link.rates_bps != (None, None) for link in found):
        canvas.text(middle, 14, "rate, each way", bold=True, colour=INK)
        draw_rows(canvas, [_rate(link) for link in found], 24, middle, WIDTH - 14, "measured, against specified (%)",
                  labels=False)  # fmt: skip
    return canvas.svg(str(request.get("title") or "Links: specified against measured"))


def _rtt(link: Link) -> Row:
    low, median, high = link.seen_rtt_ms or (link.rtt_ms,) * 3
    slack = max(RTT_TOLERANCE_MS, RTT_TOLERANCE * link.rtt_ms)
    rates = sorted({rate for rate in link.rates_bps if rate is not None})
    note = f"{show_ms(link.rtt_ms)}{' (estimate)' if link.estimate else ''}, " + (
        " / ".join(show_bps(rate) for rate in rates) or "no rate limit"
    )
    return Row(link.name, note, [], median - link.rtt_ms, (low - link.rtt_ms, high - link.rtt_ms), -slack, slack,
               SERIES[1])  # fmt: skip


def _rate(link: Link) -> Row:
    pairs = zip(link.rates_bps, link.seen_rates_bps, strict=True)
    points = [(seen / wanted - 1) * 100 for wanted, seen in pairs if wanted and seen is not None]
    return Row("", "", points, None, None, -RATE_TOLERANCE * 100, RATE_TOLERANCE * 100, SERIES[1])
