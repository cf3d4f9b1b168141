"""Build a lab and open the Mininet command line on it; it reads a script on standard input."""

from __future__ import annotations

import argparse
import string
import sys
from collections.abc import Sequence

from mininet.cli import CLI
from mininet.log import lg, setLogLevel

from experiments.harness import labs, options
from experiments.harness.status import FAILS, HOLDS, INTERRUPTED
from topologies.emulator.lab import Lab
from topologies.emulator.links import change
from topologies.emulator.links.backend import BackendError, UnsupportedError
from topologies.emulator.links.spec import LinkError

EXAMPLE = "echo 'client ping -c 3 server' | sudo longhaul shell two_hosts"


class Shell(CLI):  # type: ignore[misc]  # mininet has no types
    """Mininet's command line, for nodes whose names have dots and hyphens, with links that can be changed."""

    prompt = "longhaul> "
    identchars = string.ascii_letters + string.digits + "_.-"
    terminated = False
    refused = False
    number = 0

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        if not sys.stdin.isatty():
            self.prompt = ""
        super().__init__(lab.net)

    def do_link(self, line: str) -> None:
        """Change a link while everything runs, or show it.
        link virginia mumbai rate 10mbit loss 1%   both directions; what is not named stays
        link virginia > mumbai delay 20ms          one direction
        link virginia mumbai down                  and up
        link * loss 1%                             all emulated links, one after another
        link virginia mumbai                       what it is now"""
        links = self.lab.topology.links_info
        try:
            which, words = parse_link(line, [link.name for link in links])
            for one in [link.name for link in links if not link.spec.unshaped] if which == "*" else [which]:
                if words:
                    self.lab.change(one, words)
                else:
                    print("\n".join(self.lab.live.words(one)), flush=True)
        except (LinkError, UnsupportedError) as error:
            self._refuse(error)
        except BackendError as error:
            if self.lab.links.alive():  # without its links the lab is over
                raise
            self._refuse(error)

    def default(self, line: str) -> None:
        """A command in a node, `NODE COMMAND`; what begins with no node is refused."""
        words = line.split()
        if words and words[0] not in self.mn and words[0] != "EOF":
            self._refuse(f"could not run '{words[0]}': it is neither a command nor a node; nodes: {' '.join(self.mn.keys())}")
        else:
            super().default(line)

    def precmd(self, line: str) -> str:
        """Count the lines of a script."""
        self.number += 1
        return str(super().precmd(line))

    def _refuse(self, why: object) -> None:
        self.refused = True
        line = "" if sys.stdin.isatty() else f"line {self.number}: "
        print(f"longhaul: {line}{why}", file=sys.stderr)

    def cmdloop(self, intro: str | None = None) -> None:
        """Until the user leaves; Mininet goes on after Ctrl-C, and would after SIGTERM too."""
        try:
            super().cmdloop(intro)
        except KeyboardInterrupt as interrupt:
            self.terminated = bool(interrupt.args)
            if not self.terminated:
                raise


def parse_link(line: str, known: Sequence[str]) -> tuple[str, str]:
    """(which link, what it becomes) of a `link` command: `a b ...`, `a > b ...`, or one of the known names and `...`.

    Raises LinkError.
    """
    head, arrow, rest = line.partition(">")
    if arrow and len(head.split()) == 1 and rest.strip():
        end, *words = rest.split()
        return f"{head.strip()}>{end}", " ".join(words)
    named, *words = line.split() or [""]
    if not named:
        raise LinkError("could not change a link: none is named; write for example link virginia mumbai rate 10mbit")
    if named not in known and words and words[0] not in change.WORDS:
        return f"{named}-{words[0]}", " ".join(words[1:])
    return named, " ".join(words)


def arguments(parser: argparse.ArgumentParser) -> None:
    """Options of the verb."""
    parser.add_argument("topology", metavar="TOPOLOGY", help="a name of `longhaul list`, or a path to a file of yours")
    options.settings(parser)
    options.link(parser)


def main(given: argparse.Namespace) -> int:
    """0 when the shell was left, 1 when a line of a script was refused, 130 when it was ended by SIGTERM."""

    def use(lab: Lab) -> int:
        setLogLevel("output")  # what commands print, without Mininet's notes on itself
        lg.ch.setStream(sys.stdout)
        lg.ch.handleError = _raise  # logging would print a traceback when nothing can be printed
        if sys.stdin.isatty():
            print(f"nodes: {' '.join(lab.net.keys())}\nhelp: commands; NODE COMMAND: run it there; exit: leave")
        with labs.scheduled(lab):
            shell = Shell(lab)
        if shell.terminated:
            return INTERRUPTED
        return FAILS if shell.refused and not sys.stdin.isatty() else HOLDS

    return labs.inside(labs.topology(given), given.link, use)


def _raise(_record: object) -> None:
    """Let the error at hand go on to whom it concerns."""
    error = sys.exc_info()[1]
    if error is not None:
        raise error
