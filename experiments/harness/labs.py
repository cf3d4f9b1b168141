"""Labs for verbs: the topology that was asked for, built in a sandbox, refused when its links are not as specified."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from experiments.harness import catalogue, lifeline
from experiments.harness.rundir import ROOT
from experiments.harness.status import FAILURES, INVALID, status_of
from topologies.emulator import sandbox
from topologies.emulator.lab import Lab
from topologies.emulator.topology import Topology


def topology(arguments: argparse.Namespace) -> Topology:
    """The topology that `TOPOLOGY --set ...` names, its warnings printed. Raises UsageError and its kin."""
    found = catalogue.world_of(catalogue.topology(arguments.topology), catalogue.parse_settings(arguments.settings))
    warn(found)
    return found


def warn(world: Topology) -> None:
    """Say what is odd about a topology."""
    for warning in world.warnings:
        print(f"longhaul: warning: {warning}", file=sys.stderr)


@contextmanager
def scheduled(lab: Lab) -> Iterator[None]:
    """The schedules of the links run while the body does; changes that came late are said afterwards."""
    with lab.live.scheduled() as tardy:
        yield
    for problem in tardy:
        print(f"longhaul: warning: {problem}", file=sys.stderr)


def sandboxed(work: Callable[[], int], *keep: Path) -> int:
    """The status of `work` in a sandbox; an error meant for the user is said there and has its kind's status."""

    def lab() -> int:
        try:
            status = work()
            sys.stdout.flush()
            return status
        except FAILURES as error:
            if str(error):
                print(f"longhaul: {error}", file=sys.stderr)
            return status_of(error)

    return sandbox.run(lab, (ROOT, *keep))


def inside(world: Topology, wanted_link: str, use: Callable[[Lab], int]) -> int:
    """Build the topology in a sandbox, refuse it with status 3 when its links are not as specified, else use it."""

    def lab() -> int:
        running = Lab(world, wanted_link)
        with lifeline.tied_to(running.links.alive):
            wrong = [f"link {row['name']}: {reason}" for row in running.verify()["links"] for reason in row["reasons"]]
            if wrong:
                print(f"longhaul: could not trust the lab: {'; '.join(wrong)}; run `longhaul verify`", file=sys.stderr)
                return INVALID
            running.begin()
            return use(running)

    return sandboxed(lab)
