"""What this machine can do, what it cannot, and how to change that."""

from __future__ import annotations

import argparse
import json

from experiments.harness import options
from experiments.harness.doctor import CHECKS
from experiments.harness.status import HOLDS, UNSUPPORTED

EXAMPLE = "longhaul doctor --json"

_SIGNS = {"can": "yes", "limited": "limited", "cannot": "NO", "without": "no"}


def arguments(parser: argparse.ArgumentParser) -> None:
    """Options of the verb."""
    options.json(parser)


def main(given: argparse.Namespace) -> int:
    """0 when labs can run here, 127 when something they need is missing."""
    found = []
    for check in CHECKS:
        finding = check()
        found.append(finding)
        if not given.json:
            print(f"{finding.what:<20} {_SIGNS[finding.level]:<8} {finding.words}", flush=True)
            if finding.remedy:
                print(f"{'':<29} to change that: {finding.remedy}")
    if given.json:
        print(json.dumps([finding.as_dict() for finding in found]))
    hindrances = [finding.what for finding in found if finding.level == "cannot"]
    if not given.json:
        print(f"\n{'labs cannot run here: ' + ', '.join(hindrances) if hindrances else 'labs run here'}")
    return UNSUPPORTED if hindrances else HOLDS
