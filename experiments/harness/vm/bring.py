"""Files that come back from the guest, as a tar archive, into the checkout. Nothing outside the paths asked for is written.

A run directory is never overwritten; other paths that were asked for by name are, each file all at once.
"""

from __future__ import annotations

import errno
import os
import shutil
import tarfile
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import IO, BinaryIO

from experiments.harness.status import UsageError
from experiments.harness.vm.errors import VmError

RUNS = "results/runs"


def wanted(path: str) -> str:
    """A `--bring` path, relative to the checkout. Raises UsageError."""
    pure = PurePosixPath(path)
    if pure.is_absolute() or ".." in pure.parts or not pure.parts:
        raise UsageError(f"could not bring back '{path}': it is not below the checkout; write a path such as docs/figures")
    return str(pure)


def unpack(archive: BinaryIO, root: Path, paths: Sequence[str]) -> list[Path]:
    """The files written below `root`.

    Raises VmError: before anything is written when a member was not asked for; at once when a file cannot be written; at
    the end when there were members that are neither files nor folders, which are left out.
    """
    written, others = [], []
    with tarfile.open(fileobj=archive, mode="r:") as tar:
        members = [(root / allowed(member.name, paths), member) for member in tar.getmembers()]
        for target, member in members:
            try:
                if member.isdir():
                    target.mkdir(parents=True, exist_ok=True)
                elif source := tar.extractfile(member) if member.isreg() else None:
                    _write(target, source, member, target.is_relative_to(root / RUNS))
                    written.append(target)
                else:
                    others.append(member.name)
            except OSError as error:
                raise VmError(f"could not write {target}: {error.strerror}; free it or the disk, and run it again") from None
    _give_to_caller(root, written)
    if others:
        raise VmError(f"could not bring back {', '.join(others)}: neither a file nor a folder; the rest has been written")
    return written


def allowed(name: str, paths: Sequence[str]) -> str:
    """The member's path when it lies in one of `paths`. Raises VmError."""
    pure = PurePosixPath(name)
    if pure.is_absolute() or ".." in pure.parts or not any(pure.is_relative_to(path) for path in paths):
        raise VmError(f"could not bring back {name}: the guest was not asked for it; nothing of it was written")
    return str(pure)


def _write(target: Path, source: IO[bytes], member: tarfile.TarInfo, new: bool) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    if new and os.path.lexists(target):
        raise FileExistsError(errno.EEXIST, "it is there already, and runs are never overwritten")
    partial = target.with_name(f".{target.name}.partial")
    with partial.open("wb") as file:
        shutil.copyfileobj(source, file)
    partial.chmod(member.mode & 0o777)
    os.utime(partial, (member.mtime, member.mtime))
    partial.replace(target)


def _give_to_caller(root: Path, written: Sequence[Path]) -> None:
    """Everything written, and the folders made for it, belongs to the user who called through sudo."""
    uid, gid = os.environ.get("SUDO_UID"), os.environ.get("SUDO_GID")
    if os.geteuid() != 0 or not uid or not gid:
        return
    folders = {above for path in written for above in path.parents if above.is_relative_to(root) and above != root}
    for path in [*folders, *written]:
        if path.stat().st_uid == 0:
            os.chown(path, int(uid), int(gid), follow_symlinks=False)
