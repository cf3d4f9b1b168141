"""Build a lab, run one command inside one of its nodes, and take the lab down; the exit status is the command's own."""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import subprocess
import sys

from experiments.harness import labs, options
from experiments.harness.rundir import ROOT
from experiments.harness.status import UsageError
from topologies.emulator.lab import Lab, environment
from topologies.emulator.setting import nearest

NO_COMMAND = 127
"""What a shell answers for a command that is not there."""

EXAMPLE = "sudo longhaul exec open_connect client1.chennai -- ping -c 3 origin1.az1.virginia"


def arguments(parser: argparse.ArgumentParser) -> None:
    """Options of the verb."""
    parser.add_argument("topology", metavar="TOPOLOGY", help="a name of `longhaul list`, or a path to a file of yours")
    parser.add_argument("node", metavar="NODE")
    options.settings(parser)
    options.link(parser)


def passes_on(parser: argparse.ArgumentParser, argv: list[str]) -> tuple[argparse.Namespace, list[str]]:
    """What stands behind `--` is the command's."""
    parser.usage = "%(prog)s TOPOLOGY [--set NAME=VALUE]... [--link auto|netem|relay] NODE -- COMMAND [ARGUMENT]..."
    if "--" not in argv and not {"-h", "--help"} & set(argv):
        raise UsageError("could not run: there is no -- before the command; write for example NODE -- ping -c 3 server")
    own, command = (argv[: argv.index("--")], argv[argv.index("--") + 1 :]) if "--" in argv else (argv, [])
    return parser.parse_intermixed_args(own), command


def main(given: argparse.Namespace, command: list[str]) -> int:
    """The command's exit status; 128 + N when signal N ended it."""
    world = labs.topology(given)
    names = [node.name for node in world.nodes_info]
    if given.node not in names:
        raise UsageError(f"could not run in node '{given.node}': {given.topology} has no such node; "
                         f"{nearest(given.node, names)}")  # fmt: skip
    if not command:
        raise UsageError("could not run: no command is given; write it behind --, for example -- ping -c 3 server")

    def use(lab: Lab) -> int:
        # Not Mininet's popen: it detaches from the terminal, and this command is to have it.
        if not shutil.which(command[0]):
            print(f"longhaul: could not run {command[0]} in {given.node}: there is no such command; check its name",
                  file=sys.stderr)  # fmt: skip
            return NO_COMMAND
        shell = lab.node(given.node).pid
        with labs.scheduled(lab):
            done = subprocess.Popen(["mnexec", "-a", str(shell), *command], env=environment(ROOT), cwd=os.getcwd())
            status = _ended(done)
        sys.stdout.flush()
        return status if status >= 0 else 128 - status

    return labs.inside(world, given.link, use)


def _ended(done: subprocess.Popen[bytes]) -> int:
    """The status it ends with. Ctrl-C reaches it from the terminal, and it decides what that means; SIGTERM is passed on."""
    while True:
        try:
            return done.wait()
        except KeyboardInterrupt as interrupt:
            if interrupt.args:
                done.send_signal(signal.Signals[interrupt.args[0]])
