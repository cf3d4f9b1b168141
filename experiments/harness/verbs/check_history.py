"""Check a recorded history of operations on a cache for what must never have happened."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from experiments.harness import options
from experiments.harness.status import FAILS, HOLDS, UsageError
from results.history import INVARIANTS, HistoryError, check, parse

EXAMPLE = "longhaul check-history history.jsonl"


def arguments(parser: argparse.ArgumentParser) -> None:
    """Options of the verb."""
    parser.add_argument("history", metavar="FILE", type=Path, help="JSON lines; results/history.py says what they hold")
    options.json(parser)


def main(given: argparse.Namespace) -> int:
    """0 when every invariant holds, 1 when one was broken."""
    try:
        with given.history.open(encoding="utf-8") as file:
            history = parse(file)
    except (OSError, UnicodeDecodeError) as error:
        cause = (getattr(error, "strerror", None) or str(error)).lower()
        raise UsageError(f"could not read the history {given.history}: {cause}; give a file of JSON lines") from error
    except HistoryError as error:
        raise UsageError(f"could not read the history {given.history}: {error}; see results/history.py") from error
    found = check(history)
    if given.json:
        print(json.dumps({"operations": len(history.operations), "bound_s": history.bound_s,
                          "violations": [{"invariant": one.invariant, "text": one.text} for one in found]}))  # fmt: skip
    else:
        print(f"{len(history.operations):,} operations, bound {history.bound_s:g} s")
        for invariant in INVARIANTS:
            broken = [one.text for one in found if one.invariant == invariant]
            print(f"{'holds' if not broken else f'broken {len(broken)} times'}: {invariant}")
            for text in broken[:10]:
                print(f"  {text}")
    return FAILS if found else HOLDS
