"""One fetch as client, packets and logs saw it, on one time axis: connect, wait for the first byte, body.

Per level of `by` the fetch with the median total time, a real one. Rows are witnesses: libcurl in the client, the packets at
each capture point, the log of each daemon. Request: `by`, optional `where`, `title`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from results.captures.errors import CaptureError
from results.evidence import Account, accounts, captures
from results.figures.drawing.axis import Scale, bottom_axis, legend
from results.figures.drawing.canvas import GRID, INK, MUTED, SERIES, Canvas, fit
from results.figures.registry import NothingToDraw, need_column
from results.figures.waterfall import typical
from results.judge import Verdict
from results.rundir import Run

WIDTH, LEFT, RIGHT, ROW, HEAD = 920, 276, 132, 21, 40
PHASES = (("connect (and TLS)", SERIES[3]), ("request until first byte", SERIES[4]), ("body", SERIES[5]))
ROWS_AT_MOST = 12


def draw(run: Run, request: Mapping[str, Any], verdict: Verdict) -> str:
    """SVG. Raises RunError for an unknown column, NothingToDraw without captures."""
    by, where = str(request["by"]), dict(request.get("where", {}))
    need_column(run, "witnesses", by, "total_ms", "first_byte_ms", *where)
    told: list[tuple[str, str, list[Account]]] = []
    for level in run.levels(by):
        trial = typical(run, {by: level, **where})
        if trial is None:
            continue
        try:
            seen = captures(run, trial)
            found = accounts(run, trial, seen)[:ROWS_AT_MOST] if seen else []
        except CaptureError as error:
            raise NothingToDraw(str(error)) from error
        if found:
            told.append((run.manifest.label(by, level), trial.text("trial"), found))
    if not told:
        raise NothingToDraw("no valid fetch was captured")
    return _drawn(told, str(request.get("title") or "One fetch, as each witness saw it"))


def _drawn(told: Sequence[tuple[str, str, list[Account]]], title: str) -> str:
    canvas = Canvas(WIDTH)
    top = legend(canvas, 0, 16, [(name, colour, "") for name, colour in PHASES], block=True) + 6
    longest = max((one.last_ns or one.begun_ns) - found[0].begun_ns for _, _, found in told for one in found) / 1e6
    scale = Scale(0, max(longest, 0.001) * 1.02, LEFT, WIDTH - RIGHT)
    height = sum(HEAD + ROW * len(found) for _, _, found in told)
    bottom_axis(canvas, scale, top, top + height + 4, "time since the client began to connect, or asked (ms)")
    canvas.text(WIDTH - RIGHT + 62, top + 12, "first byte", size=11.5, anchor="end", colour=MUTED)
    canvas.text(WIDTH - 2, top + 12, "last byte", size=11.5, anchor="end", colour=MUTED)
    y = top
    for name, trial, found in told:
        said = f"{name} (trial {trial})"
        canvas.text(0, y + 26, fit(said, WIDTH - RIGHT - 10), bold=True, hint=said)
        y += HEAD
        for one in found:
            _row(canvas, scale, y, one, found[0].begun_ns)
            y += ROW
        canvas.line(0, y + 4, WIDTH, y + 4, colour=GRID)
    return canvas.svg(title)


def _row(canvas: Canvas, scale: Scale, y: float, one: Account, zero_ns: int) -> None:
    kind, _, ends = one.what.partition(" ")
    asker, _, asked = ends.partition(" → ")
    towards = f" → {asked.partition('.')[0]}" if asker == one.witness else f" ← {asker.partition('.')[0]}"
    words = {"client": f"{one.witness}, libcurl", "wire": f"wire at {one.witness}{towards}",
             "log": f"log of {one.witness}"}[kind]  # fmt: skip
    canvas.text(10, y + 12, fit(words, LEFT - 20, 12), size=12, colour=INK, hint=f"{words}: {ends}")
    marks = [one.begun_ns, one.connected_ns or one.begun_ns, one.first_ns, one.last_ns]
    for (name, colour), begin, end in zip(PHASES, marks, marks[1:], strict=False):
        if begin is not None and end is not None and end > begin:
            x, until = scale((begin - zero_ns) / 1e6), scale((end - zero_ns) / 1e6)
            hint = f"{name}: {(end - begin) / 1e6:.3f} ms ({ends or 'its own times'}; {one.where})"
            canvas.box(max(x, LEFT - 6), y, max(until - x, 0.8), 14, colour=colour, round_px=1.5, hint=hint)
    for at_ns, x in ((one.first_ns, WIDTH - RIGHT + 62), (one.last_ns, WIDTH - 2)):
        if at_ns is not None:
            canvas.text(x, y + 12, f"{(at_ns - zero_ns) / 1e6:,.2f}", size=12, anchor="end", colour=INK)
