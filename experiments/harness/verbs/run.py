"""Run an experiment: build its lab, prove its links, measure, and write a run directory with a report."""

from __future__ import annotations

import argparse
import json
import shlex
import shutil
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from experiments.harness import catalogue, labs, machine, options
from experiments.harness.blame import blamed
from experiments.harness.manifest import manifest, name_of
from experiments.harness.output import OutputError
from experiments.harness.rundir import RunDirectory
from experiments.harness.runner import Run
from experiments.harness.status import BY_OUTCOME, INTERRUPTED, INVALID, UsageError
from topologies.emulator import sandbox

EXAMPLE = "sudo longhaul run edge-vs-origin --set edges=Singapore --repetitions 20"


def arguments(parser: argparse.ArgumentParser) -> None:
    """Options of the verb."""
    parser.add_argument("experiment", metavar="EXPERIMENT", help="a name of `longhaul list`, or a path to a file of yours")
    options.settings(parser)
    parser.add_argument("--repetitions", metavar="N", help="measured trials of each arm")
    options.link(parser)
    parser.add_argument("--out", type=Path, metavar="DIR", help="run directory (default: results/runs/EXPERIMENT/...)")
    parser.add_argument("--seed", metavar="N", help="seed of the order of trials and of the links (default 1)")
    options.json(parser)


def main(given: argparse.Namespace) -> int:
    """Exit status by the verdict."""
    settings = catalogue.parse_settings(given.settings)
    for name, value in (("repetitions", given.repetitions), ("seed", given.seed)):
        if value is not None and name in settings:
            raise UsageError(f"could not set {name}: both --{name} and --set {name}= are given; give one of them")
        if value is not None:
            settings[name] = value
    experiment = catalogue.build(catalogue.experiment(given.experiment), settings)
    labs.warn(experiment.world)
    with blamed(type(experiment), "begin the run"):
        document = manifest(experiment, experiment.world.seed, _command(sys.argv[2:]))
    directory = RunDirectory.create(name_of(type(experiment)), datetime.now(UTC), given.out)
    facts = {**machine.facts(), "load_before": machine.load()}
    try:
        run = Run(experiment, directory, given.link, document, facts)
        status = labs.sandboxed(run.execute, directory.path)
        if status not in (0, INTERRUPTED):
            return status
        return _conclude(directory, given.json, status)
    except sandbox.SandboxError:
        shutil.rmtree(directory.path)  # nothing was begun
        raise
    finally:
        directory.give_to_caller()


def _command(argv: list[str]) -> str:
    """The command as another would give it: where this run was put is no part of it."""
    words = iter(argv)
    kept = [word for word in words if not (word == "--out" and next(words, "")) and not word.startswith("--out=")]
    return "longhaul " + shlex.join(["run", *kept])


def _conclude(directory: RunDirectory, as_json: bool, status: int) -> int:
    from results import judge, report, rundir

    loaded = rundir.load(directory.path)
    verdict = judge.judge(loaded)
    directory.write_json("manifest.json", {**directory.read_json("manifest.json"), "verdict": verdict.as_dict()})
    page = report.write(directory.path)
    summary: dict[str, Any] = {"run": str(directory.path), "report": str(page), "outcome": verdict.outcome,
                               "reasons": verdict.reasons, "answer": report.answer(loaded)}  # fmt: skip
    lines = ["", summary["answer"], "", f"verdict: {verdict.outcome}", *(f"  {reason}" for reason in verdict.reasons),
             f"report:  {page}"]  # fmt: skip
    try:
        print(json.dumps(summary, ensure_ascii=False) if as_json else "\n".join(lines), flush=True)
    except OutputError as error:  # the run stands, whoever reads of it
        print(f"longhaul: {error or 'could not print: the reader went away'}; the report is {page}", file=sys.stderr)
    return status or BY_OUTCOME.get(verdict.outcome, INVALID)
