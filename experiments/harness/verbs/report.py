"""Make the report of a run again, from its files alone; no root and no Mininet needed."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from experiments.harness import options
from experiments.harness.status import BY_OUTCOME

EXAMPLE = "longhaul report results/runs/edge-vs-origin/20261123T003000Z-ab12cd"


def arguments(parser: argparse.ArgumentParser) -> None:
    """Options of the verb."""
    parser.add_argument("run", type=Path, metavar="RUN", help="a run directory")
    options.json(parser)


def main(given: argparse.Namespace) -> int:
    """Exit status by the verdict, judged again."""
    from results import judge, report, rundir

    run = rundir.load(given.run)
    verdict = judge.judge(run)
    page, answer = report.write(given.run), report.answer(run, verdict.outcome)
    if given.json:
        print(json.dumps({"run": str(given.run), "report": str(page), "answer": answer, **verdict.as_dict()}))
    else:
        print(f"{answer}\nverdict: {verdict.outcome}\n" + "\n".join(f"  {r}" for r in verdict.reasons))
        print(f"report: {page}")
    return BY_OUTCOME[verdict.outcome]
