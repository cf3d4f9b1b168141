"""Labs for verbs: the topology that was asked for, built in a sandbox, refused when its links are not as specified."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable

from experiments.harness import catalogue
from experiments.harness.rundir import ROOT
from experiments.harness.status import FAILURES, INVALID, status_of
from topologies.emulator import sandbox
from topologies.emulator.lab import Lab
from topologies.emulator.topology import Topology


def topology(arguments: argparse.Namespace) -> Topology:
    """The topology that `TOPOLOGY --set ...` names, its warnings printed. Raises UsageError and its kin."""
    found = catalogue.topology(arguments.topology)(**catalogue.parse_settings(arguments.settings))
    warn(found)
    return found


def warn(world: Topology) -> None:
    """Say what is odd about a topology."""
    for warning in world.warnings:
        print(f"longhaul: warning: {warning}", file=sys.stderr)


def proven(world: Topology, wanted_link: str) -> tuple[Lab, list[str]]:
    """A running lab with its links verified, and what is wrong with them. Only inside a sandbox."""
    lab = Lab(world, wanted_link)
    rows = lab.verify()["links"]
    return lab, [f"link {row['name']}: {reason}" for row in rows for reason in row["reasons"]]


def inside(world: Topology, wanted_link: str, use: Callable[[Lab], int]) -> int:
    """Build the topology in a sandbox, refuse it with status 3 when its links are not as specified, else use it."""

    def lab() -> int:
        try:
            running, wrong = proven(world, wanted_link)
            if wrong:
                print(f"longhaul: could not trust the lab: {'; '.join(wrong)}; run `longhaul verify`", file=sys.stderr)
                return INVALID
            return use(running)
        except FAILURES as error:
            complain(error)
            return status_of(error)

    return sandbox.run(lab, (ROOT,))


def complain(error: BaseException) -> None:
    """The one line in which the user learns of an error."""
    print(f"longhaul: {error}", file=sys.stderr)
