"""Published studies beside what this machine measures: claim, paper, ours, band, verdict, minutes."""

from __future__ import annotations

import argparse
import json
import signal
import subprocess
import sys
import time

import experiments
from experiments.harness import catalogue, options
from experiments.harness.rundir import ROOT, RUNS
from experiments.harness.status import BY_OUTCOME, FAILS, HOLDS, INTERRUPTED, INVALID, UNSUPPORTED, UsageError
from experiments.harness.study import Study
from topologies.emulator.setting import nearest

EXAMPLE = "sudo longhaul studies --run --quick"


def arguments(parser: argparse.ArgumentParser) -> None:
    """Options of the verb."""
    parser.add_argument("studies", metavar="STUDY", nargs="*", help="only these (default: all)")
    parser.add_argument("--run", action="store_true", help="run them first, one after another")
    parser.add_argument("--quick", action="store_true", help="with fewer arms and repetitions, and shorter")
    options.link(parser)
    parser.add_argument("--values", action="store_true", help="every value of each study, not only the one that stands for all")
    parser.add_argument("--markdown", action="store_true", help="print a table for a README")
    options.json(parser)


def known() -> dict[str, type[Study]]:
    """All studies by name: the experiments that say what was published."""
    kinds = {name.replace("_", "-"): catalogue.experiment(name) for name in catalogue.names(experiments)}
    return {name: kind for name, kind in kinds.items() if issubclass(kind, Study)}


def main(given: argparse.Namespace) -> int:
    """Without --run always 0; with it 0 when none fails, 1 when one does, 3 when one is invalid, 127 when none could be run."""
    from results import studies

    all_of_them = known()
    for name in given.studies:
        if name not in all_of_them:
            raise UsageError(f"could not find the study '{name}': no experiment of that name says what was published; "
                             f"{nearest(name, all_of_them)}")  # fmt: skip
    wanted = {name: all_of_them[name] for name in given.studies or all_of_them}
    status = run(wanted, given.quick, given.link) if given.run else HOLDS
    modes = ("quick",) if given.quick else ("full",)
    rows = [studies.row(RUNS, name, kind.claim, kind.source, modes) for name, kind in wanted.items()]
    if given.json:
        print(json.dumps([one.as_dict() for one in rows], ensure_ascii=False))
    else:
        print(studies.markdown(rows) if given.markdown else studies.text(rows, given.values))
    return status


def run(wanted: dict[str, type[Study]], quick: bool, link: str) -> int:
    """Run studies by commands of their own, so that none can disturb the next; the worst status."""
    found = []
    for number, (name, kind) in enumerate(wanted.items(), 1):
        minutes = kind.quick_minutes if quick else kind.minutes
        print(f"study {number} of {len(wanted)}: {name}, about {minutes:g} min", file=sys.stderr, flush=True)
        changed = [f"{setting}={value}" for setting, value in (kind.quick if quick else {}).items()]
        settings = [word for one in changed for word in ("--set", one)]
        began = time.monotonic()
        process = subprocess.Popen([str(ROOT / "longhaul"), "run", name, *settings, "--link", link], stdout=sys.stderr)
        try:
            found.append(process.wait())
        except KeyboardInterrupt:
            # The terminal's interrupt reached the run as well; it keeps what it has.
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            process.wait()
            return INTERRUPTED
        print(f"{name} took {(time.monotonic() - began) / 60:.1f} min", file=sys.stderr, flush=True)
    return worst(found)


def worst(statuses: list[int]) -> int:
    """One status for several runs: interrupted, invalid (or worse), fails; unsupported only when all are."""
    if INTERRUPTED in statuses:
        return INTERRUPTED
    if any(one not in BY_OUTCOME.values() or one == INVALID for one in statuses):
        return INVALID
    if FAILS in statuses:
        return FAILS
    return UNSUPPORTED if statuses and all(one == UNSUPPORTED for one in statuses) else HOLDS
