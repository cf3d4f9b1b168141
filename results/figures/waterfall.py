"""Where the time of one typical fetch went, per level of `by`: name, connect, TLS, wait for the first byte, body.

Typical is the fetch with the median total time (the lower one of two), a real one; nothing is averaged. Request: `by`,
optional `where`, `title`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from results.figures.drawing.axis import Scale, bottom_axis, legend
from results.figures.drawing.canvas import INK, SERIES, Canvas, fit, text_width
from results.figures.registry import NothingToDraw, need_column
from results.judge import Verdict
from results.rundir import Run
from results.trials import Trial
from results.wording import milliseconds

WIDTH, ROW = 920, 62
PHASES = (("dns_ms", "name look-up", "var(--muted,#5d6770)"), ("connect_ms", "connect", SERIES[3]),
          ("tls_ms", "TLS", SERIES[2]), ("first_byte_ms", "wait for the first byte", SERIES[4]),
          ("total_ms", "body", SERIES[5]))  # fmt: skip
"""Column that marks the end of each phase, from the start of the fetch."""


def draw(run: Run, request: Mapping[str, Any], verdict: Verdict) -> str:
    """SVG. Raises RunError for an unknown column, NothingToDraw without samples."""
    by, where = str(request["by"]), dict(request.get("where", {}))
    need_column(run, "waterfall", by, "total_ms", "first_byte_ms", "connect_ms", *where)
    rows = [(level, found) for level in run.levels(by) if (found := typical(run, {by: level, **where}))]
    if not rows:
        raise NothingToDraw("no valid trial of " + (", ".join(where.values()) or "this run"))
    canvas = Canvas(WIDTH)
    lasting = [(level, phases(trial)) for level, trial in rows]
    used = {name for _, spans in lasting for name, length in spans if length > 0.5}
    top = legend(canvas, 0, 16, [(name, colour, "") for _, name, colour in PHASES if name in used], block=True) + 8
    longest = max(sum(length for _, length in spans) for _, spans in lasting)
    scale = Scale(0, longest * 1.12, 0, WIDTH - 12)
    bottom = top + ROW * len(rows)
    bottom_axis(canvas, Scale(0, longest * 1.12, 6, WIDTH - 12), top, bottom, "time since the start of the fetch (ms)")
    for index, (level, spans) in enumerate(lasting):
        y = top + ROW * index
        name = run.manifest.label(by, level)
        canvas.text(6, y + 18, fit(name, WIDTH - 30), hint=name)
        _bar(canvas, scale, y + 26, spans)
    return canvas.svg(str(request.get("title") or "Where the time of a typical fetch went"))


def typical(run: Run, where: Mapping[str, str]) -> Trial | None:
    """The valid trial of the arm with the median total time, the lower of the two middle ones; None without trials."""
    timed = [(total, trial.row, trial) for trial in run.trials
             if trial.counts and trial.matches(where) and (total := trial.number("total_ms")) is not None]  # fmt: skip
    return sorted(timed, key=lambda one: one[:2])[(len(timed) - 1) // 2][2] if timed else None


def phases(trial: Trial) -> list[tuple[str, float]]:
    """Name and length in ms of each phase that the fetch had. A time of zero marks a phase that did not happen."""
    spans, before_ms = [], 0.0
    for column, name, _ in PHASES:
        until_ms = (trial.number(column) if column in trial.values else None) or 0.0
        if until_ms > before_ms:
            spans.append((name, until_ms - before_ms))
            before_ms = until_ms
    return spans


def _bar(canvas: Canvas, scale: Scale, y: float, spans: list[tuple[str, float]]) -> None:
    colours = {name: colour for _, name, colour in PHASES}
    at_ms = 0.0
    for name, length in spans:
        x, end = 6 + scale(at_ms), 6 + scale(at_ms + length)
        canvas.box(x, y, max(end - x - 1, 0.8), 22, colour=colours[name], round_px=2, hint=f"{name}: {milliseconds(length)}")
        said = f"{length:.0f} ms"
        if end - x > text_width(said, 12) + 8:
            canvas.text((x + end) / 2, y + 15.5, said, size=12, anchor="middle", colour="#101418")
        at_ms += length
    canvas.text(6 + scale(at_ms) + 6, y + 16, milliseconds(at_ms), size=12.5, bold=True, colour=INK)
