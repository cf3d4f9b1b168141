"""Build a lab and open the Mininet command line on it; it reads a script on standard input."""

from __future__ import annotations

import argparse
import string
import sys

from mininet.cli import CLI
from mininet.log import lg, setLogLevel

from experiments.harness import labs, options
from topologies.emulator.lab import Lab

EXAMPLE = "echo 'client ping -c 3 server' | sudo longhaul shell two_hosts"


class Shell(CLI):  # type: ignore[misc]  # mininet has no types
    """Mininet's command line, for nodes whose names have dots and hyphens."""

    prompt = "longhaul> "
    identchars = string.ascii_letters + string.digits + "_.-"


def arguments(parser: argparse.ArgumentParser) -> None:
    """Options of the verb."""
    parser.add_argument("topology", metavar="TOPOLOGY", help="a name of `longhaul list`, or a path to a file of yours")
    options.settings(parser)
    options.link(parser)


def main(given: argparse.Namespace) -> int:
    """0 when the shell was left."""

    def use(lab: Lab) -> int:
        setLogLevel("output")  # what commands print, without Mininet's notes on itself
        lg.ch.setStream(sys.stdout)
        if sys.stdin.isatty():
            print(f"nodes: {' '.join(lab.net.keys())}\nhelp: commands; NODE COMMAND: run it there; exit: leave")
        Shell(lab.net)
        return 0

    return labs.inside(labs.topology(given), given.link, use)
