"""What this machine can do, what it cannot, and how to change that. It changes nothing itself.

Each check is a function that returns one Finding; all of them run, whatever the others found.
"""

from __future__ import annotations

import os
import platform
import shutil
import statistics
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from experiments.harness import machine
from experiments.harness.rundir import RUNS
from topologies.emulator import sandbox
from topologies.emulator.links import backend
from topologies.emulator.links.choice import choose
from topologies.emulator.links.timers import sleeps_late_s
from units import show_bytes

TOOLS = {"mnexec": "mininet", "ip": "iproute2", "tc": "iproute2", "ping": "iputils-ping", "tcpdump": "tcpdump",
         "ifconfig": "net-tools", "iperf3": "iperf3"}  # fmt: skip
LEAST_FREE_BYTES = 1 << 30
LATE_SLEEP_MS = 0.5


@dataclass(frozen=True)
class Finding:
    """One thing looked at. `level`: `can`, `limited` (labs run, with a limit), `cannot` (no lab runs) or `without` (it is not
    here, and no lab needs it)."""

    what: str
    level: str
    words: str
    remedy: str = ""

    def as_dict(self) -> dict[str, Any]:
        """For `--json`."""
        return asdict(self)


def tools() -> Finding:
    """The system's programs that a lab calls."""
    missing = sorted({package for tool, package in TOOLS.items() if not shutil.which(tool)})
    if missing:
        return Finding("tools", "cannot", f"missing: {', '.join(missing)}", "sudo ./provision.sh")
    return Finding("tools", "can", f"{len(TOOLS)} programs are here")


def namespaces() -> Finding:
    """Whether a sandbox can be made, as whoever is asking."""
    who = "as root" if os.geteuid() == 0 else "as an ordinary user, by a user namespace"
    try:
        status = sandbox.run(lambda: 0)
    except sandbox.SandboxError as error:
        return Finding("sandbox", "cannot", str(error), userns_remedy())
    level = "can" if status == 0 else "cannot"
    words = f"a lab's namespaces can be made {who}" if status == 0 else f"it ended with status {status}"
    return Finding("sandbox", level, words)


def userns_remedy() -> str:
    """What stands in the way of user namespaces on this machine, by the switches that distributions have."""
    switches = {"/proc/sys/kernel/unprivileged_userns_clone": ("0", "sudo sysctl kernel.unprivileged_userns_clone=1"),
                "/proc/sys/kernel/apparmor_restrict_unprivileged_userns":
                    ("1", "sudo sysctl kernel.apparmor_restrict_unprivileged_userns=0"),
                "/proc/sys/user/max_user_namespaces": ("0", "sudo sysctl user.max_user_namespaces=10000")}  # fmt: skip
    for path, (bad, remedy) in switches.items():
        if Path(path).exists() and Path(path).read_text(encoding="ascii").strip() == bad:
            return f"{remedy}, or use sudo"
    return "use sudo; in a container, start it privileged"


def links() -> Finding:
    """What emulates the links here. Tried in a sandbox, as a lab would; the relay needs /dev/net/tun besides."""
    found = _in_sandbox(lambda: _describe(choose("auto")))
    if not found.startswith("relay"):
        return Finding("links", "cannot" if found.startswith("could not") else "can", found)
    try:
        os.close(os.open("/dev/net/tun", os.O_RDWR))
    except OSError as error:
        remedy = {2: "sudo modprobe tun, or pass the device into the container (--device /dev/net/tun)",
                  13: "use sudo, or let your user open it: sudo chmod 666 /dev/net/tun"}  # fmt: skip
        return Finding("links", "cannot", f"{found}; and the relay cannot open /dev/net/tun: {error.strerror}",
                       remedy.get(error.errno or 0, "use a machine that has TUN"))  # fmt: skip
    return Finding("links", "can", found)


