"""Exit statuses, and which error has which. It decides no verdict."""

from __future__ import annotations

from experiments.harness.load.errors import LoadError
from experiments.harness.output import OutputError
from experiments.harness.rundir import OutError, RunDirectoryError
from experiments.harness.vm.errors import VmError, VmUnsupportedError
from results.captures.errors import CaptureError
from results.exports.machinery.request import ExportError
from results.rundir import RunError
from topologies.emulator.links.backend import BackendError, UnsupportedError
from topologies.emulator.links.netns import NamespaceError
from topologies.emulator.links.spec import LinkError
from topologies.emulator.plan import NodeError, PlanError
from topologies.emulator.sandbox import SandboxError
from topologies.emulator.setting import SettingError

HOLDS, FAILS, USAGE, INVALID, UNSUPPORTED, INTERRUPTED = 0, 1, 2, 3, 127, 130

BY_OUTCOME = {"holds": HOLDS, "fails": FAILS, "invalid": INVALID, "unsupported": UNSUPPORTED}


class UsageError(ValueError):
    """A request that cannot be understood; the message says what would be."""


class DefectError(Exception):
    """A defect in the file of an experiment or of a topology; the message names file and line."""


FAILURES = (
    UsageError, DefectError, SettingError, LinkError, PlanError, RunError, RunDirectoryError, CaptureError, SandboxError,
    UnsupportedError, BackendError, NamespaceError, NodeError, VmError, OutputError,
    LoadError, ExportError,
)  # fmt: skip


def status_of(error: BaseException) -> int:
    """The exit status for an error that reached the user."""
    if isinstance(error, SandboxError | UnsupportedError | VmUnsupportedError):
        return UNSUPPORTED
    if isinstance(error, VmError):
        return FAILS
    if isinstance(error, OutputError):
        return INVALID if str(error) else HOLDS
    if isinstance(error, OutError):
        return USAGE
    if isinstance(error, BackendError | NamespaceError | NodeError | RunDirectoryError | LoadError):
        return INVALID
    return USAGE
