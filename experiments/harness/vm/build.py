"""Making an image: a Debian by mmdebstrap, finished by customise.sh, turned into a kernel, an initramfs and a disk.

All of it happens in a folder of the cache, and in namespaces that end with this process; it boots nothing.
"""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from experiments.harness.rundir import ROOT
from experiments.harness.vm import cache, image, initramfs, sources
from experiments.harness.vm.bound import bound
from experiments.harness.vm.errors import VmError, VmUnsupportedError
from experiments.harness.vm.machine import Machine, machine
from units import show_bytes

HERE = Path(__file__).parent
TOOLS = ("mmdebstrap", "mke2fs", "unshare", "apt-get")
FREE_BYTES = 4 << 30
"""While it is made an image stands there twice: as files, and as a disk."""

DISK_SIZE = "8G"
"""Of the file system in the guest; on this machine it takes what is written."""

LEFT_OUT = ("doc", "man", "locale", "info", "lintian", "bug")


def base(mine: Machine) -> tuple[str, str]:
    """The name, without the kernel, of the image that this checkout wants, and its suite of Debian."""
    suite = sources.suite(Path("/etc/os-release").read_text(encoding="utf-8"))
    return image.base(suite, mine.debian, {name: (ROOT / name).read_bytes() for name in image.RECIPE}), suite


def current(where: Path) -> cache.Image | None:
    """The image that this checkout would boot, if there is one."""
    return cache.newest(where, base(machine(platform.machine()))[0])


def build(where: Path) -> cache.Image:
    """The image, made now unless it is there with the newest kernel that apt knows of. Raises VmError."""
    mine = machine(platform.machine())
    wanted, suite = base(mine)
    newest = sources.candidate(_ask("apt-cache", "policy", mine.kernel_package))
    if (have := cache.newest(where, wanted)) and not _older(str(have.facts["kernel"]), newest):
        return have
    _check()
    with cache.lock(where, "longhaul: waiting for another build of an image"):
        if (have := cache.newest(where, wanted)) and not _older(str(have.facts["kernel"]), newest):
            return have
        _room(where)
        staged = cache.stage(where)
        try:
            kernel = _make(staged, mine, suite)
            built = datetime.now(UTC).isoformat("T", "seconds")
            facts = {"base": wanted, "kernel": kernel, "suite": suite, "built": built}
            return cache.adopt(where, staged, image.name(wanted, kernel), facts)
        except OSError as error:
            raise VmError(f"could not build the image in {where}: {error}; free space, or name another place in "
                          "XDG_CACHE_HOME") from None  # fmt: skip
        finally:
            shutil.rmtree(staged, ignore_errors=True)  # renamed away when it was whole


def _check() -> None:
    missing = [tool for tool in TOOLS if not shutil.which(tool)]
    if missing:
        raise VmUnsupportedError(f"could not build the image: {', '.join(missing)} missing; run: sudo ./provision.sh --vm")
    if os.geteuid() != 0:
        raise VmUnsupportedError("could not build the image: only root can make another system's root; "
                                 "run: sudo ./longhaul vm build")  # fmt: skip


def _room(where: Path) -> None:
    free = shutil.disk_usage(where).free
    if free < FREE_BYTES:
        raise VmUnsupportedError(f"could not build the image: {where} has {show_bytes(free)} free, {show_bytes(FREE_BYTES)} "
                                 "are needed; free space, or name another place in XDG_CACHE_HOME")  # fmt: skip


def _make(staged: Path, mine: Machine, suite: str) -> str:
    """Kernel, initramfs and disk in `staged`; the version of the kernel's package."""
    began = time.monotonic()
    root = staged / "root"
    _say(began, f"base system: Debian {suite} by mmdebstrap")
    lines = sources.lines(suite, _ask("apt-get", "indextargets", "--format", sources.TARGETS, "Created-By: Packages"))
    options = [f"--dpkgopt=path-exclude=/usr/share/{name}/*" for name in LEFT_OUT]
    options += [f"--aptopt={line}" for line in sources.proxies(_ask("apt-config", "dump"))]
    packages = ["kmod", "mount", *(["ca-certificates"] if any(" https:" in line for line in lines) else [])]
    # Mounts and processes of the build end with it: `unshare --kill-child`, and it ends with us.
    command = [
        "unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc",
        "mmdebstrap", "--mode=root", "--variant=apt", "--format=directory", f"--architectures={mine.debian}",
        f"--include={','.join(packages)}", '--aptopt=APT::Install-Recommends "false"', *options,
        f"--customize-hook={HERE / 'customise.sh'}", suite, str(root), *lines,
    ]  # fmt: skip
    variables = {"LONGHAUL_CHECKOUT": str(ROOT), "LONGHAUL_OUT": str(staged), "LONGHAUL_KERNEL": mine.kernel_package,
                 "LONGHAUL_PYTHON": sys.executable, "TMPDIR": str(staged)}  # fmt: skip
    _run(command, staged / "log", began, variables)
    _say(began, "disk")
    (staged / cache.INITRAMFS).write_bytes(_initramfs(root, staged / "busybox"))
    _run(["mke2fs", "-q", "-t", "ext4", "-O", "^has_journal", "-m", "0", "-d", str(root), str(staged / cache.DISK), DISK_SIZE],
         staged / "log", began, {})  # fmt: skip
    kernel = (staged / "kernel").read_text(encoding="ascii").strip()
    shutil.rmtree(root)
    for name in ("busybox", "kernel", "log"):
        (staged / name).unlink()
    _say(began, "whole")
    return kernel


def _initramfs(root: Path, busybox: Path) -> bytes:
    modules = next((root / "usr/lib/modules").iterdir())
    order = initramfs.load_order((modules / "modules.dep").read_text(encoding="ascii"),
                                 (modules / "modules.builtin").read_text(encoding="ascii"))  # fmt: skip
    script = (HERE / "guest" / "initramfs.sh").read_bytes()
    return initramfs.build(busybox.read_bytes(), script, {path: (modules / path).read_bytes() for path in order})


def _run(command: Sequence[str], log: Path, began: float, variables: dict[str, str]) -> None:
    with log.open("a", encoding="utf-8") as file:
        running = subprocess.Popen(bound(command), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                   text=True, errors="replace", env={**os.environ, **variables})  # fmt: skip
        assert running.stdout
        try:
            for line in running.stdout:
                file.write(line)
                if line.startswith("longhaul: "):
                    _say(began, line.removeprefix("longhaul: ").strip())
        except BaseException:
            running.kill()
            raise
        finally:
            status = running.wait()
    if status != 0:
        last = "".join(f"\n  {line}" for line in log.read_text(encoding="utf-8").splitlines()[-12:])
        raise VmError(f"could not build the image: {command[0]} failed; check the network, the apt sources and the disk, and "
                      f"run it again. Its last lines:{last}")  # fmt: skip


def _say(began: float, what: str) -> None:
    print(f"longhaul: image, {time.monotonic() - began:.0f} s: {what}", file=sys.stderr, flush=True)


def _older(have: str, newest: str) -> bool:
    return bool(newest) and subprocess.run(["dpkg", "--compare-versions", have, "lt", newest], check=False).returncode == 0


def _ask(*command: str) -> str:
    """What a tool of apt says; nothing where there is none, or where it knows nothing."""
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        return ""
