"""Kinds of figures, found by the files beside this one; and the error of a figure with nothing to show. It draws none.

A kind is a file here with `draw(run, request, verdict) -> str`: SVG from a run and one entry of the manifest's
`figures`. Its docstring's first line says what it shows.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from results.judge import Verdict
from results.rundir import Run

Draw = Callable[[Run, Mapping[str, Any], Verdict], str]


class NothingToDraw(Exception):
    """The run holds nothing for this figure; the message says what is missing."""


def kinds() -> list[str]:
    """Names of all kinds."""
    names = [one.name for one in pkgutil.iter_modules([str(Path(__file__).parent)]) if not one.ispkg]
    return sorted(name for name in names if name != "registry")


def find(kind: str) -> Draw:
    """The drawing function of a kind. Raises ValueError for an unknown one, with the nearest name."""
    known = kinds()
    if kind not in known:
        near = get_close_matches(kind, known, 1)
        raise ValueError(f"there is no figure kind '{kind}'" + (f", did you mean '{near[0]}'?" if near else "")
                         + f" (kinds: {', '.join(known)})")  # fmt: skip
    draw: Draw = importlib.import_module(f"results.figures.{kind}").draw
    return draw


def need_column(run: Run, kind: str, *columns: str) -> None:
    """Raises RunError when a figure asks for a column that `trials.csv` lacks."""
    if not run.trials:
        raise NothingToDraw("no trial was measured")
    for column in columns:
        if column not in run.trials[0].values:
            raise run.error(f"trials.csv lacks the column {column}, which the figure '{kind}' uses")
