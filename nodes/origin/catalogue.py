"""What a path names: a generated object, a file of the folder, or nothing.

It finds and describes; it does not send. `/objects/SIZE/NAME` is a generated object (`/objects/64KiB/a`): the bytes
follow from the size and from NAME exactly as it stands in the path. `/files/...` is a file below the folder.
"""

from __future__ import annotations

import mimetypes
import os
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO
from urllib.parse import unquote_to_bytes

from nodes.http.message import HttpError
from nodes.origin import generate
from units import UnitError, byte_count

OBJECTS, FILES = "/objects/", "/files/"
LARGEST_OBJECT_BYTES = 2**40
GENERATED_MODIFIED_S = 946_684_800
"""Generated objects never change: they were all modified at the start of the year 2000."""


@dataclass
class Entry:
    """One object: its validators and either a name to generate from or an open file."""

    size_bytes: int
    etag: str
    modified_s: int
    kind: str
    name: str | None = None
    file: BinaryIO | None = None

    def close(self) -> None:
        """Give the file back."""
        if self.file is not None:
            self.file.close()


def find(path: str, folder: Path | None) -> Entry:
    """The entry of a path that is not decoded. Raises HttpError 404 or 400."""
    if path.startswith(OBJECTS):
        return generated(path)
    if path.startswith(FILES) and folder is not None:
        return _file(path.removeprefix(FILES), folder)
    raise HttpError(404, "nothing is here; objects are at /objects/SIZE/NAME" + (" and /files/" if folder else ""))


def generated(path: str) -> Entry:
    """The entry of `/objects/SIZE/NAME`. Raises HttpError."""
    size_text, slash, name = path.removeprefix(OBJECTS).partition("/")
    if not slash or not name:
        raise HttpError(404, "a generated object is at /objects/SIZE/NAME, such as /objects/64KiB/a")
    try:
        size_bytes = byte_count(size_text)
    except UnitError as error:
        raise HttpError(400, str(error)) from error
    if not 0 <= size_bytes <= LARGEST_OBJECT_BYTES:
        raise HttpError(400, f"the size {size_text} is not within 0B and 1TiB")
    tag = generate.etag(name, size_bytes)
    return Entry(size_bytes, tag, GENERATED_MODIFIED_S, "application/octet-stream", name=name)


def _file(path: str, folder: Path) -> Entry:
    """Open below the folder, following no link that leads out of it."""
    relative = os.fsdecode(unquote_to_bytes(path))
    if "\0" in relative or not relative:
        raise HttpError(404, "no such file")
    root = os.path.realpath(folder)
    real = os.path.realpath(os.path.join(root, relative.lstrip("/")))
    if os.path.commonpath((root, real)) != root:
        raise HttpError(404, "no such file")
    try:  # real holds no link any more, and O_NOFOLLOW refuses one that was put there just now
        handle = os.open(real, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except PermissionError as error:
        raise HttpError(403, "the file may not be read") from error
    except OSError as error:
        raise HttpError(404, "no such file") from error
    status = os.fstat(handle)
    if not stat.S_ISREG(status.st_mode):
        os.close(handle)
        raise HttpError(404, "no such file")
    tag = f'"{status.st_mtime_ns:x}-{status.st_size:x}-{status.st_ino:x}"'
    kind = mimetypes.guess_type(real)[0] or "application/octet-stream"
    return Entry(status.st_size, tag, int(status.st_mtime), kind, file=os.fdopen(handle, "rb"))
