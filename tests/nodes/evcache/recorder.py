"""Clients that record what they do to a cache, as `results/history.py` reads it, while faults happen by a seed."""

from __future__ import annotations

import asyncio
import base64
import json
import random
import time
from collections.abc import Callable, Sequence
from typing import Any

from nodes.evcache.cache import EVCache
from nodes.evcache.truth_client import TruthError
from tests.nodes.evcache.cuttable import Way
from tests.nodes.evcache.zonekit import Stage

KEYS = [f"k{number}" for number in range(6)]


class Recorder:
    """One history; several caches may write into it."""

    def __init__(self, stage: Stage, bound_s: float, seed: int, size_bytes: int = 0) -> None:
        """Values are filled up with spaces to `size_bytes`."""
        self._size_bytes = size_bytes
        self.stage, self.seed, self.random = stage, seed, random.Random(seed)
        self.lines: list[dict[str, Any]] = [{"bound_s": bound_s}]
        self._values = 0

    @property
    def text(self) -> list[str]:
        """JSON lines."""
        return [json.dumps(line) for line in self.lines]

    async def put(self, cache: EVCache, key: str) -> None:
        """A value that no other write has."""
        self._values += 1
        value, begin_s, version = f"value {self._values}", time.monotonic(), None
        try:
            version = (await cache.put(key, value.ljust(self._size_bytes).encode())).version
        except TruthError:
            pass  # recorded as not acknowledged
        self._note("put", key, value, version, begin_s, ok=version is not None)

    async def delete(self, cache: EVCache, key: str) -> None:
        """The row's absence."""
        begin_s, version = time.monotonic(), None
        try:
            version = (await cache.delete(key)).version
        except TruthError:
            pass  # recorded as not acknowledged
        self._note("delete", key, None, version, begin_s, ok=version is not None)

    async def get(self, cache: EVCache, key: str) -> None:
        """A read; one that fails tells nothing."""
        begin_s = time.monotonic()
        try:
            read = await cache.read(key)
        except TruthError:
            return
        value = None if read.value is None else read.value.decode().rstrip()
        self._note("get", key, value, read.version, begin_s, source=read.source)

    async def work(self, cache: EVCache, until_s: float, *, reads_only: bool = False) -> None:
        """Any of the three, on any key, again and again."""
        while time.monotonic() < until_s:
            call = self.get if reads_only else self.random.choices((self.get, self.put, self.delete), (8, 3, 1))[0]
            await call(cache, self.random.choice(KEYS))
            await asyncio.sleep(self.random.uniform(0, 0.004))

    async def faults(self, until_s: float, kinds: Sequence[str], ways: dict[str, Way]) -> list[str]:
        """To each zone one fault of `kinds` after another, and to the source of truth too (`pause truth`, `kill truth`), so
        that they overlap; everything is whole again at the end. What happens to one does not depend on the others."""
        own = {zone: [kind for kind in kinds if "truth" not in kind] for zone in self.stage.memcached}
        own["truth"] = [kind for kind in kinds if "truth" in kind]
        done = await asyncio.gather(*(self._faults(name, some, until_s, ways) for name, some in own.items() if some))
        return [one for some in done for one in some]

    async def _faults(self, name: str, kinds: Sequence[str], until_s: float, ways: dict[str, Way]) -> list[str]:
        chance, done = random.Random(f"{self.seed} {name}"), []
        while True:
            await asyncio.sleep(chance.uniform(0.1, 1.0))
            what, for_s = chance.choice(kinds), chance.uniform(0.05, 0.8)
            if time.monotonic() > until_s:
                return done
            done.append(f"{what} {name}")
            begin, end = self._acts(what, name, ways)
            begin()
            await asyncio.sleep(for_s)
            await asyncio.to_thread(end)

    def _acts(self, what: str, name: str, ways: dict[str, Way]) -> tuple[Callable[[], None], Callable[[], None]]:
        """How a fault begins and how it ends, which may take its time."""
        stage, loop = self.stage, asyncio.get_running_loop()
        if name == "truth":
            return stage.pause_truth, stage.restart_truth if what == "kill truth" else stage.truth_goes_on
        way = ways[name]

        def killed() -> None:
            self.lines.append({"op": "lost", "source": name, "begin_s": time.monotonic()})
            stage.kill(name)

        def slow(late_s: float) -> None:
            way.late_s = late_s

        return {
            "kill": (killed, lambda: stage.revive(name)),
            "pause": (lambda: stage.pause(name), lambda: stage.go_on(name)),
            "cut": (way.cut, lambda: loop.call_soon_threadsafe(way.heal)),
            "slow": (lambda: slow(0.03), lambda: slow(0.0)),
        }[what]

    def truth(self) -> None:
        """The rows, when all is over."""
        rows = json.loads(self.stage.truth.get("/rows", method="POST", body=json.dumps(KEYS).encode()).body)
        for key, row in rows.items():
            value = None if row["value"] is None else base64.b64decode(row["value"]).decode().rstrip()
            self.lines.append({"op": "truth", "key": key, "value": value, "version": row["version"]})

    def _note(self, op: str, key: str, value: str | None, version: int | None, begin_s: float, **more: Any) -> None:
        self.lines.append({"op": op, "key": key, "value": value, "version": version, "begin_s": begin_s,
                           "end_s": time.monotonic(), **more})  # fmt: skip
