"""The guest's first file system: busybox, the modules for its disks in the order in which they load, and a script.

It is pure. The format is cpio's `newc`, by Documentation/driver-api/early-userspace/buffer-format.rst of the kernel.
"""

from __future__ import annotations

import gzip
import lzma
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

NEEDED = ("virtio_pci", "virtio_blk", "virtio_console", "ext4")
_DIRECTORY, _FILE = 0o040755, 0o100755


@dataclass(frozen=True)
class Entry:
    """A file, or a directory when `content` is None."""

    path: str
    content: bytes | None = None


def load_order(modules_dep: str, builtin: str, needed: Iterable[str] = NEEDED) -> list[str]:
    """Paths of modules, each behind what it needs, from the text of modules.dep(5) and modules.builtin.

    Raises KeyError for a module that is neither there nor built in.
    """
    depends = {path: below.split() for path, _, below in (line.partition(":") for line in modules_dep.splitlines())}
    paths = {_name(path): path for path in depends}
    inside = {_name(path) for path in builtin.split()}
    order: dict[str, None] = {}

    def add(path: str) -> None:
        for below in reversed(depends[path]):  # modules.dep names the deepest last
            add(below)
        order[path] = None

    for name in needed:
        if name not in inside:
            add(paths[name])
    return list(order)


def _name(path: str) -> str:
    return path.rpartition("/")[2].partition(".ko")[0].replace("-", "_")


def build(busybox: bytes, script: bytes, modules: Mapping[str, bytes]) -> bytes:
    """The archive, compressed. `modules` maps paths to contents, in the order in which they load."""
    plain = [(f"{n:02}-{_name(path)}.ko", _plain(path, content)) for n, (path, content) in enumerate(modules.items())]
    folders = [Entry(path) for path in ("bin", "dev", "modules", "new", "proc", "sys")]
    order = "".join(f"{name}\n" for name, _ in plain).encode("ascii")
    files = [Entry("bin/busybox", busybox), Entry("init", script), Entry("modules/order", order),
             *(Entry(f"modules/{name}", content) for name, content in plain)]  # fmt: skip
    return gzip.compress(cpio([*folders, *files]), 6, mtime=0)


def cpio(entries: Iterable[Entry]) -> bytes:
    """The archive of these entries."""
    return b"".join(_record(n, entry) for n, entry in enumerate([*entries, Entry("TRAILER!!!", b"")], 1))


def _record(number: int, entry: Entry) -> bytes:
    name, content = entry.path.encode() + b"\0", entry.content or b""
    mode = _DIRECTORY if entry.content is None else _FILE
    links = 2 if entry.content is None else 1
    fields = (number, mode, 0, 0, links, 0, len(content), 0, 0, 0, 0, len(name), 0)
    head = b"070701" + b"".join(b"%08X" % field for field in fields)
    return _padded(head + name) + _padded(content)


def _padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % 4)


def _plain(path: str, content: bytes) -> bytes:
    """Debian 13 compresses modules; busybox cannot undo that."""
    return lzma.decompress(content) if path.endswith(".xz") else content
