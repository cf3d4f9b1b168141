"""Build a topology, measure every link, and print specified against achieved; or, with --all, prove the links themselves.

`verify TOPOLOGY` measures the links of one lab. `verify --all` runs the conformance suite: every effect and value, on links
made for it, with the tolerances of the project's goals; about five minutes.
"""

from __future__ import annotations

import argparse
import json
import sys
import time

from experiments.harness import labs, lifeline, machine, options
from experiments.harness.link_table import load_line, table
from experiments.harness.progress import Progress
from experiments.harness.status import HOLDS, INVALID, UNSUPPORTED, UsageError
from topologies.emulator import watch
from topologies.emulator.conformance import suite
from topologies.emulator.conformance import table as text
from topologies.emulator.conformance.bed import Bed
from topologies.emulator.conformance.figure import OUTSIDE, TOO_SLOW, Row
from topologies.emulator.conformance.figure import UNSUPPORTED as UNSUPPORTED_ROW
from topologies.emulator.lab import Lab
from topologies.emulator.links.tolerance import REAL, Tolerance, of_this_machine
from topologies.emulator.setting import nearest
from units import UnitError, fraction, milliseconds, show_ms

ATTEMPTS = 3
"""Of a topology whose links were right but late."""
EXAMPLE = "sudo longhaul verify two_hosts --set rtt=76ms --set rate=50mbit\n  sudo longhaul verify --all"


def arguments(parser: argparse.ArgumentParser) -> None:
    """Options of the verb."""
    parser.add_argument("topology", metavar="TOPOLOGY", nargs="?",
                        help="a name of `longhaul list`, or a path to a file of yours")  # fmt: skip
    options.settings(parser)
    options.link(parser)
    options.json(parser)
    proof = parser.add_argument_group("the conformance suite")
    proof.add_argument("--all", action="store_true", help="run it, instead of measuring a topology")
    proof.add_argument("--only", action="append", default=[], metavar="NAME",
                       help=f"these checks alone; may be repeated: {', '.join(suite.names())}")  # fmt: skip
    proof.add_argument("--quick", action="store_true", help="fewer values and packets: about a minute")
    proof.add_argument("--repetitions", type=int, metavar="N",
                       help="make each check so often and judge the medians, instead of trying again what is outside")
    proof.add_argument("--tolerance-time", metavar="TIME",
                       help="allow times so much beside the goals, such as 3ms (default on emulated processors)")  # fmt: skip
    proof.add_argument("--tolerance-rate", metavar="SHARE",
                       help="the same for rates, and times by share, such as 4%%")  # fmt: skip


def main(given: argparse.Namespace) -> int:
    """0 when everything is within its tolerance, 3 when something is not, 127 when nothing asked for can be here."""
    if given.all:
        return _conformance(given)
    if given.topology is None and (given.only or given.quick or given.repetitions is not None):
        raise UsageError("could not verify: --only, --quick and --repetitions are of the conformance suite; write --all too")
    if given.topology is None:
        raise UsageError("could not verify: no topology is named; name one of `longhaul list`, or write --all")
    for option in ("only", "quick", "repetitions", "tolerance_time", "tolerance_rate"):
        if getattr(given, option) not in (None, False, []):
            raise UsageError(f"could not verify {given.topology}: --{option.replace('_', '-')} belongs to --all; leave it out")
    world = labs.topology(given)

    def lab() -> int:
        before, running = machine.reading(), Lab(world, given.link)
        with lifeline.tied_to(running.links.alive):
            for attempt in range(1, ATTEMPTS + 1):
                found = running.verify()
                running.watch(found)
                if attempt == ATTEMPTS or not watch.only_busy(reason for row in found["links"] for reason in row["reasons"]):
                    break
                print("longhaul: links were late because the machine was too busy: measuring again", file=sys.stderr)
                running.begin()
        found["machine"] = load = machine.reading().since(before)
        stolen = machine.stolen(load)
        print(json.dumps({**found, "invalid": stolen}) if given.json else table(found, stolen))
        return HOLDS if all(row["ok"] for row in found["links"]) and not stolen else INVALID

    return labs.sandboxed(lab)


def _conformance(given: argparse.Namespace) -> int:
    """Run the suite, a check's lines as soon as it is done."""
    if given.topology or given.settings:
        what = given.topology or "--set"
        raise UsageError(f"could not verify: --all builds its own links, {what} would not change them; leave it out")
    for name in given.only:
        if name not in suite.names():
            raise UsageError(f"could not verify only '{name}': there is no such check; {nearest(name, suite.names())}")
    if given.repetitions is not None and given.repetitions < 1:
        raise UsageError(f"could not verify with --repetitions {given.repetitions}: one is the least; write 5, say")
    tolerance, why = _tolerance(given)
    chosen = suite.found(given.only, given.quick)

    def lab() -> int:
        bed, before, began = Bed(given.link, tolerance=tolerance), machine.reading(), time.monotonic()
        how, rows = bed.prepare(), list[Row]()
        progress = Progress(len(chosen), of="check")
        if not given.json:
            print(f"links by {how['backend']}: {how.get('why', '')}\ntolerance: {why}\n\n{text.head()}", flush=True)
        for made in suite.run(bed, chosen, given.repetitions or 1):
            rows += made
            if not given.json:
                progress.clear()
                print(text.lines(made), flush=True)
            progress.step(made[0].what)
        taken, load = time.monotonic() - began, machine.reading().since(before)
        stolen = machine.stolen(load)
        if given.json:
            print(json.dumps({"backend": how["backend"], "how": how, "tolerance": why, "seconds": taken, "machine": load,
                              "rows": [row.as_dict() for row in rows], "invalid": stolen}))  # fmt: skip
        else:
            print("\n".join(["", text.summary(rows, taken), load_line(load), *(f"invalid: {one}" for one in stolen)]))
        if stolen or any(row.verdict in (OUTSIDE, TOO_SLOW) for row in rows):
            return INVALID
        return UNSUPPORTED if all(row.verdict == UNSUPPORTED_ROW for row in rows) else HOLDS

    return labs.sandboxed(lab)


def _tolerance(given: argparse.Namespace) -> tuple[Tolerance, str]:
    """What is allowed beside the goals, and why."""
    usual = of_this_machine()
    if given.tolerance_time is None and given.tolerance_rate is None:
        return usual, "the goals alone" if usual == REAL else f"{_words(usual)} beside the goals: these processors are emulated"
    try:
        asked = Tolerance(
            usual.ms if given.tolerance_time is None else milliseconds(given.tolerance_time),
            usual.share if given.tolerance_rate is None else fraction(given.tolerance_rate),
        )
    except UnitError as error:
        raise UsageError(f"could not verify: {error}") from None
    if asked.ms < 0 or not 0 <= asked.share < 1:
        raise UsageError("could not verify: a tolerance is not negative, and a share is below 100%; write for example 3ms, 4%")
    return asked, f"{_words(asked)} beside the goals: asked for"


def _words(tolerance: Tolerance) -> str:
    return f"{show_ms(tolerance.ms)} or {tolerance.share:.3%}"
