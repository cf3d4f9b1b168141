"""One request's way through a run: who placed it where and why, and when it was at which hop."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from experiments.harness import options

EXAMPLE = "longhaul why results/runs/steering-modes/20261123T003000Z-ab12cd --request 12"


def arguments(parser: argparse.ArgumentParser) -> None:
    """Options of the verb."""
    parser.add_argument("run", type=Path, metavar="RUN", help="a run directory")
    parser.add_argument("--request", metavar="ID", required=True,
                        help="a trial's number in trials.csv; TRIAL.NUMBER where it made several fetches")  # fmt: skip
    options.json(parser)


def main(given: argparse.Namespace) -> int:
    """0 when the request was found."""
    from results.why import why

    way = why(given.run, given.request)
    if given.json:
        print(json.dumps(way.as_dict()))
        return 0
    print(f"request {way.request}: {way.client} ({way.address}) wants {way.url}\n{way.outcome}\n")
    for step in way.steps:
        took = "" if step.took_ms is None else f"  [{step.took_ms:.1f} ms]"
        print(f"{step.at_ms:>10.1f} ms  {step.node}: {step.what}{took}")
        for detail in step.details:
            print(f"{'':>13}    {detail}")
    for words in way.missing:
        print(f"not known: {words}")
    return 0
