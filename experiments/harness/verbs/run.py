"""Run an experiment: build its lab, prove its links, measure, and write a run directory with a report."""

from __future__ import annotations

import argparse
import json
import shlex
import shutil
import site
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from experiments.harness import catalogue, enough, labs, machine, options
from experiments.harness.blame import blamed
from experiments.harness.experiment import Experiment
from experiments.harness.manifest import manifest, name_of
from experiments.harness.order import schedule
from experiments.harness.output import OutputError
from experiments.harness.resume import Earlier, finished, refusal
from experiments.harness.rundir import ROOT, RunDirectory
from experiments.harness.runner import Run
from experiments.harness.series import keep_only
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
    parser.add_argument("--resume", type=Path, metavar="RUN", help="go on with an interrupted run, asked for as it was begun")
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
    many = experiment.side_by_side
    if words := enough.none_to_spare(experiment.repetitions * many, experiment.most_repetitions * many):
        print(f"longhaul: warning: {words}", file=sys.stderr)
    with blamed(type(experiment), "begin the run"):
        document = manifest(experiment, experiment.world.seed, _command(sys.argv[2:]))
    facts = {**machine.facts(), "load_before": machine.load()}
    document.update(code=machine.code(ROOT, _files(experiment)), machine=facts)
    earlier, link = None, given.link
    if given.resume:
        directory, earlier, link = _reopen(experiment, given, document)
    else:
        directory = RunDirectory.create(name_of(type(experiment)), datetime.now(UTC), given.out)
        directory.keep(one for one in _files(experiment) if not any(map(one.is_relative_to, _OTHERS)))
    try:
        run = Run(experiment, directory, link, document, facts, earlier)
        status = labs.sandboxed(run.execute, directory.path)
        if status not in (0, INTERRUPTED):
            return status
        return _conclude(directory, given.json, status)
    except sandbox.SandboxError:
        if not earlier:
            shutil.rmtree(directory.path)  # nothing was begun
        raise
    finally:
        directory.give_to_caller()


def _reopen(
    experiment: Experiment, given: argparse.Namespace, document: Mapping[str, Any]
) -> tuple[RunDirectory, Earlier, str]:
    """The run to go on with, what there is of it, and what emulates its links. Raises UsageError when it may not go on."""
    if given.out:
        raise UsageError("could not use --out: a run that goes on stays where it is; leave it out")
    directory = RunDirectory.reopen(given.resume)
    rows = finished(directory.rows(), experiment.side_by_side)
    links = directory.read_json("links.json") if (directory.path / "links.json").exists() else {}
    earlier = Earlier(directory.read_json("manifest.json"), links, rows)
    slots = schedule(experiment.arms(), experiment.repetitions, experiment.warmup, document["seed"])
    backend = earlier.document.get("link_backend") or given.link
    why = refusal(earlier, document, slots)
    if not why and given.link not in ("auto", backend):
        why = f"its links were {backend} and are to be {given.link} now; leave out --link"
    if why:
        raise UsageError(f"could not go on with {given.resume}: {why}")
    keep_only(directory, earlier.rows)
    return directory, earlier, backend


_OTHERS = (ROOT / "experiments" / "harness", ROOT / "topologies" / "emulator", *map(Path, site.getsitepackages()),
           Path("/usr/lib"))  # fmt: skip
"""Where a file is of Longhaul's own machinery, or of a library."""


def _files(experiment: Experiment) -> set[Path]:
    """The files of the experiment and of its topology, with those that they are derived from."""
    kinds = (*type(experiment).__mro__, *type(experiment.world).__mro__)
    return {Path(file).resolve() for kind in kinds if (file := getattr(sys.modules.get(kind.__module__), "__file__", None))}


def _command(argv: list[str]) -> str:
    """The command as another would give it: where this run is, is no part of it."""
    words = iter(argv)
    kept = [word for word in words if not (word in ("--out", "--resume") and next(words, ""))
            and not word.startswith(("--out=", "--resume="))]  # fmt: skip
    return "longhaul " + shlex.join(["run", *kept])


def _conclude(directory: RunDirectory, as_json: bool, status: int) -> int:
    from results import judge, report, rundir

    loaded = rundir.load(directory.path)
    verdict = judge.judge(loaded)
    directory.write_json("manifest.json", {**directory.read_json("manifest.json"), "verdict": verdict.as_dict()})
    page = report.write(directory.path)
    summary: dict[str, Any] = {"run": str(directory.path), "report": str(page), "outcome": verdict.outcome,
                               "reasons": verdict.reasons, "answer": report.answer(loaded, verdict.outcome)}  # fmt: skip
    lines = ["", summary["answer"], "", f"verdict: {verdict.outcome}", *(f"  {reason}" for reason in verdict.reasons),
             f"report:  {page}"]  # fmt: skip
    try:
        print(json.dumps(summary, ensure_ascii=False) if as_json else "\n".join(lines), flush=True)
    except OutputError as error:  # the run stands, whoever reads of it
        print(f"longhaul: {error or 'could not print: the reader went away'}; the report is {page}", file=sys.stderr)
    return status or BY_OUTCOME.get(verdict.outcome, INVALID)
