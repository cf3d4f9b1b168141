"""Run one daemon without a lab."""

from __future__ import annotations

import argparse

from nodes import registry

EXAMPLE = "longhaul node edge --listen 127.0.0.1:8080 --origin http://127.0.0.1:9000 --cache DIR --capacity 10GiB"


def arguments(parser: argparse.ArgumentParser) -> None:
    """Options of the verb."""
    known = registry.daemons()
    wide = max(map(len, known))
    lines = "\n".join(f"  {name:<{wide}} {about}" for name, about in known.items())
    parser.description = f"{__doc__}\n\ndaemons:\n{lines}\n\n`longhaul node NAME --help` shows the options of one."
    parser.add_argument("name", metavar="NAME")


def passes_on(parser: argparse.ArgumentParser, argv: list[str]) -> tuple[argparse.Namespace, list[str]]:
    """Everything behind the name is the daemon's own."""
    return parser.parse_args(argv[:1]), argv[1:]


def main(given: argparse.Namespace, rest: list[str]) -> int:
    """The daemon's exit status."""
    return registry.run(given.name, rest)
