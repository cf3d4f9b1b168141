"""Where images live, so that every checkout of the same user shares them: `${XDG_CACHE_HOME:-~/.cache}/longhaul/vm/NAME/`.

An image is made in a folder of another name and renamed when it is whole; what has the name of an image but not the files
that its own description lists is not taken for one. It makes no image.
"""

from __future__ import annotations

import fcntl
import json
import os
import pwd
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from experiments.harness.vm.errors import VmError
from experiments.harness.vm.qemu import Files

BUILDING = "building-"
KEPT = 3
"""Images, at most; each takes about 1.1 GB."""
DESCRIPTION = "image.json"
KERNEL, INITRAMFS, DISK = "vmlinuz", "initramfs.gz", "disk.img"


@dataclass(frozen=True)
class Image:
    """A whole image. `facts`: base, kernel, suite, built (UTC), sizes_bytes of its files."""

    path: Path
    facts: dict[str, Any]

    @property
    def files(self) -> Files:
        """What a guest boots from."""
        return Files(self.path / KERNEL, self.path / INITRAMFS, self.path / DISK)

    def disk_bytes(self) -> int:
        """What it takes of the disk; the file system inside is larger, and sparse."""
        return sum(512 * file.stat().st_blocks for file in self.path.iterdir())


def folder() -> Path:
    """The cache of the user who called, through sudo too."""
    uid = os.environ.get("SUDO_UID")
    home = Path(pwd.getpwuid(int(uid)).pw_dir) if os.geteuid() == 0 and uid else Path.home()
    return Path(os.environ.get("XDG_CACHE_HOME") or home / ".cache") / "longhaul" / "vm"


def images(cache: Path) -> list[Image]:
    """Every whole image, newest first."""
    found = []
    for path in cache.iterdir() if cache.is_dir() else []:
        if not path.name.startswith(BUILDING) and (image := _read(path)):
            found.append(image)
    return sorted(found, key=lambda image: str(image.facts["built"]), reverse=True)


def _read(path: Path) -> Image | None:
    try:
        facts = json.loads((path / DESCRIPTION).read_text(encoding="utf-8"))
        sizes = {name: (path / name).stat().st_size for name in (KERNEL, INITRAMFS, DISK)}
    except (OSError, ValueError):
        return None
    return Image(path, facts) if facts.get("sizes_bytes") == sizes else None


def newest(cache: Path, base: str) -> Image | None:
    """The newest whole image of this name, whatever its kernel."""
    return next((image for image in images(cache) if image.facts["base"] == base), None)


@contextmanager
def lock(cache: Path, waiting: str) -> Iterator[None]:
    """Alone among builds. Prints `waiting` when another is at it. Raises VmError when the cache cannot be written."""
    try:
        cache.mkdir(parents=True, exist_ok=True)
        _give_to_caller(cache)
        handle = os.open(cache / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except OSError as error:
        raise VmError(f"could not use the cache {cache}: {error.strerror}; name another place in XDG_CACHE_HOME") from None
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print(waiting, file=sys.stderr, flush=True)
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def stage(cache: Path) -> Path:
    """A folder to make an image in. What builds that did not end have left is removed. Only under the lock."""
    for path in cache.glob(f"{BUILDING}*"):
        shutil.rmtree(path)
    return Path(tempfile.mkdtemp(prefix=BUILDING, dir=cache))


def adopt(cache: Path, staged: Path, name: str, facts: dict[str, Any]) -> Image:
    """Make of a staged folder an image, all at once, and remove those that it replaces. Only under the lock.

    The newest of other bases stay: checkouts whose packages differ would otherwise take their images from each other.
    """
    sizes = {file: (staged / file).stat().st_size for file in (KERNEL, INITRAMFS, DISK)}
    (staged / DESCRIPTION).write_text(json.dumps({**facts, "sizes_bytes": sizes}, indent=1) + "\n", encoding="utf-8")
    for path in [*staged.iterdir(), staged]:
        path.chmod(0o755 if path.is_dir() else 0o644)
        _sync(path)
    target = cache / name
    kept = [image.path for image in images(cache) if image.facts["base"] != facts["base"]][: KEPT - 1]
    old = [path for path in cache.iterdir() if path.is_dir() and path not in (staged, target, *kept)]
    shutil.rmtree(target, ignore_errors=True)  # something of that name which is no whole image
    staged.rename(target)
    _sync(cache)
    for path in old:
        shutil.rmtree(path, ignore_errors=True)  # a guest may be running from it: the kernel keeps its files until then
    _give_to_caller(cache)
    return Image(target, {**facts, "sizes_bytes": sizes})


def _give_to_caller(cache: Path) -> None:
    """Make the cache the property of the user who called through sudo, `~/.cache` itself included."""
    uid, gid = os.environ.get("SUDO_UID"), os.environ.get("SUDO_GID")
    if os.geteuid() == 0 and uid and gid and not os.environ.get("XDG_CACHE_HOME"):
        for path in [cache.parent.parent, cache.parent, cache, *cache.rglob("*")]:
            os.chown(path, int(uid), int(gid), follow_symlinks=False)


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
