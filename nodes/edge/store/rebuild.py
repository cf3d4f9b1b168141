"""Taking up what the disk holds when the edge starts, while it already serves.

It opens no file: names, lengths and times of change are enough for the index; what is damaged is found when it is
opened. A small cache is taken up before the first request; a large one in the background, one folder of 256 at a time in
a thread, and the index is told in small batches between the requests.
"""

from __future__ import annotations

import asyncio
import heapq
import os
import time
from collections.abc import Callable, Iterator

from nodes.edge.store.index import Index
from nodes.edge.store.shelf import Shelf, list_folder

AT_ONCE_S = 0.05
"""A start waits so long for the whole; then it goes on in the background, where there is a running loop."""

SOON = 10_000
"""So many objects are told to the index at once."""

_NAME_BITS, _SIZE_BITS = 128, 48


class Rebuild:
    """`evict` deletes what no longer fits; `bad` takes the path of a file that is no object's; both in the loop."""

    def __init__(self, shelf: Shelf, index: Index, evict: Callable[[list[int]], None], bad: Callable[[str], None]) -> None:
        self._shelf, self._index, self._evict, self._bad = shelf, index, evict, bad
        self._found: list[list[int]] = []
        self.done = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Do it, or begin to. Raises OSError."""
        folders = self._folders()
        deadline = time.monotonic() + AT_ONCE_S
        try:
            loop: asyncio.AbstractEventLoop | None = asyncio.get_running_loop()
        except RuntimeError:
            loop = None
        while folders and (loop is None or time.monotonic() < deadline):
            self._take(_list(folders.pop()))
        if loop is not None and (folders or sum(map(len, self._found)) > SOON):
            self._task = loop.create_task(self._go_on(folders))
            return
        for evicted in self._index.adopt(self._in_order()):
            self._evict(evicted)
        self.done.set()

    def stop(self) -> None:
        """Leave off: the edge ends, or there is nothing to take up any more."""
        if self._task is not None:
            self._task.cancel()
        self.done.set()

    async def _go_on(self, folders: list[str]) -> None:
        while folders:
            self._take(await asyncio.to_thread(_list, folders.pop()))
        for evicted in self._index.adopt(self._in_order()):
            self._evict(evicted)
            await asyncio.sleep(0)
        self.done.set()

    def _folders(self) -> list[str]:
        with os.scandir(self._shelf.objects) as entries:
            return [entry.path for entry in entries if entry.is_dir(follow_symlinks=False)]

    def _take(self, listed: tuple[list[int], list[str]]) -> None:
        found, bad = listed
        self._found.append(found)
        for path in bad:
            self._bad(path)

    def _in_order(self) -> Iterator[tuple[int, int]]:
        """Names and sizes, oldest first."""
        for packed in heapq.merge(*map(_used_up, self._found)):
            yield (packed >> _SIZE_BITS) & ((1 << _NAME_BITS) - 1), packed & ((1 << _SIZE_BITS) - 1)
        self._found.clear()


def _list(path: str) -> tuple[list[int], list[str]]:
    """Objects, the newest first, each packed into one number (a third of the memory of a tuple); and what is no object."""
    found, bad = [], []
    for one in list_folder(path):
        if isinstance(one, str):
            bad.append(one)
        else:
            changed_ns, name, size = one
            found.append(((changed_ns << _NAME_BITS | name) << _SIZE_BITS) | size)
    found.sort(reverse=True)
    return found, bad


def _used_up(packed: list[int]) -> Iterator[int]:
    """From the end; the memory is free when the index has its own."""
    while packed:
        yield packed.pop()
