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
from results.rundir import Run
from units import show_bps, show_ms

WIDTH, LABELS, GAP = 920, 300, 30
RTT_TOLERANCE_MS, RTT_TOLERANCE, RATE_TOLERANCE = 0.5, 0.01, 0.05


def draw(run: Run, request: Mapping[str, Any], verdict: Verdict) -> str:
    """SVG. Raises NothingToDraw when no shaped link was measured."""
    found = [link for link in run.link_list if rtt_ms(link) and before(link, "rtt_ms")]
    if not found:
        raise NothingToDraw("no link with a delay was measured")
    canvas = Canvas(WIDTH)
    middle = LABELS + (WIDTH - LABELS) / 2
    canvas.text(LABELS, 14, "round-trip time", bold=True, colour=INK)
    draw_rows(canvas, [_rtt(link) for link in found], 24, LABELS, middle - GAP, "measured - specified (ms)")
    canvas.text(middle, 14, "rate, each way", bold=True, colour=INK)
    draw_rows(canvas, [_rate(link) for link in found], 24, middle, WIDTH - 14, "measured, against specified (%)",
              labels=False)  # fmt: skip
    return canvas.svg(str(request.get("title") or "Links: specified against measured"))


def rtt_ms(link: Mapping[str, Any]) -> float:
    """The specified round-trip time, 0 when it has none."""
    return float(link["specified"].get("rtt_ms") or 0)


def rate_bps(link: Mapping[str, Any], direction: str) -> float | None:
    """The specified rate of a direction; None when it is not limited."""
    rate = (link["specified"].get(direction) or {}).get("rate_bps")
    return None if rate is None else float(rate)


def before(link: Mapping[str, Any], part: str) -> Mapping[str, Any]:
    """What was measured before the run; empty when it was not."""
    found: Mapping[str, Any] = (link.get("before") or {}).get(part) or {}
    return found


def rtt_tolerance_ms(specified_ms: float) -> float:
    """Half the width of the band: the larger of 0.5 ms and 1 %."""
    return max(RTT_TOLERANCE_MS, RTT_TOLERANCE * specified_ms)


def _rtt(link: Mapping[str, Any]) -> Row:
    wanted, seen = rtt_ms(link), before(link, "rtt_ms")
    slack = rtt_tolerance_ms(wanted)
    rates = {rate for way in ("a_to_b", "b_to_a") if (rate := rate_bps(link, way)) is not None}
    estimate = " (estimate)" if link.get("estimate") else ""
    note = f"{show_ms(wanted)}{estimate}, {' / '.join(show_bps(rate) for rate in sorted(rates)) or 'no rate limit'}"
    return Row(str(link["name"]), note, [], float(seen["median"]) - wanted,
               (float(seen["min"]) - wanted, float(seen["p99"]) - wanted), -slack, slack, SERIES[1])  # fmt: skip


def _rate(link: Mapping[str, Any]) -> Row:
    pairs = [(rate_bps(link, way), before(link, way).get("rate_bps")) for way in ("a_to_b", "b_to_a")]
    points = [(float(seen) / wanted - 1) * 100 for wanted, seen in pairs if wanted and seen is not None]
    return Row("", "", points, None, None, -RATE_TOLERANCE * 100, RATE_TOLERANCE * 100, SERIES[1])
