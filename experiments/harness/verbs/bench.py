"""Our speed beside the tools people would use instead, medians of several runs."""

from __future__ import annotations

import argparse
import importlib
import json
import pkgutil
import sys

from experiments.harness import benches, options
from experiments.harness.bench import Row, table
from experiments.harness.status import UsageError
from topologies.emulator.setting import nearest

EXAMPLE = "sudo longhaul bench lab --repetitions 5"


def arguments(parser: argparse.ArgumentParser) -> None:
    """Options of the verb."""
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"which (default all): {', '.join(_known())}")
    parser.add_argument("--repetitions", type=int, default=5, metavar="N", help="runs of each (default 5)")
    parser.add_argument("--quick", action="store_true", help="short runs that try a benchmark out; no figures to publish")
    options.json(parser)


def main(given: argparse.Namespace) -> int:
    """0 when every goal is reached, 1 when one is not."""
    known = _known()
    for name in given.names:
        if name not in known:
            raise UsageError(f"could not measure '{name}': there is no such benchmark; {nearest(name, known)}")
    if given.repetitions < 1:
        raise UsageError(f"could not repeat {given.repetitions} times: that measures nothing; write 1 or more")
    rows: list[Row] = []
    for name in given.names or known:
        print(f"measuring {name} ...", file=sys.stderr, flush=True)
        module = importlib.import_module(f"{benches.__name__}.{name}")
        if given.quick and not hasattr(module, "quick"):
            raise UsageError(f"could not measure {name} quickly: it has no short form; leave out --quick")
        rows += module.quick() if given.quick else module.measure(given.repetitions)
    print(json.dumps([row.as_dict() for row in rows]) if given.json else table(rows))
    return 0 if all(row.reached for row in rows) else 1


def _known() -> list[str]:
    return [module.name for module in pkgutil.iter_modules(benches.__path__)]
