"""The conformance suite of links: every check there is, made and repeated as the rules say. It prints nothing.

A check one of whose figures is outside is made again, and must then be right twice in a row: trying until it fits would pass a
wrong link some day. Its rows say how many attempts it took. With repetitions it is made so many times instead, whatever comes
out, and its rows have the medians. What the machine was too slow for is made again too and counts neither way, but in all a
check is made at most twice as often as it may count.
"""

from __future__ import annotations

import importlib
import math
import pkgutil
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace

from topologies.emulator.conformance import checks
from topologies.emulator.conformance.bed import Bed
from topologies.emulator.conformance.check import Check, TooSlowError
from topologies.emulator.conformance.figure import OUTSIDE, Figure, Row, middle
from topologies.emulator.links.backend import UnsupportedError

ATTEMPTS, PASSES_AFTER_FAILURE = 5, 2


def names() -> list[str]:
    """The kinds of checks: a file each."""
    return [module.name for module in pkgutil.iter_modules(checks.__path__)]


def found(only: Sequence[str] = (), quick: bool = False) -> list[tuple[str, Check]]:
    """(kind, check) of the named kinds, all when none is named."""
    kinds = [name for name in names() if not only or name in only]
    modules = [(kind, importlib.import_module(f"{checks.__name__}.{kind}")) for kind in kinds]
    return [(kind, check) for kind, module in modules for check in module.checks(quick)]


def run(bed: Bed, chosen: Sequence[tuple[str, Check]], repetitions: int = 1) -> Iterator[list[Row]]:
    """The rows of one check after the other."""
    for kind, check in chosen:
        yield rows(bed, kind, check, repetitions=repetitions)


def rows(bed: Bed, kind: str, check: Check, attempts: int = ATTEMPTS, repetitions: int = 1) -> list[Row]:
    """Of one check; the first has the time that all took. Raises what a lab raises when it is not just unsupported."""
    began = time.monotonic()
    bed.kinds.clear()
    made = _repeated(bed, kind, check, repetitions) if repetitions > 1 else _tried(bed, kind, check, attempts)
    taken = time.monotonic() - began
    kinds = "+".join(sorted(bed.kinds))
    return [replace(row, backend=kinds, seconds=0.0 if number else taken) for number, row in enumerate(made)]


def _tried(bed: Bed, kind: str, check: Check, attempts: int) -> list[Row]:
    made: list[Row] = []
    counted, passes, due = 0, 0, 1
    for bed.attempt in range(1, 2 * attempts + 1):
        try:
            found = [Row(kind, check.what, figure, attempts=bed.attempt) for figure in check.measure(bed)]
        except TooSlowError as error:
            made = made or [Row(kind, check.what, None, reason=str(error), too_slow=True)]
            continue
        except UnsupportedError as error:
            return made or [Row(kind, check.what, None, reason=str(error))]  # what was outside before stays so
        counted += 1
        if any(row.verdict == OUTSIDE for row in found):
            made, passes, due = found, 0, PASSES_AFTER_FAILURE
        else:
            passes += 1
            if passes == due:
                return found
        if passes + attempts - counted < due:
            break
    return [replace(row, attempts=bed.attempt) for row in made]


def _repeated(bed: Bed, kind: str, check: Check, repetitions: int) -> list[Row]:
    """A run that lacks a figure of the others has failed, and so has the figure: it counts as one without a value. A run that
    the machine was too slow for is made again, at most as often as there are repetitions."""
    runs: list[dict[str, Figure]] = []
    slow = ""
    for bed.attempt in range(1, 2 * repetitions + 1):
        try:
            runs.append({figure.name: figure for figure in check.measure(bed)})
        except TooSlowError as error:
            slow = str(error)
        except UnsupportedError as error:
            return [Row(kind, check.what, None, reason=str(error))]
        if len(runs) == repetitions:
            break
    every = {name: figure for run in reversed(runs) for name, figure in run.items()}
    rows = [Row(kind, check.what, middle([run.get(name, replace(figure, achieved=math.nan)) for run in runs]))
            for name, figure in every.items()]  # fmt: skip
    if len(runs) < repetitions and all(row.verdict != OUTSIDE for row in rows):
        return [Row(kind, check.what, None, reason=slow, too_slow=True)]
    return rows
