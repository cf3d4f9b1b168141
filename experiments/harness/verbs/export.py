"""A run in the formats of others: flent's, CSV, Parquet, or an RO-Crate for archives; no root and no lab needed."""

from __future__ import annotations

import argparse
import importlib
import json
import pkgutil
from pathlib import Path

from experiments.harness import options
from experiments.harness.status import HOLDS, UsageError
from results import exports, rundir
from results.exports.machinery.request import Request
from topologies.emulator.setting import nearest

EXAMPLE = "longhaul export results/runs/edge-vs-origin/20261123T003000Z-ab12cd --format flent"


def arguments(parser: argparse.ArgumentParser) -> None:
    """Options of the verb."""
    parser.add_argument("run", type=Path, metavar="RUN", help="a run directory")
    parser.add_argument("--format", required=True, metavar="FORMAT", help=f"one of {', '.join(formats())}")
    parser.add_argument("--out", type=Path, metavar="DIR", help="where to (default: export/FORMAT in the run directory)")
    parser.add_argument("--metric", default="", metavar="COLUMN",
                        help="column of trials.csv, for flent (default: the first that is claimed)")  # fmt: skip
    parser.add_argument("--licence", default="", metavar="URL", help="of the data, for ro-crate")
    options.json(parser)


def main(given: argparse.Namespace) -> int:
    """0 when it was written."""
    if given.format not in formats():
        raise UsageError(f"could not export as {given.format}: there is no such format; {nearest(given.format, formats())}")
    found = importlib.import_module(f"{exports.__name__}.{given.format.replace('-', '_')}")
    for option in ("out", "metric", "licence"):
        if getattr(given, option) and option not in found.USES:
            raise UsageError(f"could not use --{option}: {given.format} has no use for it; leave it out")
    written = found.write(Request(rundir.load(given.run), given.out, given.metric, given.licence))
    print(json.dumps([str(path) for path in written]) if given.json else "\n".join(map(str, written)))
    return HOLDS


def formats() -> list[str]:
    """What there is: the files of results/exports/."""
    return [one.name.replace("_", "-") for one in pkgutil.iter_modules(exports.__path__) if not one.ispkg]
