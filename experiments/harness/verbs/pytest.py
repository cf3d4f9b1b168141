"""Your own tests with labs: pytest with the fixtures `lab` and `stage`."""

from __future__ import annotations

import argparse
import os
import sys

EXAMPLE = "sudo longhaul pytest test_my_cdn.py -k warm"


def arguments(parser: argparse.ArgumentParser) -> None:
    """It has no options of its own."""
    parser.description = f"{__doc__}\n\nEverything behind the verb is pytest's; docs/ecosystem.md has an example."


def passes_on(parser: argparse.ArgumentParser, argv: list[str]) -> tuple[argparse.Namespace, list[str]]:
    """Everything but --help is pytest's."""
    return parser.parse_args(argv if argv in (["-h"], ["--help"]) else []), argv


def main(given: argparse.Namespace, rest: list[str]) -> int:
    """pytest's exit status; it takes the place of this process."""
    sys.stdout.flush()
    os.execv(sys.executable, [sys.executable, "-P", "-m", "pytest", "-p", "experiments.harness.pytest_plugin", *rest])
