"""Clients that record what they do to a cache, as `results/history.py` reads it, while faults happen by a seed."""

from __future__ import annotations

import asyncio
import base64
import json
import random
import time
from collections.abc import Sequence
from typing import Any

from nodes.evcache.cache import EVCache
from nodes.evcache.truth_client import TruthError
from tests.nodes.evcache.cuttable import Way
from tests.nodes.evcache.zonekit import Stage

KEYS = [f"k{number}" for number in range(6)]


class Recorder:
    """One history; several caches may write into it."""

    def __init__(self, stage: Stage, bound_s: float, seed: int) -> None:
        self.stage, self.random = stage, random.Random(seed)
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
            version = (await cache.put(key, value.encode())).version
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
        value = None if read.value is None else read.value.decode()
        self._note("get", key, value, read.version, begin_s, source=read.source)

    async def work(self, cache: EVCache, until_s: float) -> None:
        """Any of the three, on any key, again and again."""
        while time.monotonic() < until_s:
            call = self.random.choices((self.get, self.put, self.delete), (8, 3, 1))[0]
            await call(cache, self.random.choice(KEYS))
            await asyncio.sleep(self.random.uniform(0, 0.004))

    async def faults(self, until_s: float, kinds: Sequence[str], ways: dict[str, Way]) -> list[str]:
        """Kills and pauses of one zone at a time or of the source of truth (`pause truth`, `kill truth`), and cuts of a way to
        a zone, as `kinds` allows; everything is whole again at the end."""
        done = []
        while time.monotonic() < until_s:
            zone = self.random.choice(list(self.stage.memcached))
            what = self.random.choice(kinds)
            done.append(what)
            if what == "kill":
                self.lines.append({"op": "lost", "source": zone, "begin_s": time.monotonic()})
                self.stage.kill(zone)
                await asyncio.sleep(self.random.uniform(0.05, 0.4))
                await asyncio.to_thread(self.stage.revive, zone)
            elif what == "pause":
                self.stage.pause(zone)
                await asyncio.sleep(self.random.uniform(0.05, 0.8))
                self.stage.go_on(zone)
            elif what == "cut":
                ways[zone].cut()
                await asyncio.sleep(self.random.uniform(0.05, 0.8))
                ways[zone].heal()
            else:
                self.stage.pause_truth()
                await asyncio.sleep(self.random.uniform(0.05, 0.5))
                if what == "kill truth":
                    await asyncio.to_thread(self.stage.restart_truth)
                else:
                    self.stage.truth_goes_on()
            await asyncio.sleep(self.random.uniform(0.05, 0.3))
        return done

    def truth(self) -> None:
        """The rows, when all is over."""
        rows = json.loads(self.stage.truth.get("/rows", method="POST", body=json.dumps(KEYS).encode()).body)
        for key, row in rows.items():
            value = None if row["value"] is None else base64.b64decode(row["value"]).decode()
            self.lines.append({"op": "truth", "key": key, "value": value, "version": row["version"]})

    def _note(self, op: str, key: str, value: str | None, version: int | None, begin_s: float, **more: Any) -> None:
        self.lines.append({"op": op, "key": key, "value": value, "version": version, "begin_s": begin_s,
                           "end_s": time.monotonic(), **more})  # fmt: skip
