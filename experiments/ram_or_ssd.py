"""What does a cache of the same price give in RAM alone, in RAM over SSD, on SSD alone, and as an edge's files on SSD?"""

from __future__ import annotations

import time
from typing import Any, ClassVar

from experiments.harness import caching
from experiments.harness.experiment import Arm, Row
from experiments.harness.stage import Daemon, Stage
from nodes.evcache_client.popular import READERS
from results.models.lru import hit_ratio, zipf
from topologies.emulator import setting
from topologies.emulator.setting import SettingError
from units import show_bytes

GIB = 2**30
STORES = {"ram": "RAM alone", "ram-over-ssd": "RAM over SSD", "ssd": "values on SSD, keys in RAM",
          "files": "an edge with a file for each object"}  # fmt: skip
"""The first three are memcached (extstore has the SSD), the last is `longhaul node edge`."""
FILLS, FILL_RATE, FILE_S = 4, 3000, 1.0
"""An SSD's file takes objects slower than memory does: what comes too fast is evicted before it is in the file."""
SERVED_MS = (0.15, 0.4)
"""What a hit may take of one processor: by memcached and its client; by an edge, which opens the file and checks its bytes."""
ITEM_BYTES = 110
"""What memcached and the copy's header add to a value."""


class RamOrSsd(caching.CacheExperiment):
    """Four caches of the same price hold objects that are asked for by Zipf's law: one spends all on RAM, the others a part of
    it on RAM and the rest on SSD. All objects are stored once, and again when they are missed. Prices are settings; for the
    sizes only their ratio counts. The RAM that is paid for is memcached's for items and the edge's for answers that are ready;
    what the programs need besides is shown and not paid. Files are read from the machine's page cache where they are in it: a
    cold SSD adds its own time."""

    topology_settings: ClassVar = {"zones": "1", "caches": "4"}
    minutes = 5.0
    bears_ms = 50.0
    repetitions = setting.count("5", "measured trials of each arm", 1, 10_000)
    ram = setting.size("32MiB", "RAM of the cache that is RAM alone: with the prices it is what all three cost")
    ram_beside = setting.size("16MiB", "RAM of the caches that have an SSD")
    ram_cents = setting.count("350", "price of a GiB of RAM, in cents a month", 1, 100_000)
    ssd_cents = setting.count("10", "price of a GiB of SSD, in cents a month", 1, 100_000)
    objects = setting.count("30000", "objects that are asked for", 100, 10_000_000)
    size = setting.size("4KiB", "size of the objects")
    zipfs = setting.text("0.8,0.95,1.1", "exponents of Zipf's law, separated by commas")
    requests = setting.count("20000", "reads of a trial; as many before it are not counted", 1000, 10_000_000)
    columns: ClassVar = {
        "hit_fraction": "part of the reads that found the object",
        "median_ms": "median time of a hit",
        "p99_ms": "99th percentile of the time of a hit",
        "ssd_read_fraction": "part of the hits that memcached read from its SSD",
        "resident_bytes": "memory of the process that serves, all of it",
        "cents_per_million": "price of the cache for each million objects that it has room for, in cents a month",
    }

    def ssd_bytes(self) -> int:
        """What the RAM that is not bought pays for. Raises SettingError when it is none."""
        found = int((self.ram - self.ram_beside) * self.ram_cents / self.ssd_cents)
        if found < 128 * 2**20:
            raise SettingError(f"could not buy an SSD: {show_bytes(max(0, found))} are below memcached's least, 128 MiB; "
                               "set ram higher or ram_beside lower")  # fmt: skip
        return found

    def price(self) -> float:
        """Of each cache, in cents a month."""
        return float(self.ram / GIB * self.ram_cents)

    def question(self) -> str:
        return (f"What does a cache of {show_bytes(self.ram)} of RAM give, and what one of the same price with "
                f"{show_bytes(self.ram_beside)} of RAM and {show_bytes(self.ssd_bytes())} of SSD?")  # fmt: skip

    def labels(self) -> dict[str, dict[str, str]]:
        return {"store": STORES}

    def arms(self) -> list[Arm]:
        return [{"store": store, "zipf": exponent.strip()} for store in STORES for exponent in self.zipfs.split(",")]

    def start(self, stage: Stage) -> None:
        self.client = caching.CacheClient(stage, self.world.names("app")[0])
        stage.scratch.mkdir(parents=True, exist_ok=True)
        self.daemons: dict[str, Daemon] = {}
        nodes = dict(zip(STORES, self.world.names("cache"), strict=True))
        self._edge(stage, nodes.pop("files"))
        for store, node in nodes.items():
            ssd = ("--ssd", str(stage.scratch / f"{store}.ext"), "--ssd-size", f"{self.ssd_bytes() // 2**20}MiB")
            ram_bytes = self.ram if store == "ram" else self.ram_beside
            self.daemons[store] = caching.memcached(stage, node, "--store", store, "--memory", f"{ram_bytes}B",
                                                    *(() if store == "ram" else ssd))  # fmt: skip
            self.client.ask("open", store, nodes=caching.node_list(stage, [node]),
                            settings=caching.settings(local_zone=caching.zone_of(node), longest_s=86_400))  # fmt: skip
            self._fill(store)

    def _edge(self, stage: Stage, node: str) -> None:
        """It fetches what it is to have from an origin beside the source of truth's place."""
        origin = self.world.names("truth")[0]
        stage.origin(origin)
        self.daemons["files"] = stage.edge(node, origin, "--memory", f"{self.ram_beside}B", capacity=f"{self.ssd_bytes()}B",
                                           engine="longhaul")  # fmt: skip
        self.client.ask("edge", "files", url=f"http://{stage.lab.address(node)}:80", bytes=self.size)
        self._fill("files")

    def _fill(self, store: str) -> None:
        """Store all objects; where there is an SSD, again what was lost on the way to it, until no hundredth is missing."""
        for _ in range(1 if store == "ram" else FILLS):
            found = self.client.ask("fill", store, key="object", count=self.objects, bytes=self.size, rate=FILL_RATE,
                                    within_s=300)  # fmt: skip
            if found["missing"] < 0.01 * self.objects:
                return
            time.sleep(FILE_S)

    def prepare(self, stage: Stage, arm: Arm, trial: int) -> None:
        """As many reads as are then measured: the cache holds what the exponent makes popular."""
        self._read(arm, 2 * trial)

    def measure(self, stage: Stage, arm: Arm, trial: int) -> Row:
        before = self.client.ask("stats", arm["store"])["stats"]
        done = self._read(arm, 2 * trial + 1)
        after = self.client.ask("stats", arm["store"])["stats"]
        if arm["store"] == "files":
            items, used = after["edge_objects"], after["edge_used_bytes"]
        else:
            items = after["evcache_items"]
            used = after["evcache_ram_bytes"] if arm["store"] == "ram" else after.get("evcache_ssd_bytes", 0.0)
        ssd_reads = after.get("evcache_ssd_reads", 0.0) - before.get("evcache_ssd_reads", 0.0)
        objects = items * (self.ram if arm["store"] == "ram" else self.ssd_bytes()) / used if used else None
        return {"ok": True, "hit_fraction": done["hits"] / (done["hits"] + done["misses"]), "median_ms": done["median_ms"],
                "p99_ms": done["p99_ms"], "resident_bytes": self.daemons[arm["store"]].resident_bytes(),
                "ssd_read_fraction": None if arm["store"] == "files" else ssd_reads / max(1, done["hits"]),
                "cents_per_million": objects and self.price() / objects * 1e6}  # fmt: skip

    def _read(self, arm: Arm, seed: int) -> dict[str, Any]:
        return self.client.ask("popular", arm["store"], requests=self.requests, objects=self.objects, zipf=float(arm["zipf"]),
                               bytes=self.size, seed=seed, within_s=300)  # fmt: skip

    def claims(self) -> list[dict[str, Any]]:
        """RAM alone as an LRU of its room would; the others hold everything; a hit takes the turns of all readers."""
        room = int(self.ram / (self.size + ITEM_BYTES))
        found = []
        for arm in self.arms():
            exponent = float(arm["zipf"])
            predicted = hit_ratio(zipf(self.objects, exponent), room) if arm["store"] == "ram" else 1.0
            low, high = (predicted - 0.03, predicted + 0.03) if arm["store"] == "ram" else (0.95, 1.0)
            what = f"{arm['store']}, Zipf {exponent:g}"
            found.append({"name": f"hits, {what}", "metric": "hit_fraction", "statistic": "median", "where": arm,
                          "predicted": round(predicted, 4), "low": round(low, 4), "high": round(min(1.0, high), 4),
                          "basis": "Che's approximation of LRU" if arm["store"] == "ram" else "all objects fit",
                          "tolerance": "memcached keeps segments of an LRU, and pages for each size"})  # fmt: skip
            found.append({"name": f"time of a hit, {what}", "metric": "median_ms", "statistic": "median", "where": arm,
                          "low": 0.0, "high": READERS * SERVED_MS[arm["store"] == "files"],
                          "basis": f"{READERS} readers at once, each behind all others at one processor"})  # fmt: skip
        return found

    def answer(self) -> dict[str, Any]:
        exponent = self.arms()[0]["zipf"]
        values = {f"{name}_{store.replace('-', '_')}": {"metric": metric, "where": {"store": store, "zipf": exponent}}
                  for store in STORES for name, metric in (("hits", "hit_fraction"), ("time", "median_ms"))}  # fmt: skip
        return {"template": f"For Zipf {exponent} a read finds its object in {{hits_ram}} of cases in RAM alone "
                            "({time_ram}), in {hits_ram_over_ssd} with RAM over SSD ({time_ram_over_ssd}) and in {hits_ssd} "
                            "with values on SSD ({time_ssd}) and in {hits_files} with a file for each ({time_files}), at the "
                            "same price.", "values": values}  # fmt: skip

    def figures(self) -> list[dict[str, Any]]:
        return [{"kind": "ecdf", "metric": "median_ms", "by": "store", "panels": "zipf", "title": "Median time of a hit"}]
