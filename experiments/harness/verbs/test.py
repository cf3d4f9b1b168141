"""Run every test: style, types, the rule of imports, and pytest."""

from __future__ import annotations

import argparse
import subprocess
import sys

from experiments.harness.rundir import ROOT

EXAMPLE = "sudo longhaul test"

CHECKS = (
    ("style", ["-m", "ruff", "check", "units.py", "cores.py", "topologies", "nodes", "experiments", "results", "tests"]),
    ("types", ["-m", "mypy"]),
    ("imports", ["-c", "from importlinter.cli import lint_imports_command; lint_imports_command()"]),
)
FAST = "not lab and not slow"
WORKERS = 2
"""Processes that share the fast tests: as many as the machines that this is developed on have processors."""


def arguments(parser: argparse.ArgumentParser) -> None:
    """Options of the verb."""
    parser.add_argument("--fast", action="store_true", help="only what needs no lab and no time")


def passes_on(parser: argparse.ArgumentParser, argv: list[str]) -> tuple[argparse.Namespace, list[str]]:
    """What it does not know goes to pytest."""
    return parser.parse_known_args(argv)


def main(given: argparse.Namespace, rest: list[str]) -> int:
    """0 when all pass; the first failing check's status else."""
    for name, command in CHECKS:
        print(f"{name}: ", end="", flush=True)
        done = subprocess.run([sys.executable, *command], cwd=ROOT, capture_output=True, text=True, check=False)
        print("fine" if done.returncode == 0 else f"\n{done.stdout}{done.stderr}", flush=True)
        if done.returncode:
            return done.returncode
    fast = ["-m", FAST, "-n", str(WORKERS), "--dist", "loadfile"]
    if given.fast:
        return pytest(*fast, *rest)
    if rest:
        return pytest(*rest)
    # What measures time has the processors for itself.
    return pytest(*fast) or pytest("-m", f"not ({FAST})")


def pytest(*options: str) -> int:
    """Its exit status."""
    return subprocess.run([sys.executable, "-m", "pytest", *options], cwd=ROOT, check=False).returncode
