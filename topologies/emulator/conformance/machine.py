"""Whether the processors of this machine are emulated: then clocks and speeds are those of a program. It judges no link."""

from __future__ import annotations

from pathlib import Path


def emulated() -> bool:
    """Whether this is QEMU without a hypervisor under it (TCG)."""
    return is_emulated(_read("/proc/cpuinfo"), _read("/sys/class/dmi/id/sys_vendor"),
                       _read("/sys/devices/system/clocksource/clocksource0/available_clocksource"))  # fmt: skip


def is_emulated(cpuinfo: str, vendor: str, clocks: str) -> bool:
    """The same from the kernel's words: the processor says TCG, or the machine is QEMU's and lacks the clock that KVM gives."""
    x86 = "vendor_id" in cpuinfo
    return "TCG" in cpuinfo or (x86 and vendor.strip() == "QEMU" and "kvm-clock" not in clocks)


def _read(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""  # a machine without this file says nothing by it
