"""A mixed load on a cache: reads and writes at random times (Poisson), whose rate does not depend on the answers.

It draws no figure: it gives a row for each call, and a history as `longhaul check-history` reads it.
"""

from __future__ import annotations

import asyncio
import json
import random
from bisect import bisect_left
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

from nodes.evcache.cache import EVCache
from nodes.evcache.truth_client import TruthError
from nodes.http.pacing import sleep_until

MOST_AT_ONCE = 4096


@dataclass(frozen=True)
class Load:
    """`rate` calls a second for `seconds`; `writes` is the part of them that writes; keys by Zipf's law with this exponent.

    Raises ValueError.
    """

    seconds: float
    rate: float
    keys: int
    zipf: float = 0.9
    writes: float = 0.0
    bytes: int = 1024
    seed: int = 1
    prefix: str = "k"
    history: str = ""

    def __post_init__(self) -> None:
        if min(self.seconds, self.rate, self.keys) <= 0 or not 0 <= self.writes <= 1 or self.bytes < 0:
            raise ValueError(f"a load of {self} cannot be")


def zipf_sums(keys: int, exponent: float) -> list[float]:
    """The running sums of the weights of keys 1 to n: proportional to 1 / rank^exponent."""
    return list(accumulate(rank**-exponent for rank in range(1, keys + 1)))


async def mixed(cache: EVCache, name: str, load: Load) -> list[dict[str, Any]]:
    """One row a call: `at_s` when it was due (CLOCK_MONOTONIC), `op`, `ms` from then, `ok`, `source`."""
    loop, chance, sums = cache.zones.loop, random.Random(load.seed), zipf_sums(load.keys, load.zipf)
    rows: list[dict[str, Any]] = []
    running: set[asyncio.Task[None]] = set()
    history: list[dict[str, Any]] = []
    due_s = loop.time()
    end_s, number = due_s + load.seconds, 0

    async def one(due_s: float, key: str, value: str | None) -> None:
        row: dict[str, Any] = {"at_s": round(due_s, 6), "op": "get" if value is None else "put", "ok": True, "source": ""}
        begin_s, version, held = loop.time(), None, value
        try:
            if value is None:
                read = await cache.read(key)
                row["source"], version = read.source, read.version
                held = None if read.value is None else read.value.decode().rstrip()
            else:
                version = (await cache.put(key, value.ljust(load.bytes).encode())).version
        except TruthError:
            row["ok"] = False
        now_s = loop.time()
        row["ms"] = round((now_s - due_s) * 1e3, 3)
        rows.append(row)
        if value is not None or row["ok"]:
            history.append({"op": row["op"], "key": key, "value": held, "version": version, "begin_s": begin_s, "end_s": now_s,
                            "ok": row["ok"], "source": row["source"]})  # fmt: skip

    while (due_s := due_s + chance.expovariate(load.rate)) < end_s:
        key = f"{load.prefix}{bisect_left(sums, chance.random() * sums[-1])}"
        value = None
        if chance.random() < load.writes:
            number += 1
            value = f"{name} {load.seed} {number}"
        await sleep_until(due_s)
        if len(running) >= MOST_AT_ONCE:
            op = "get" if value is None else "put"
            rows.append({"at_s": round(due_s, 6), "op": op, "ok": False, "source": "", "ms": 0.0})
            continue
        task = loop.create_task(one(due_s, key, value))
        running.add(task)
        task.add_done_callback(running.discard)
    if running:
        await asyncio.wait(running)
    if load.history:
        with open(load.history, "a", encoding="utf-8") as file:
            file.writelines(json.dumps(line) + "\n" for line in history)
    return sorted(rows, key=lambda row: row["at_s"])
