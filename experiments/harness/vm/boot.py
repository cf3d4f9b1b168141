"""One command in one new guest, from the wish to the files that came back. Whatever can be refused is refused first."""

from __future__ import annotations

import contextlib
import os
import platform
import shutil
import sys
import tempfile
import termios
import tty
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from experiments.harness import machine as harness
from experiments.harness.rundir import ROOT
from experiments.harness.status import FAILS
from experiments.harness.vm import accelerator, bring, build, cache, checkout, qemu, session
from experiments.harness.vm.deadlines import Limits
from experiments.harness.vm.errors import VmError, VmUnsupportedError
from experiments.harness.vm.machine import counts_steadily, machine
from units import show_bytes


@dataclass(frozen=True)
class Wish:
    """What `longhaul vm run` and `longhaul vm shell` were asked for. `bring` are paths below the checkout."""

    command: Sequence[str]
    bring: Sequence[str]
    terminal: bool
    memory_bytes: int
    cpus: int
    accelerator: str
    limits: Limits


def run(wish: Wish, root: Path) -> int:
    """The command's exit status. Makes the image when there is none. Raises VmError."""
    mine = machine(platform.machine())
    if not shutil.which(mine.qemu):
        raise VmUnsupportedError(f"could not run in the VM: {mine.qemu} is missing; run: sudo ./provision.sh --vm")
    where = cache.folder()
    accelerator.decide(wish.accelerator, accelerator.usable(), None)
    image = build.current(where) or build.build(where)
    chosen = replace(wish, accelerator=_accelerator(wish, image, where))
    with tempfile.TemporaryFile() as files, _terminal(wish.terminal):
        given = 0 if wish.terminal or (sys.stdin and not sys.stdin.isatty()) else None
        ended = _boot(chosen, image, root, session.Streams(given, 1, 2, files))
        files.seek(0)
        if files.read(1):
            files.seek(0)
            bring.unpack(files, root, wish.bring)
    return _conclude(wish, ended)


def _conclude(wish: Wish, ended: session.Ended) -> int:
    lost = [path for path in ended.missing if path != bring.RUNS]
    if lost:
        print(f"longhaul: could not bring back {', '.join(lost)}: the guest has no such file; check the path", file=sys.stderr)
    if ended.out_of_memory:
        size = show_bytes(wish.memory_bytes)
        print(f"longhaul: the guest ran out of memory ({size}); give more with --memory", file=sys.stderr)
    return ended.status or (FAILS if lost else 0)


def _boot(wish: Wish, image: cache.Image, root: Path, streams: session.Streams) -> session.Ended:
    steady = counts_steadily(Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace"))
    shape = qemu.Shape(wish.memory_bytes, wish.cpus, wish.accelerator, steady)
    job = checkout.Job(wish.command, wish.bring, wish.terminal, _environment(wish, root))
    with tempfile.TemporaryFile() as archive:
        checkout.pack(root, checkout.files(root), job, archive)

        def command(port: int, console: int) -> list[str]:
            return qemu.command(machine(platform.machine()), image.files, shape, f"/dev/fd/{archive.fileno()}", port, console)

        return session.run(command, (archive.fileno(),), streams, wish.limits, _size if wish.terminal else None)


def _environment(wish: Wish, root: Path) -> dict[str, str]:
    """The terminal's kind, and the revision of the checkout: the guest has the files without their history."""
    code = harness.code(root)
    known = {} if code["dirty"] is None else {"LONGHAUL_REVISION": code["revision"] + (" dirty" if code["dirty"] else "")}
    return known | ({"TERM": os.environ.get("TERM", "dumb")} if wish.terminal else {})


def _accelerator(wish: Wish, image: cache.Image, where: Path) -> str:
    decided = accelerator.decide(wish.accelerator, accelerator.usable(), accelerator.recall(where))
    if decided != "try":
        return decided
    trial = replace(wish, command=["true"], bring=(), terminal=False, accelerator="kvm",
                    limits=Limits(accelerator.TRIAL_S, accelerator.TRIAL_S, accelerator.TRIAL_S))  # fmt: skip
    with open(os.devnull, "r+b", buffering=0) as nothing:
        try:
            streams = session.Streams(None, nothing.fileno(), nothing.fileno(), nothing)
            boots = _boot(trial, image, ROOT, streams).status == 0
        except VmError:
            boots = False
    with contextlib.suppress(PermissionError):  # the cache of another user: then it is tried again next time
        accelerator.remember(where, boots)
    return "kvm" if boots else "tcg"


@contextlib.contextmanager
def _terminal(raw: bool) -> Iterator[None]:
    """Our terminal passes every key on, Ctrl-C too, and is as before afterwards."""
    if not raw:
        yield
        return
    before = termios.tcgetattr(0)
    tty.setraw(0)
    try:
        yield
    finally:
        termios.tcsetattr(0, termios.TCSADRAIN, before)


def _size() -> bytes:
    rows, columns = termios.tcgetwinsize(0)
    return f"{rows} {columns}".encode("ascii")