def realtime() -> Finding:
    """Whether the relay may run before everything else."""
    def ask() -> str:
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
        return "yes"

    if _in_sandbox(ask) == "yes":
        return Finding("real-time priority", "can", "the relay runs before everything else")
    return Finding("real-time priority", "limited", "refused: on a busy machine the relay is late",
                   "use sudo, or let the machine do nothing else during a run")  # fmt: skip


def congestion_control() -> Finding:
    """What TCP can be told to use."""
    here = Path("/proc/sys/net/ipv4")
    available = (here / "tcp_available_congestion_control").read_text(encoding="ascii").split()
    default = (here / "tcp_congestion_control").read_text(encoding="ascii").strip()
    level = "can" if "cubic" in available else "cannot"
    return Finding("TCP", level, f"{', '.join(available)}; the machine's default is {default}, a lab's is cubic")


def processors() -> Finding:
    """Processors and what the hypervisor takes of them."""
    count = os.cpu_count() or 1
    before = machine.cpu_ticks()
    time.sleep(0.2)
    steal = machine.steal_fraction(before, machine.cpu_ticks())
    words = f"{count}, {steal:.1%} stolen just now, load {os.getloadavg()[0]:.2f}, {platform.machine()}"
    if count < 2:
        return Finding("processors", "limited", words, "give the machine a second one: the relay wants one to itself")
    return Finding("processors", "can" if steal <= machine.MOST_STEAL else "limited", words)


def timers() -> Finding:
    """How late the machine wakes a sleeper: a link can be no steadier than that."""
    late_ms = [late_s * 1e3 for late_s in sleeps_late_s(100, 0.001)]
    median, worst = statistics.median(late_ms), late_ms[-1]
    words = f"a sleep of 1 ms ends {median * 1e3:.0f} us late (median), {worst:.2f} ms at worst of 100"
    remedy = "" if median < LATE_SLEEP_MS else "use fewer virtual processors, or a machine that is less busy"
    return Finding("timers", "can" if median < LATE_SLEEP_MS else "limited", words, remedy)


def disk() -> Finding:
    """Room for run directories."""
    place = RUNS
    while not place.exists():
        place = place.parent
    free = shutil.disk_usage(place).free
    words = f"{show_bytes(free)} free for run directories"
    return Finding("disk", "can" if free >= LEAST_FREE_BYTES else "limited", words)


def guest() -> Finding:
    """Whether `longhaul vm` could run here; no lab needs it."""
    from experiments.harness.vm import build, cache
    from experiments.harness.vm.errors import VmError
    from experiments.harness.vm.machine import machine as guest_of

    try:
        qemu = guest_of(platform.machine()).qemu
    except VmError as error:
        return Finding("VM", "without", str(error))
    if not shutil.which(qemu):
        return Finding("VM", "without", f"no {qemu}: `longhaul vm` has nothing to run in", "sudo ./provision.sh --vm")
    if build.current(cache.folder()) is None:
        return Finding("VM", "without", "its image is not built: `longhaul vm run` cannot start", "sudo ./longhaul vm build")
    return Finding("VM", "can", "its image is built: `longhaul vm run -- COMMAND` has a kernel with netem")


CHECKS: tuple[Callable[[], Finding], ...] = (
    tools, namespaces, links, realtime, congestion_control, processors, timers, disk, guest,
)  # fmt: skip


def _describe(chosen: backend.Backend) -> str:
    try:
        return f"{chosen.name}: {chosen.describe().get('why', '')}"
    finally:
        chosen.close()


def _in_sandbox(ask: Callable[[], str]) -> str:
    reading, writing = os.pipe()

    def lab() -> int:
        try:
            said = ask()
        except (OSError, backend.UnsupportedError, backend.BackendError) as error:
            said = str(error)
        os.write(writing, said.encode())
        return 0

    try:
        sandbox.run(lab)
    except sandbox.SandboxError as error:
        return str(error)
    finally:
        os.close(writing)
    with os.fdopen(reading) as pipe:
        return pipe.read()
