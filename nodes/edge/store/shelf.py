"""The folder of objects: finding, reading, placing and deleting files. It keeps nothing in memory and counts nothing.

    objects/ab/cd/NAME   one stored response each (record.py)
    tmp/                 what is being written, and what is being deleted; emptied by every start
    lock                 held by the edge that owns the folder
    purges               what was purged (purges.py)
"""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

from nodes.edge.store import names
from nodes.edge.store.entry import Entry, stamp_of
from nodes.edge.store.record import RecordError, decode, footer
from nodes.edge.store.scan import number

TAIL_BYTES = 4096
"""Read at first from the end of a file; the metadata is mostly no longer."""


class Shelf:
    """Paths are those of `folder`."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.objects, self.temporary = folder, folder / "objects", folder / "tmp"
        self._root, self.lock = str(self.objects), folder / "lock"

    def foreign(self) -> Path | None:
        """What is in the way, in a folder that is no cache: files of others, which could be deleted as ours."""
        if self.lock.exists() or not self.folder.exists():
            return None
        return next((path for path in sorted(self.folder.iterdir()) if path.name != "lost+found"), None)  # mkfs(8) makes that

    def make(self) -> None:
        """The folders, where they are missing; the lock first, because it is what a cache is known by. Raises OSError."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self.lock.touch()
        self.objects.mkdir(exist_ok=True)
        self.temporary.mkdir(exist_ok=True)

    def path(self, name: int) -> str:
        """Where an object is, if it is."""
        file = names.file_name(name)
        return f"{self._root}/{names.folder_of(file)}/{file}"

    def variants(self, primary: str) -> list[int]:
        """The names of what may be variants of a primary key. Raises OSError."""
        prefix = names.prefix_of(primary)
        try:
            files = os.listdir(f"{self._root}/{names.folder_of(prefix)}")
        except FileNotFoundError:
            return []
        found = (number(file) for file in files if file.startswith(prefix))
        return [name for name in found if name is not None]

    def load(self, name: int) -> Entry | None:
        """What a file says, or None when there is none. Raises RecordError when it is damaged, and OSError."""
        try:
            fd = os.open(self.path(name), os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return None
        try:
            return read_entry(fd, name)
        finally:
            os.close(fd)

    def place(self, temporary: Path, name: int) -> None:
        """A finished file becomes the object, in one rename. Raises OSError."""
        path = self.path(name)
        try:
            os.rename(temporary, path)
        except FileNotFoundError:
            os.makedirs(os.path.dirname(path), exist_ok=True)
            os.rename(temporary, path)

    def sync(self, name: int) -> None:
        """Wait until the disk knows the name. Raises OSError."""
        folder = os.path.dirname(self.path(name))
        for path in (folder, os.path.dirname(folder), self._root):
            sync_folder(path)

    def delete(self, name: int) -> None:
        """The object is no more. Raises OSError, but not when it was not there."""
        try:
            os.unlink(self.path(name))
        except FileNotFoundError:
            return

    def empty_temporary(self) -> None:
        """Delete what an earlier edge left unfinished. Raises OSError."""
        for entry in os.scandir(self.temporary):
            if entry.is_dir(follow_symlinks=False):
                shutil.rmtree(entry.path)
            else:
                os.unlink(entry.path)

    def set_aside(self) -> Path:
        """Put all objects where nobody looks for them, in one rename. Raises OSError."""
        aside = Path(tempfile.mkdtemp(dir=self.temporary)) / "objects"
        os.rename(self.objects, aside)
        self.objects.mkdir()
        return aside


def read_entry(fd: int, name: int) -> Entry:
    """What an open file says. Raises RecordError when it is damaged or belongs elsewhere, and OSError."""
    status = os.fstat(fd)
    length = status.st_size
    tail = os.pread(fd, TAIL_BYTES, max(0, length - TAIL_BYTES))
    wanted = footer(tail, length).tail_bytes
    if wanted > len(tail):
        tail = os.pread(fd, wanted, length - wanted)
    stored, purges = decode(tail, length)
    if names.name_of(stored.key) != name or names.primary_of(stored.key) != stored.primary:
        raise RecordError("the file has the name of another object")
    return Entry(name, stored, purges, stamp_of(status))


def sync_folder(path: str | Path) -> None:
    """Wait until the disk knows the names in a folder. Raises OSError."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

