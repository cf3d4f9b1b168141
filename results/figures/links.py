"""Links as measured before and after the run against what they were asked to be: round-trip time, and rate each way.

The shaded bands are what is allowed (`results/bounds.py`). Unshaped cables are left out, and of many links all but the worst.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from results import bounds, proof
from results.bounds import Bound
from results.effects import drained
from results.figures.drawing.canvas import INK, MUTED, SERIES, Canvas
from results.figures.drawing.rows import Row, draw_rows
from results.figures.registry import NothingToDraw
from results.judge import Verdict
from results.links import Link
from results.panel import card
from results.rundir import Run
from units import show_ms

WIDTH, LABELS, GAP = 920, 300, 30
MOST_LINKS = 10


def draw(run: Run, request: Mapping[str, Any], verdict: Verdict) -> str:
    """SVG. Raises NothingToDraw when no shaped link was measured."""
    found = [link for link in run.links if link.rtt_ms and proof.level(link.rtt_before) is not None]
    if not found:
        raise NothingToDraw("no link with a delay was measured")
    cards = {link.name: card(run, link) for link in found}
    found.sort(key=lambda link: (cards[link.name].ok, -cards[link.name].share))
    shown = found[:MOST_LINKS]
    canvas = Canvas(WIDTH)
    middle = LABELS + (WIDTH - LABELS) / 2
    canvas.text(LABELS, 14, "round-trip time", bold=True, colour=INK)
    under = draw_rows(canvas, [_rtt(link) for link in shown], 24, LABELS, middle - GAP, "measured − due (ms)")
    if any(link.rates_bps != (None, None) for link in shown):
        canvas.text(middle, 14, "rate, each way", bold=True, colour=INK)
        draw_rows(canvas, [_rate(link) for link in shown], 24, middle, WIDTH - 14, "measured, against specified (%)",
                  labels=False)  # fmt: skip
    if len(found) > len(shown):
        more = f"{len(found) - len(shown)} more links lie further inside their bounds: see the rows of each"
        canvas.text(0, under + 16, more, size=12, colour=MUTED)
    return canvas.svg(str(request.get("title") or "Links: specified against measured"))


def _rtt(link: Link) -> Row:
    before, after = link.rtt_before, link.rtt_after
    bands = [bounds.rtt(link, rtt) for rtt in (before, after) if rtt]
    band = next((one for one in bands if one), Bound(link.rtt_ms, link.rtt_ms))
    low, high = band.low or 0.0, band.high or 0.0
    due, slack = (low + high) / 2, (high - low) / 2
    one, other = (drained(way.asked) for way in link.ways)
    note = f"{show_ms(link.rtt_ms)}{' (estimate)' if link.estimate else ''}, {one if one == other else f'{one} / {other}'}"
    # Where the delay is random its spread would hide everything else on the sheet; the rows of the link have it.
    ends = [before.min_ms, before.p99_ms] if before and not _random(link) else []
    reach = [end - due for end in ends if end is not None]
    early, late = ([] if level is None else [level - due] for level in (proof.level(before), proof.level(after)))
    return Row(link.name, note, [], early[0] if early else None, (reach[0], reach[1]) if len(reach) == 2 else None,
               -slack, slack, SERIES[1], later=late)  # fmt: skip


def _rate(link: Link) -> Row:
    points: list[float] = []
    later: list[float] = []
    for way in link.ways:
        wanted = way.asked.trace[2] if way.asked.trace else way.asked.rate_bps
        for seen, values in ((way.before, points), (way.after, later)):
            if wanted and seen and seen.rate_bps is not None:
                values.append((seen.rate_bps / wanted - 1) * 100)
    edge = bounds.RATE_TOLERANCE * 100
    return Row("", "", points, None, None, -edge, edge, SERIES[1], later=later)


def _random(link: Link) -> bool:
    return any({"jitter", "reorder"} & set(way.asked.effects) or way.asked.trace for way in link.ways)
