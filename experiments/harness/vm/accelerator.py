"""Whether guests run under KVM here. It boots none: the verb tries one when this says so, and remembers the answer.

A `/dev/kvm` that can be opened proves little: in a nested virtual machine an ordinary guest may hang in its first second.
"""

from __future__ import annotations

import os
import platform
from pathlib import Path

from experiments.harness.vm.errors import VmUnsupportedError

DEVICE = Path("/dev/kvm")
TRIAL_S = 15.0
"""A guest is up in two seconds under KVM, in about five under TCG."""


def decide(asked: str, usable: bool, remembered: bool | None) -> str:
    """`kvm`, `tcg` or `try`; `asked` is `auto`, `kvm` or `tcg`. Raises VmUnsupportedError."""
    if asked == "kvm" and not usable:
        raise VmUnsupportedError(f"could not use KVM: {DEVICE} is not here or may not be opened; "
                                 "join the group kvm, or give --accel tcg")  # fmt: skip
    if asked != "auto":
        return asked
    if not usable or remembered is False:
        return "tcg"
    return "kvm" if remembered else "try"


def usable() -> bool:
    """Whether the device can be opened."""
    return os.access(DEVICE, os.R_OK | os.W_OK)


def recall(cache: Path) -> bool | None:
    """Whether a guest came up under KVM on this kernel; None when none was tried."""
    kept = note(cache)
    return kept.read_text(encoding="ascii").strip() == "boots" if kept.exists() else None


def remember(cache: Path, boots: bool) -> None:
    """Keep the answer for this kernel."""
    note(cache).write_text("boots\n" if boots else "hangs\n", encoding="ascii")


def note(cache: Path) -> Path:
    """Where the answer is kept."""
    return cache / f"kvm-{platform.release()}"
