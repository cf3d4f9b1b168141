"""What is allowed beside the project's own tolerances: nothing on real processors, more where they are emulated.

It judges no link. Emulated processors (QEMU without a hypervisor under it) have the clocks and the speed of a program.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Tolerance:
    """So many milliseconds, or such a share where that is more."""

    ms: float = 0.0
    share: float = 0.0

    def of_time(self, goal_ms: float, due_ms: float) -> float:
        """How far a time may be off."""
        return max(goal_ms, self.ms, self.share * due_ms)

    def of_rate(self, goal: float) -> float:
        """How far a rate may be off, as a fraction."""
        return max(goal, self.share)


REAL = Tolerance()
EMULATED = Tolerance(3.0, 0.04)


def of_this_machine() -> Tolerance:
    """By what its processors are."""
    emulated = is_emulated(_read("/proc/cpuinfo"), _read("/sys/class/dmi/id/sys_vendor"),
                           _read("/sys/devices/system/clocksource/clocksource0/available_clocksource"))  # fmt: skip
    return EMULATED if emulated else REAL


def is_emulated(cpuinfo: str, vendor: str, clocks: str) -> bool:
    """From the kernel's words: the processor says TCG, or the machine is QEMU's and lacks the clock that KVM gives."""
    x86 = "vendor_id" in cpuinfo
    return "TCG" in cpuinfo or (x86 and vendor.strip() == "QEMU" and "kvm-clock" not in clocks)


def _read(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""  # a machine without this file says nothing by it
