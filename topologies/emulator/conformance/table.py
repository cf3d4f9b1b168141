"""The table of the suite for a person: what, specified, achieved, allowed, verdict. It measures and prints nothing."""

from __future__ import annotations

from collections.abc import Sequence

from topologies.emulator.conformance.figure import INSIDE, OUTSIDE, PUBLISHED, TOO_SLOW, UNSUPPORTED, Row

_WIDTHS = (38, 20, 17, 34, 0)
HEAD = ("what", "specified", "achieved", "allowed", "verdict")


def head() -> str:
    """The names of the columns."""
    return _line(HEAD)


def lines(rows: Sequence[Row]) -> str:
    """One check: its name, then a line for each figure."""
    first = rows[0]
    taken = f"{first.seconds:.1f} s" + (f", by {first.backend}" if first.backend else "")
    if first.figure is None:
        return f"{first.what}  ({taken})\n  {first.verdict}: {first.reason}"
    return "\n".join([f"{first.what}  ({taken})", *map(_row, rows)])


def summary(rows: Sequence[Row], seconds: float) -> str:
    """How many of each verdict, and what is outside."""
    counts = [(verdict, sum(row.verdict == verdict for row in rows))
              for verdict in (INSIDE, OUTSIDE, TOO_SLOW, UNSUPPORTED, PUBLISHED)]  # fmt: skip
    said = ", ".join(f"{count} {verdict}" for verdict, count in counts if count or verdict in (INSIDE, OUTSIDE))
    again = sum(row.attempts > 1 for row in rows)
    said += f"; {seconds:.0f} s" + (f"; {again} of them not at the first attempt" if again else "")
    wrong = [f"  {row.what}: {row.figure.name}: {row.figure.show(row.figure.achieved)}, allowed {row.figure.allowed}"
             for row in rows if row.verdict == OUTSIDE and row.figure]  # fmt: skip
    slow = [f"  {row.what}: {row.reason}" for row in rows if row.verdict == TOO_SLOW]
    said += "\n".join(["", "not judged, so nothing is proved of them here:", *slow]) if slow else ""
    return "\n".join([said, *(["outside, so these links are not to be trusted here:", *wrong] if wrong else [])])


def _row(row: Row) -> str:
    figure = row.figure
    if figure is None:
        return ""
    tries = f" (attempt {row.attempts})" if row.attempts > 1 else ""
    note = f"; {figure.note}" if figure.note else ""
    return _line((f"  {figure.name}", figure.specified, figure.show(figure.achieved), figure.allowed,
                  f"{row.verdict}{tries}{note}"))  # fmt: skip


def _line(cells: Sequence[str]) -> str:
    return " ".join(f"{cell:<{width}}" for cell, width in zip(cells, _WIDTHS, strict=True)).rstrip()
