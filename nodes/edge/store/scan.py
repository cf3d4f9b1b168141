"""Lists the objects of a cache folder: when each was written, its name and its size. It opens none of them.

It is also a program of its own, so that a million files are listed beside an edge that serves: `python scan.py OBJECTS`
reads the names of folders from its input, one in a line, and writes what `pack` gives. For that it imports nothing of
this project.
"""

import mmap
import os
import re
import stat
import struct
import sys
from collections.abc import Iterable, Iterator

LEAST_BYTES = 40
"""A shorter file is no object: it is the length of the footer (`record.py`)."""

RECORD = struct.Struct("<Q16sQ")
"""Time of change in ns, name, size."""

_LENGTH = struct.Struct("<Q")
_IS_NAME = re.compile("[0-9a-f]{32}").fullmatch
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


def number(file: str) -> int | None:
    """The number of an object's file, or None when no object is called so."""
    return int(file, 16) if _IS_NAME(file) else None


def list_folder(path: str) -> Iterator[tuple[int, int, int] | str]:
    """What is in one of the 256 folders: time of change in ns, name, size of each; or a path that is no object's.

    By descriptors: walking a long path for each of a million files would take the kernel a quarter of all the time.
    Raises OSError.
    """
    top = os.open(path, _FOLDER)
    try:
        for second in os.listdir(top):
            try:
                folder = os.open(second, _FOLDER, dir_fd=top)
            except (NotADirectoryError, FileNotFoundError):
                yield f"{path}/{second}"
                continue
            try:
                yield from _files(folder, f"{path}/{second}", path[-2:] + second)
            finally:
                os.close(folder)
    finally:
        os.close(top)


def _files(folder: int, path: str, parent: str) -> Iterator[tuple[int, int, int] | str]:
    for file in os.listdir(folder):
        try:
            status = os.stat(file, dir_fd=folder, follow_symlinks=False)
        except FileNotFoundError:
            continue  # it was evicted meanwhile
        name = number(file) if file.startswith(parent) else None
        if name is None or status.st_size < LEAST_BYTES or not stat.S_ISREG(status.st_mode):
            yield f"{path}/{file}"
        else:
            yield status.st_mtime_ns, name, status.st_size


def pack(paths: Iterable[str]) -> bytes:
    """What is in these folders: how many objects, a RECORD of each, oldest first; then the paths that are no object's."""
    found, bad = [], []
    for path in paths:
        for one in list_folder(path):
            if isinstance(one, str):
                bad.append(os.fsencode(one))
            else:
                changed_ns, name, size = one
                found.append(RECORD.pack(changed_ns, name.to_bytes(16, "big"), size))
    found.sort(key=_time)
    return _LENGTH.pack(len(found)) + b"".join(found) + b"\0".join(bad)


def unpack(data: bytes | mmap.mmap) -> tuple[Iterator[tuple[int, int, int]], list[str]]:
    """Time, name and size of the objects, oldest first, and the other paths, from what `pack` gave."""
    (count,) = _LENGTH.unpack_from(data)
    end = _LENGTH.size + count * RECORD.size
    objects = ((changed_ns, int.from_bytes(name, "big"), size)
               for changed_ns, name, size in RECORD.iter_unpack(memoryview(data)[_LENGTH.size : end]))  # fmt: skip
    return objects, [os.fsdecode(path) for path in data[end:].split(b"\0") if path]


def _time(record: bytes) -> bytes:
    return record[7::-1]  # the number's bytes, the highest first


if __name__ == "__main__":
    os.nice(5)  # serving comes first
    sys.stdout.buffer.write(pack(f"{sys.argv[1]}/{line.strip()}" for line in sys.stdin))
