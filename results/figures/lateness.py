"""How late frames left the relay while the run went on: one histogram per link and direction, with the bound drawn in.

Both scales are logarithmic, so that one late frame among a million shows. netem does not know its lateness and is not here.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from results import bounds
from results.figures.drawing.axis import Scale
from results.figures.drawing.canvas import GRID, INK, MUTED, SERIES, Canvas, fit
from results.figures.registry import NothingToDraw
from results.judge import Verdict
from results.links import Link, Way
from results.rundir import Run
from units import show_ms

WIDTH, LABELS, GAP, HEIGHT, PITCH = 920, 190, 30, 62, 108
MOST_LINKS = 6
BINS_PER_DECADE = 5
LEAST_NS = 1e3
"""What left sooner than a microsecond after it was due stands in the first bin."""


def draw(run: Run, request: Mapping[str, Any], verdict: Verdict) -> str:
    """SVG. Raises NothingToDraw when no link recorded a histogram."""
    found = [link for link in run.links if any(_histogram(way) for way in link.ways)]
    if not found:
        raise NothingToDraw("no link recorded how late its frames left")
    found.sort(key=_strain, reverse=True)
    shown = found[:MOST_LINKS]
    bins = [binned(_histogram(way)) for link in shown for way in link.ways]
    last_ns = max([10 * LEAST_NS, *(edge for one in bins for edge in one), *(_bound_ns(link) for link in shown)])
    last_ns = 10 ** math.ceil(math.log10(last_ns * 1.05))
    most = max(max(one.values(), default=1.0) for one in bins)
    canvas = Canvas(WIDTH)
    pitch = (WIDTH - LABELS) / 2
    for row, link in enumerate(shown):
        top = 24 + PITCH * row
        canvas.text(0, top + 14, fit(link.name, LABELS - 12), bold=True, hint=link.name)
        canvas.text(0, top + 32, f"p99 at most {show_ms(_bound_ns(link) / 1e6)}", size=11.5, colour=MUTED)
        for column, way in enumerate(link.ways):
            left = LABELS + pitch * column + GAP
            across = Scale(LEAST_NS, last_ns, left, LABELS + pitch * (column + 1) - 26, log=True)
            _panel(canvas, way, _bound_ns(link), across, Scale(0.5, max(most, 10.0), top + HEIGHT, top, log=True))
    under = 24 + PITCH * len(shown)
    canvas.text(LABELS + GAP, under, "release minus time due; upright: frames, from 1, by powers of ten", size=12, colour=MUTED)
    if len(found) > len(shown):
        more = f"{len(found) - len(shown)} more links lie further inside their bounds: see the rows of each"
        canvas.text(0, under + 22, more, size=12, colour=MUTED)
    return canvas.svg(str(request.get("title") or "Lateness of frames while the run went on"))


def binned(histogram: Sequence[tuple[float, float]]) -> dict[float, float]:
    """Frames by upper edge of a bin in ns, five bins to a power of ten; the total stays."""
    found: dict[float, float] = {}
    for at_most_ns, frames in histogram:
        step = math.ceil(math.log10(max(at_most_ns, LEAST_NS) / LEAST_NS) * BINS_PER_DECADE - 1e-9)
        edge = LEAST_NS * 10 ** (max(step, 1) / BINS_PER_DECADE)
        found[edge] = found.get(edge, 0.0) + frames
    return {edge: frames for edge, frames in sorted(found.items()) if frames}


def _panel(canvas: Canvas, way: Way, bound_ns: float, across: Scale, up: Scale) -> None:
    top, bottom = up.end, up.start
    counts = binned(_histogram(way))
    late = way.passed.late_ms if way.passed else None
    total = f"{sum(counts.values()):,.0f} frames" if counts else "no frame passed"
    said = total + (f", p99 {show_ms(late[1])}" if late and counts else "") + f", to {way.target}"
    canvas.text(across.start, top - 7, fit(said, across.end - across.start, 12), size=12, hint=said)
    for value in across.ticks():
        canvas.line(across(value), top, across(value), bottom)
        canvas.text(across(value), bottom + 15, show_ms(value / 1e6), size=11, anchor="middle", colour=MUTED)
    power = 0
    while 10**power <= up.high:
        canvas.line(across.start, up(10**power), across.end, up(10**power), colour=GRID)
        power += 1
    for edge, frames in counts.items():
        start, end = across(edge / 10 ** (1 / BINS_PER_DECADE)), across(edge)
        beyond = edge / 10 ** (1 / BINS_PER_DECADE) >= bound_ns
        canvas.box(start + 0.5, up(frames), end - start - 1, bottom - up(frames), colour=SERIES[0] if beyond else SERIES[1],
                   hint=f"{frames:,.0f} frames at most {show_ms(edge / 1e6)} late")  # fmt: skip
    canvas.line(across.start, bottom, across.end, bottom, colour=MUTED)
    canvas.line(across(bound_ns), top - 3, across(bound_ns), bottom, colour=INK, width=2, dash="5 3")
    if late and counts:
        at = across(min(max(late[1] * 1e6, across.low), across.high))
        canvas.path([(at - 4, bottom + 1), (at, bottom - 6), (at + 4, bottom + 1)], colour=INK, width=2)


def _histogram(way: Way) -> Sequence[tuple[float, float]]:
    return way.passed.histogram or () if way.passed else ()


def _bound_ns(link: Link) -> float:
    return (bounds.lateness(link).high or 0.0) * 1e6


def _strain(link: Link) -> float:
    """The larger p99 of the two directions, against what is allowed."""
    late = [way.passed.late_ms[1] for way in link.ways if way.passed and way.passed.late_ms]
    return max((bounds.lateness(link).share(one) for one in late), default=0.0)
