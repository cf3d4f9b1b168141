"""The working tree as it is, and the job, as one tar archive that the guest unpacks onto its root.

Files that git ignores stay out: the guest has its own `.venv`, and run directories of this machine are none of its business.
It runs nothing in the guest.
"""

from __future__ import annotations

import io
import json
import os
import subprocess
import tarfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from experiments.harness.vm.errors import VmError

PLACE = "longhaul"
"""Below the guest's root."""

JOB_NAME = "longhaul.job.json"


@dataclass(frozen=True)
class Job:
    """What the agent is to do. `bring` are paths below the checkout."""

    command: Sequence[str]
    bring: Sequence[str] = ()
    terminal: bool = False
    environment: Mapping[str, str] = field(default_factory=dict)

    def document(self) -> bytes:
        """As the agent reads it."""
        return json.dumps({"command": list(self.command), "bring": list(self.bring), "terminal": self.terminal,
                           "environment": dict(self.environment)}).encode()  # fmt: skip


def files(root: Path) -> list[str]:
    """Tracked and untracked files that are not ignored, relative to `root`. Raises VmError."""
    git = ["git", "-c", f"safe.directory={root}", "-C", str(root)]
    try:
        listed = subprocess.run([*git, "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
                                capture_output=True, check=True).stdout  # fmt: skip
    except (OSError, subprocess.CalledProcessError):
        return _without_git(root)
    return sorted(path for path in {os.fsdecode(name) for name in listed.split(b"\0") if name} if os.path.lexists(root / path))


def _without_git(root: Path) -> list[str]:
    """For a tree that came as an archive, or a machine without git: .gitignore here names folders and files, no patterns."""
    try:
        ignored = {line.rstrip("/") for line in (root / ".gitignore").read_text(encoding="utf-8").split()}
    except OSError as error:
        raise VmError(f"could not list the checkout {root}: it is no git checkout, and {error}; get it again") from None
    found = []
    for folder, below, names in os.walk(root):
        here = os.path.relpath(folder, root)
        below[:] = [name for name in below if not {name, os.path.normpath(f"{here}/{name}")} & {*ignored, ".git"}]
        found += [os.path.normpath(f"{here}/{name}") for name in names if name not in ignored]
    return sorted(found)


def pack(root: Path, names: Sequence[str], job: Job, archive: BinaryIO) -> None:
    """Write the archive; everything in it belongs to root. Files that vanish meanwhile are left out."""
    with tarfile.open(fileobj=archive, mode="w", format=tarfile.GNU_FORMAT) as tar:
        _add(tar, tarfile.TarInfo(JOB_NAME), job.document())
        for name in names:
            try:
                info = tar.gettarinfo(root / name, f"{PLACE}/{name}")
                content = (root / name).read_bytes() if info.isreg() or info.islnk() else b""
            except FileNotFoundError:
                continue
            if info.isreg() or info.islnk():
                info.type = tarfile.REGTYPE
            elif not info.issym():
                continue  # a socket, a pipe, a submodule's folder
            _add(tar, info, content)
    archive.flush()


def _add(tar: tarfile.TarFile, info: tarfile.TarInfo, content: bytes) -> None:
    info.size, info.uid, info.gid, info.uname, info.gname = len(content), 0, 0, "root", "root"
    tar.addfile(info, io.BytesIO(content))
