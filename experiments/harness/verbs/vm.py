"""The same, inside a throw-away Linux VM: build its image, run a command in it, bring back the results."""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import subprocess
import sys

from experiments.harness import options
from experiments.harness.rundir import ROOT
from experiments.harness.status import HOLDS, UNSUPPORTED, UsageError
from units import UnitError, byte_count, milliseconds, show_bytes

EXAMPLE = "longhaul vm run -- ./longhaul verify two_hosts --link netem"

LEAST_MEMORY_BYTES = 256 << 20


def arguments(parser: argparse.ArgumentParser) -> None:
    """Options of the verb."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)

    def add(name: str, about: str, example: str, usage: str | None = None) -> argparse.ArgumentParser:
        made: argparse.ArgumentParser = actions.add_parser(
            name, help=about, description=f"{about[0].upper()}{about[1:]}.", usage=usage, allow_abbrev=False,
            epilog=f"example:\n  {example}", formatter_class=argparse.RawDescriptionHelpFormatter)  # fmt: skip
        return made

    add("build", "make the image, unless it is there (needs root and the network)", "sudo longhaul vm build")
    for name, about, example in (
        ("run", "run a command in a new guest; its streams and exit status are passed on", EXAMPLE),
        ("shell", "run a command, or bash, in a new guest on this terminal", "longhaul vm shell --memory 4GiB"),
    ):
        command = "-- COMMAND [ARGUMENT]..." if name == "run" else "[-- COMMAND [ARGUMENT]...]"
        action = add(name, about, example, f"longhaul vm {name} [OPTION]... {command}")
        action.add_argument("--memory", default="2GiB", metavar="SIZE", help="of the guest (default 2GiB)")
        action.add_argument("--cpus", type=int, default=len(os.sched_getaffinity(0)), metavar="N", help="default: all of ours")
        action.add_argument("--timeout", metavar="DURATION", help="end the guest then, such as 10min (default: never)")
        action.add_argument("--accel", choices=("auto", "kvm", "tcg"), default="auto",
                            help="auto: kvm where a guest boots under it, else tcg")  # fmt: skip
        action.add_argument("--bring", action="append", default=[], metavar="PATH",
                            help="bring this back too, besides new files under results/runs; may be repeated")  # fmt: skip
    options.json(add("status", "tell whether image and QEMU are here", "longhaul vm status --json"))


def passes_on(parser: argparse.ArgumentParser, argv: list[str]) -> tuple[argparse.Namespace, list[str]]:
    """What stands behind `--` is the command's."""
    own, command = (argv[: argv.index("--")], argv[argv.index("--") + 1 :]) if "--" in argv else (argv, [])
    return parser.parse_args(own), command


def main(given: argparse.Namespace, command: list[str]) -> int:
    """The command's exit status; 1 when the guest failed, 127 when this machine cannot have one."""
    from experiments.harness.vm import build, cache

    where = cache.folder()
    if given.action == "status":
        return _status(given)
    if given.action == "build":
        image = build.build(where)
        print(f"{image.path}: Debian {image.facts['suite']}, kernel {image.facts['kernel']}, {show_bytes(image.disk_bytes())}")
        return HOLDS
    if given.action == "run" and not command:
        raise UsageError("could not run: no command is given; write it behind --, for example -- ./longhaul doctor")
    if given.action == "shell" and not (sys.stdin and sys.stdin.isatty()):
        raise UsageError("could not open a shell: standard input is no terminal; use `longhaul vm run -- COMMAND`")
    return _run(given, command or ["bash"])


def _run(given: argparse.Namespace, command: list[str]) -> int:
    from experiments.harness.vm import boot, bring
    from experiments.harness.vm.deadlines import BOOT_S, SILENCE_S, Limits

    try:
        memory_bytes = byte_count(given.memory)
        total_s = milliseconds(given.timeout) / 1e3 if given.timeout else None
    except UnitError as error:
        raise UsageError(f"could not run in the VM: {error}") from None
    if memory_bytes < LEAST_MEMORY_BYTES or given.cpus < 1 or (total_s is not None and total_s <= 0):
        raise UsageError(f"could not run in the VM: --memory is at least {show_bytes(LEAST_MEMORY_BYTES)}, --cpus at least 1, "
                         "--timeout above 0s")  # fmt: skip
    paths = [bring.RUNS, *(bring.wanted(path) for path in given.bring)]
    wish = boot.Wish(command, paths, given.action == "shell", memory_bytes, given.cpus, given.accel,
                     Limits(BOOT_S, SILENCE_S, total_s))  # fmt: skip
    return boot.run(wish, ROOT)


def _status(given: argparse.Namespace) -> int:
    from experiments.harness.vm import accelerator, build, cache
    from experiments.harness.vm.machine import machine

    qemu, where = machine(platform.machine()).qemu, cache.folder()
    image = build.current(where)
    version = ""
    if shutil.which(qemu):
        said = subprocess.run([qemu, "--version"], capture_output=True, text=True, check=False).stdout
        version = said.partition("\n")[0].removeprefix("QEMU emulator version ")
    boots = accelerator.recall(where) if accelerator.usable() else False
    found = {"image": str(image.path) if image else None, "kernel": image.facts["kernel"] if image else None,
             "size_bytes": image.disk_bytes() if image else None, "qemu": version or None, "kvm": boots}  # fmt: skip
    if given.json:
        print(json.dumps(found))
    else:
        size = f", kernel {image.facts['kernel']}, {show_bytes(image.disk_bytes())}" if image else ""
        print(f"image  {image.path if image else 'none for this checkout; `sudo ./longhaul vm build` makes it'}{size}")
        print(f"QEMU   {version or 'not here; `sudo ./provision.sh --vm` installs it'}")
        why = {None: "not tried yet: the first run will", True: "yes", False: "no: guests run under TCG, which is slower"}
        noted = f" (no guest came up under it; remove {accelerator.note(where)} to try again)"
        print(f"KVM    {why[boots]}{noted if accelerator.usable() and boots is False else ''}")
    return HOLDS if image and version else UNSUPPORTED
