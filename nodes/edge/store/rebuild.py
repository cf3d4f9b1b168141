"""Taking up what the disk holds when the edge starts, while it already serves.

It opens no file: names, lengths and times of change are enough for the index; what is damaged is found when it is
opened. A small cache is taken up before the first request; a large one is listed by processes of its own, because a
thread would hold up the event loop, and the index is told in small batches between the requests.
"""

from __future__ import annotations

import asyncio
import heapq
import mmap
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from nodes.edge.store import scan
from nodes.edge.store.index import Index

AT_ONCE_S = 0.05
"""A start waits so long for the whole; then it goes on in the background, where there is a running loop."""

SCANNERS = 2


class Rebuild:
    """`evict` deletes what no longer fits; `bad` takes the path of a file that is no object's. Both run in the loop."""

    def __init__(self, objects: Path, index: Index, evict: Callable[[list[int]], None], bad: Callable[[str], None]) -> None:
        self._objects, self._index, self._evict, self._bad = str(objects), index, evict, bad
        self._found: list[bytes | mmap.mmap] = []
        self._scanners: list[subprocess.Popen[bytes]] = []
        self._task: asyncio.Task[None] | None = None
        self.done = asyncio.Event()

    def start(self) -> None:
        """Do it, or begin to. Raises OSError."""
        with os.scandir(self._objects) as entries:
            folders = [entry.name for entry in entries if entry.is_dir(follow_symlinks=False)]
        try:
            loop: asyncio.AbstractEventLoop | None = asyncio.get_running_loop()
        except RuntimeError:
            loop = None
        deadline = time.monotonic() + AT_ONCE_S
        while folders and (loop is None or time.monotonic() < deadline):
            self._found.append(scan.pack([f"{self._objects}/{folders.pop()}"]))
        if loop is not None and folders:
            self._task = loop.create_task(self._go_on(folders))
            return
        for evicted in self._adopt():
            self._evict(evicted)
        self.done.set()

    def stop(self) -> None:
        """Leave off: the edge ends, or there is nothing to take up any more."""
        if self._task is not None:
            self._task.cancel()
        for scanner in self._scanners:
            scanner.kill()
        self.done.set()

    async def _go_on(self, folders: list[str]) -> None:
        shares = [folders[first::SCANNERS] for first in range(SCANNERS)]
        self._found += await asyncio.gather(*(asyncio.to_thread(self._by_process, share) for share in shares))
        for evicted in self._adopt():
            self._evict(evicted)
            await asyncio.sleep(0)
        self.done.set()

    def _by_process(self, folders: list[str]) -> bytes | mmap.mmap:
        """What is in the folders; by this process when no other can do it. Raises OSError."""
        # memory that both have: by a pipe the same bytes would lie here several times
        shared = os.memfd_create("longhaul-scan", os.MFD_CLOEXEC)
        try:
            # -I -S: it needs nothing but the standard library, and starts in a third of the time
            scanner = subprocess.Popen([sys.executable, "-I", "-S", scan.__file__, self._objects], stdin=subprocess.PIPE,
                                       stdout=shared, stderr=subprocess.DEVNULL)  # fmt: skip
            self._scanners.append(scanner)
            scanner.communicate("\n".join(folders).encode())
            if scanner.returncode == 0:
                return mmap.mmap(shared, 0, access=mmap.ACCESS_READ)
        except OSError:
            if self.done.is_set():  # it was stopped
                raise
        finally:
            os.close(shared)
        return scan.pack(f"{self._objects}/{folder}" for folder in folders)

    def _adopt(self) -> Iterator[list[int]]:
        lists = []
        for data in self._found:
            objects, bad = scan.unpack(data)
            lists.append(objects)
            for path in bad:
                self._bad(path)
        self._found.clear()
        yield from self._index.adopt((name, size) for _, name, size in heapq.merge(*lists))
