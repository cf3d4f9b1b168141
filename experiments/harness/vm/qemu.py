"""The command line of QEMU for one guest. It is pure; `session` starts it.

Options by qemu-system(1): no default device, so that the guest has two disks, a serial line, a virtio-serial port and
nothing else; above all no network card.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from experiments.harness.vm.guest.agent import PORT
from experiments.harness.vm.machine import Machine


@dataclass(frozen=True)
class Files:
    """What the guest boots from."""

    kernel: Path
    initramfs: Path
    disk: Path


@dataclass(frozen=True)
class Shape:
    """How large the guest is, and what runs its instructions: `kvm` or `tcg`. `steady`: see `machine.counts_steadily`."""

    memory_bytes: int
    cpus: int
    accelerator: str
    steady: bool


def command(machine: Machine, files: Files, shape: Shape, job: str, port_fd: int, console_fd: int) -> list[str]:
    """QEMU with the image (unchanged by the guest), the tar archive `job`, and two connected sockets."""
    accel = ["kvm"] if shape.accelerator == "kvm" else ["tcg,thread=multi"]
    # panic=-1 with -no-reboot: a guest that panics ends QEMU at once.
    kernel = f"console={machine.console} quiet panic=-1"
    if shape.accelerator == "tcg" and shape.steady and machine.counter:
        # The kernel distrusts an emulated counter, and its other clocks are devices: each look takes the lock that QEMU's
        # timers need, and a guest that looks at the clock all the time then gets its packets milliseconds late.
        kernel += f" {machine.counter}"
    return [
        machine.qemu, "-nodefaults", "-no-user-config", "-display", "none", "-nic", "none", "-no-reboot",
        "-machine", machine.board, "-accel", *accel, "-cpu", "host" if shape.accelerator == "kvm" else "max",
        "-smp", str(shape.cpus), "-m", f"{shape.memory_bytes >> 20}M",
        "-kernel", str(files.kernel), "-initrd", str(files.initramfs), "-append", kernel,
        "-chardev", f"socket,id=console,fd={console_fd}", "-serial", "chardev:console",
        "-device", "virtio-serial-pci", "-chardev", f"socket,id=port,fd={port_fd}",
        "-device", f"virtserialport,chardev=port,name={PORT}",
        *_disk("image", str(files.disk), "snapshot=on,cache=unsafe"), *_disk("job", job, "readonly=on"),
    ]  # fmt: skip


def _disk(name: str, path: str, how: str) -> list[str]:
    quoted = path.replace(",", ",,")  # qemu-system(1): a comma in a value is written twice
    return ["-drive", f"if=none,id={name},format=raw,file={quoted},{how}", "-device", f"virtio-blk-pci,drive={name}"]
