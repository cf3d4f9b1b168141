"""What the machine is and how loaded it was: for the manifest, and for distrust. It changes nothing."""

from __future__ import annotations

import hashlib
import os
import platform
import re
import subprocess
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

MOST_STEAL = 0.05
"""A run in which the hypervisor took more than this share of the CPU time is not trusted."""

MEASURES, MEASURING = ("topologies/emulator", "topologies/data", "nodes", "experiments/harness"), (".py", ".c", ".toml", ".csv")
"""Folders and kinds of files whose content a measurement depends on."""

SYSCTLS = (
    "net.ipv4.tcp_congestion_control", "net.ipv4.tcp_available_congestion_control", "net.ipv4.tcp_rmem",
    "net.ipv4.tcp_wmem", "net.ipv4.tcp_slow_start_after_idle", "net.ipv4.tcp_no_metrics_save",
    "net.ipv4.tcp_timestamps", "net.ipv4.tcp_sack", "net.ipv4.tcp_window_scaling", "net.ipv4.tcp_ecn",
    "net.ipv4.tcp_moderate_rcvbuf", "net.ipv4.tcp_notsent_lowat", "net.ipv4.tcp_limit_output_bytes",
)  # fmt: skip


def facts() -> dict[str, Any]:
    """Kernel, processors, memory, and whether this is root (call it outside the sandbox, where everybody is)."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    model = next((line.partition(":")[2].strip() for line in _read("/proc/cpuinfo").splitlines()
                  if line.startswith("model name")), platform.machine())  # fmt: skip
    return {"kernel": platform.release(), "system": platform.platform(), "cpus": os.cpu_count(), "model": model,
            "memory_bytes": memory, "root": os.geteuid() == 0}  # fmt: skip


def tools(more: Mapping[str, list[str]]) -> dict[str, str]:
    """Versions of what a run uses; `more` are commands that print one, by name."""
    found = {name: metadata.version(name) for name in ("pyroute2", "scapy", "httptools", "pycurl", "numpy", "requests")}
    found["python"] = platform.python_version()
    usual = {"mininet": ["mn", "--version"], "tcpdump": ["tcpdump", "--version"], "ip": ["ip", "-V"]}
    for name, command in {**usual, **more}.items():
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=False)
            found[name] = (done.stdout + done.stderr).strip().splitlines()[0]
        except (OSError, IndexError, subprocess.TimeoutExpired) as error:
            found[name] = f"unknown: {error}"
    return found


def sysctls() -> dict[str, str]:
    """The TCP settings of the namespace this thread is in; those that a namespace lacks are left out.

    A lab's routes name the congestion control, and the kernel then takes that, whatever the sysctl says.
    """
    paths = {key: Path("/proc/sys") / key.replace(".", "/") for key in SYSCTLS}
    return {key: " ".join(_read(str(path)).split()) for key, path in paths.items() if path.exists()}


def code(root: Path, own: Iterable[Path] = ()) -> dict[str, Any]:
    """Version and git revision of the code, whether it was changed since, and a digest of what measures: topologies' and
    experiments' machinery, the daemons, and the run's `own` files (paths that stand elsewhere count by their names)."""
    found: dict[str, Any] = {"version": "0.1.0", "revision": "unknown", "dirty": None, "digest": digest(root, own)}
    if told := os.environ.get("LONGHAUL_REVISION"):  # a guest of `longhaul vm` has the files without their history
        revision, _, dirty = told.partition(" ")
        return {**found, "revision": revision, "dirty": bool(dirty)}
    git = ["git", "-c", f"safe.directory={root}", "-C", str(root)]
    try:
        done = subprocess.run([*git, "rev-parse", "HEAD"], capture_output=True, text=True, timeout=10, check=True)
        found["revision"] = done.stdout.strip()
        done = subprocess.run([*git, "status", "--porcelain"], capture_output=True, text=True, timeout=10, check=True)
        found["dirty"] = bool(done.stdout.strip())
    except (OSError, subprocess.SubprocessError):
        found["revision"] = "unknown: not a git checkout, or git is missing"
    return found


def digest(root: Path, own: Iterable[Path]) -> str:
    """SHA-256 of the names and contents of the files that decide what a run measures, in the order of their names."""
    machinery = (path for folder in MEASURES for path in (root / folder).rglob("*") if path.suffix in MEASURING)
    found = hashlib.sha256()
    for path in sorted({*root.glob("*.py"), *machinery, *own}):
        name = path.relative_to(root) if path.is_relative_to(root) else Path(path.name)
        found.update(f"{name}\0{path.stat().st_size}\0".encode())
        found.update(path.read_bytes())
    return found.hexdigest()


def cpu_ticks() -> tuple[int, int]:
    """(stolen, all) CPU ticks of the machine since its start, from /proc/stat (proc(5))."""
    ticks = [int(text) for text in _read("/proc/stat").splitlines()[0].split()[1:9]]
    return ticks[7], sum(ticks)


def steal_fraction(before: tuple[int, int], after: tuple[int, int]) -> float:
    """Share of CPU time that the hypervisor gave to others between two readings."""
    total = after[1] - before[1]
    return (after[0] - before[0]) / total if total > 0 else 0.0


@dataclass(frozen=True)
class Reading:
    """What the machine's counters say at one moment: CPU ticks, and for how long somebody waited for a processor so far."""

    stolen_ticks: int
    ticks: int
    waited_us: int | None
    at_ns: int

    def since(self, before: Reading) -> dict[str, Any]:
        """The stretch from `before` to now, for the manifest: `steal_fraction` of the CPU time, and `pressure_fraction` of the
        time in which at least one task was ready and not run (null where the kernel does not keep it)."""
        steal = steal_fraction((before.stolen_ticks, before.ticks), (self.stolen_ticks, self.ticks))
        if self.waited_us is None or before.waited_us is None:
            return {"steal_fraction": round(steal, 5), "pressure_fraction": None,
                    "pressure_source": "this kernel keeps no pressure (CONFIG_PSI)"}  # fmt: skip
        share = (self.waited_us - before.waited_us) * 1000 / max(1, self.at_ns - before.at_ns)
        return {"steal_fraction": round(steal, 5), "pressure_fraction": round(share, 5), "pressure_source": PRESSURE}


def stolen(load: Mapping[str, Any]) -> list[str]:
    """Why a stretch, as `Reading.since` has it, is not trusted; empty when it is."""
    if load["steal_fraction"] <= MOST_STEAL:
        return []
    return [f"the hypervisor took {load['steal_fraction']:.1%} of the CPU time, over {MOST_STEAL:.0%}: run it again on a "
            "quieter machine"]  # fmt: skip


PRESSURE = "/proc/pressure/cpu, some"


def reading() -> Reading:
    """Now. See the kernel's accounting/psi.rst and proc(5)."""
    found = re.search(r"^some .*total=(\d+)", _read("/proc/pressure/cpu"), re.MULTILINE)
    return Reading(*cpu_ticks(), int(found[1]) if found else None, time.monotonic_ns())


def _read(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def load() -> list[float]:
    """Load averages of 1, 5 and 15 minutes."""
    return [round(value, 2) for value in os.getloadavg()]
