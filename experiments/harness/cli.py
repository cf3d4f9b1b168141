"""The command line: one file per verb in verbs/, found by its presence. It does no verb's work.

Errors that are meant for the user end here as one line on standard error, `longhaul: could not ATTEMPT: CAUSE; WHAT TO
DO`, with the exit status that their kind has; a traceback means a defect of longhaul.
"""

from __future__ import annotations

import argparse
import importlib
import pkgutil
import sys
from types import ModuleType
from typing import NoReturn

from experiments.harness import verbs
from experiments.harness.status import FAILURES, INTERRUPTED, USAGE, UsageError, status_of
from topologies.emulator.setting import nearest

ABOUT = "A laboratory for content delivery over long distances: emulated links that prove themselves, real daemons, " \
        "packet captures."  # fmt: skip
FIRST_STEPS = "first steps:\n  longhaul doctor\n  sudo longhaul run edge-vs-origin\n"


def main(argv: list[str]) -> int:
    """Run one verb; the exit status of the command."""
    known = [module.name.replace("_", "-") for module in pkgutil.iter_modules(verbs.__path__)]
    verb = next((word for word in argv if not word.startswith("-")), "")
    try:
        if verb in known and argv[0] == verb:
            status = _run(_module(verb), verb, argv[1:])
            sys.stdout.flush()
            return status
        if verb and argv[0] == verb:
            print(f"longhaul: could not run `longhaul {verb}`: there is no such verb; {nearest(verb, known)}", file=sys.stderr)
            return USAGE
        _help(known)
        sys.stdout.flush()
        return 0 if argv in (["-h"], ["--help"]) else USAGE
    except FAILURES as error:
        if str(error):  # a reader of our output that went away (`longhaul list | head`) needs no words
            print(f"longhaul: {error}", file=sys.stderr)
        return status_of(error)
    except KeyboardInterrupt:
        print("longhaul: interrupted", file=sys.stderr)
        return INTERRUPTED


class Parser(argparse.ArgumentParser):
    """argparse whose errors read as all errors here do."""

    def error(self, message: str) -> NoReturn:
        """One line, status 2."""
        raise UsageError(f"could not run `{self.prog}`: {message}; see `{self.prog} --help`")

    def exit(self, status: int = 0, message: str | None = None) -> NoReturn:
        """After the help was printed."""
        sys.stdout.flush()
        super().exit(status, message)


def _module(verb: str) -> ModuleType:
    """The file of a verb; `lab-ca` is lab_ca.py."""
    return importlib.import_module(f"{verbs.__name__}.{verb.replace('-', '_')}")


def _run(module: ModuleType, verb: str, argv: list[str]) -> int:
    parser = Parser(
        prog=f"longhaul {verb}", description=module.__doc__, epilog=f"example:\n  {module.EXAMPLE}",
        formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False,
    )  # fmt: skip
    module.arguments(parser)
    if hasattr(module, "passes_on"):
        arguments, rest = module.passes_on(parser, argv)
        return int(module.main(arguments, rest))
    return int(module.main(parser.parse_args(argv)))


def _help(known: list[str]) -> None:
    print(f"usage: longhaul VERB ...\n\n{ABOUT}\n\nverbs:")
    for name in known:
        about = (_module(name).__doc__ or "").strip().splitlines()[0]
        print(f"  {name:<9} {about}")
    print(f"\n{FIRST_STEPS}\n`longhaul VERB --help` shows its options and an example.")
