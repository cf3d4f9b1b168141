"""Looks at every object for the sake of purges, so that the list of purges stays short and the room of what was purged is
free again.

Nothing depends on it: an object that was purged is found to be so whenever it is looked at. It reads in a thread, one of
256 folders at a time, and rests as long as it worked. What is damaged comes to light on the way.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable

from nodes.edge.store.purges import Purges
from nodes.edge.store.record import RecordError
from nodes.edge.store.scan import list_folder
from nodes.edge.store.shelf import Shelf

PATIENCE_S = 60.0
"""A purge that is not looked for is swept for after so long;"""
MANY = 1000
"""so many of them at once."""


class Sweep:
    """`look` is given the name of each object that must go, and looks again. `done` is given the count of orders that no
    object is older than."""

    def __init__(self, shelf: Shelf, purges: Purges, look: Callable[[int], object], done: Callable[[int], None]) -> None:
        self._shelf, self._purges, self._look, self._done = shelf, purges, look, done
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def due(self, *, now: bool = False) -> None:
        """There is something to look for. Without a running loop nothing happens: a later start sweeps."""
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            return
        if self._task is None or self._task.done():
            self._wake.clear()
            self._task = loop.create_task(self._run())
        if now or len(self._purges) >= MANY:
            self._wake.set()

    def stop(self) -> None:
        """Leave off; a later start sweeps."""
        if self._task is not None:
            self._task.cancel()

    async def _run(self) -> None:
        while len(self._purges):
            try:
                await asyncio.wait_for(self._wake.wait(), PATIENCE_S)
            except TimeoutError:
                self._wake.set()
            self._wake.clear()
            await self.once()

    async def once(self) -> None:
        """Look at everything."""
        purges = self._purges.copy()  # for the thread: the loop may add to the list meanwhile
        for folder in sorted(os.listdir(self._shelf.objects)):
            began = time.monotonic()
            for name in await asyncio.to_thread(self._reached, str(self._shelf.objects / folder), purges):
                self._look(name)
            await asyncio.sleep(time.monotonic() - began)
        self._done(purges.count)

    def _reached(self, path: str, purges: Purges) -> list[int]:
        found = []
        try:
            there = [one[1] for one in list_folder(path) if not isinstance(one, str)]
        except (FileNotFoundError, NotADirectoryError):
            return []  # all was set aside meanwhile, because the cache was emptied; or somebody's file lies here
        for name in there:
            try:
                entry = self._shelf.load(name)
                if entry is not None and purges.reach(entry.stored, entry.purges):
                    found.append(name)
            except (RecordError, OSError):
                found.append(name)
        return found
