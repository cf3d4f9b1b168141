"""Which machine the guest is, by the processors of this one. It is pure; it starts nothing."""

from __future__ import annotations

from dataclasses import dataclass

from experiments.harness.vm.errors import VmUnsupportedError


@dataclass(frozen=True)
class Machine:
    """`debian` is dpkg's name of the architecture; `console` the kernel's name of the first serial line; `counter` the
    kernel's words for taking the processor's counter as its clock, where it would not do so by itself."""

    debian: str
    qemu: str
    package: str
    board: str
    console: str
    counter: str = ""

    @property
    def kernel_package(self) -> str:
        """Debian's small kernel for virtual machines: it has netem, and no driver of real hardware."""
        return f"linux-image-cloud-{self.debian}"


MACHINES = {
    "x86_64": Machine("amd64", "qemu-system-x86_64", "qemu-system-x86", "q35", "ttyS0", "tsc=reliable"),
    "aarch64": Machine("arm64", "qemu-system-aarch64", "qemu-system-arm", "virt", "ttyAMA0"),
}


def machine(processor: str) -> Machine:
    """The guest for a processor as `uname -m` calls it. Raises VmUnsupportedError."""
    if processor not in MACHINES:
        raise VmUnsupportedError(f"could not choose a guest: there is none for {processor}; it runs on {', '.join(MACHINES)}")
    return MACHINES[processor]


def counts_steadily(cpuinfo: str) -> bool:
    """From the text of /proc/cpuinfo: whether the counter of these processors keeps its rate and never stops. An emulated
    guest's is made of it."""
    flags = set(cpuinfo.partition("\nflags")[2].partition("\n")[0].split())
    return {"constant_tsc", "nonstop_tsc"} <= flags
