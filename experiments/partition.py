"""What does each of two regions read while they are apart and both write, and how soon do they agree again?"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from typing import Any, ClassVar, NamedTuple

from experiments.harness import caching
from experiments.harness.experiment import Arm, Row
from experiments.harness.stage import Stage
from results.history import Operation, parse
from results.staleness import stale_s
from topologies.emulator import setting

LOOK_S = 0.1
SLICE_S = 0.5
WITHIN_S = 30.0


class Look(NamedTuple):
    """When both sources of truth were looked at, and the versions of each one's rows."""

    at_s: float
    versions: list[dict[str, int]]


class Partition(caching.CacheExperiment):
    """Two regions, each with a source of truth and a cache of its own, tell each other of every write. Applications on both
    sides read and write the same keys. For a while nothing passes between the regions; both go on. The consistency that this
    gives: each region is always there for its own clients; of two writes of one key the one with the newer version (a hybrid
    logical clock, so usually the later) wins everywhere, and the other one is lost, though it was acknowledged."""

    topology_settings: ClassVar = {"regions": "Virginia,Mumbai", "zones": "1", "truths": "every"}
    minutes = 2.5
    idle_paths = False
    bears_ms = 100.0
    repetitions = setting.count("3", "measured trials of each arm", 1, 10_000)
    most_repetitions = setting.count("6", "measured trials of an arm at most, where some do not count", 0, 10_000)
    warmup = setting.count("0", "trials of each arm before the measured ones, left out of the answer", 0, 100)
    before = setting.duration("3s", "how long both write before they are parted")
    apart = setting.duration("30s", "how long nothing passes between them")
    after = setting.duration("8s", "how long both go on afterwards")
    rate = setting.count("100", "calls a second on each side", 1, 10_000)
    writes = setting.percentage("20%", "the part of the calls that writes")
    keys = setting.count("50", "keys", 1, 10_000)
    columns: ClassVar = {
        "before_ms": "99th percentile of how stale reads were before the parting, both sides",
        "apart_ms": "how stale the stalest read was while they were apart",
        "converged_ms": "time from the healing until both sources of truth had the same rows",
        "lost_writes": "keys that both sides wrote while apart: of each, one side's last acknowledged write is lost",
        "refused": "calls that failed",
        "wrong_rows": "keys whose row, when all was over, is not the newest acknowledged write's",
    }  # fmt: skip

    def question(self) -> str:
        return f"What do two regions read that both write while they are apart for {self.apart / 1e3:g} s, and what afterwards?"

    def arms(self) -> list[Arm]:
        return [{"regions": "apart"}]

    def start(self, stage: Stage) -> None:
        caches, truths, apps = (self.world.names(role) for role in ("cache", "truth", "app"))
        self.clients, self.truths = [], [caching.truth(stage, truth) for truth in truths]
        for cache in caches:
            caching.memcached(stage, cache)
        for app, cache, truth in zip(apps, caches, truths, strict=True):
            caching.face(stage, app, [cache], truth)
        for number, (app, cache) in enumerate(zip(apps, caches, strict=True)):
            client = caching.CacheClient(stage, app)
            client.ask("open", nodes=caching.node_list(stage, [cache]), truth=self.truths[number],
                       regions={"other": f"http://{stage.lab.address(apps[1 - number])}:{caching.FACE_PORT}"},
                       settings=caching.settings(local_zone=caching.zone_of(cache)))  # fmt: skip
            self.clients.append(client)

    def measure(self, stage: Stage, arm: Arm, trial: int) -> Row:
        link = self.world.links_info[-1].name
        histories = [stage.logs / f"history.{client.node}.{trial}.jsonl" for client in self.clients]
        total_s = (self.before + self.apart + self.after) / 1e3
        began_s = time.monotonic()
        told = [client.tell("load", seconds=total_s, rate=self.rate, keys=self.keys, writes=self.writes, bytes=256,
                            seed=2 * trial + number, prefix=f"trial-{trial}-", history=str(history))
                for number, (client, history) in enumerate(zip(self.clients, histories, strict=True))]  # fmt: skip
        time.sleep(self.before / 1e3)
        cut_s = stage.faults.cut(link) / 1e9
        time.sleep(self.apart / 1e3)
        healed_s = stage.faults.heal(link) / 1e9
        looks = []
        while time.monotonic() < began_s + total_s:
            looks.append(self._look(stage, trial))
            time.sleep(LOOK_S)
        results = [client.result(number, WITHIN_S) for client, number in zip(self.clients, told, strict=True)]
        if failed := next((one["error"] for one in results if not one["ok"]), ""):
            return {"ok": False, "error": failed}
        sides = [parse(['{"bound_s": 0}', *history.read_text().splitlines()]).operations for history in histories]
        newest = _newest(one for side in sides for one in side)
        deadline_s = time.monotonic() + WITHIN_S
        while not _has(last := self._look(stage, trial), newest) and time.monotonic() < deadline_s:
            time.sleep(LOOK_S)
        parted = [[one for one in side if cut_s <= one.begin_s and one.end_s <= healed_s] for side in sides]
        target = _newest(one for side in parted for one in side)
        agreed_s = next((look.at_s for look in (*looks, last) if _has(look, target)), None)
        reads = [(client.node, one.begin_s - cut_s, late_s) for client, side in zip(self.clients, sides, strict=True)
                 for one, late_s in stale_s([*(x for other in sides for x in other if x.op != "get"),
                                             *(x for x in side if x.op == "get")])]  # fmt: skip
        stage.keep("staleness", _curve(reads))
        before = sorted(late_s for _, at_s, late_s in reads if at_s < 0)
        wrong = sum(any(rows.get(key, 0) != version for rows in last.versions) for key, version in newest.items())
        return {"ok": agreed_s is not None, "error": f"the sources of truth did not agree within {WITHIN_S:g} s",
                "before_ms": before[len(before) * 99 // 100] * 1e3 if before else 0.0,
                "apart_ms": max(late_s for _, _, late_s in reads) * 1e3,
                "converged_ms": None if agreed_s is None else (agreed_s - healed_s) * 1e3,
                "lost_writes": len(set(_newest(parted[0])) & set(_newest(parted[1]))),
                "refused": sum(not call["ok"] for one in results for call in one["calls"]),
                "wrong_rows": wrong}  # fmt: skip

    def _look(self, stage: Stage, trial: int) -> Look:
        """What both sources of truth have now."""
        keys, found = [f"trial-{trial}-{number}" for number in range(self.keys)], []
        for node, url in zip(self.world.names("truth"), self.truths, strict=True):
            rows = stage.control(node, "POST", f"{url}/rows", data=keys).json()
            found.append({key: int(row["version"]) for key, row in rows.items()})
        return Look(time.monotonic(), found)

    def claims(self) -> list[dict[str, Any]]:
        """Fresh within the way between them; apart no staler than that lasts; one again soon after; the newest write stands."""
        way_ms = self.world.path(*self.world.names("app")[:2])[0]
        where = self.arms()[0]
        return [
            {"name": "time until they agree", "metric": "converged_ms", "statistic": "max", "where": where, "low": 0.0,
             "high": 5000 + 10 * way_ms, "basis": "a new connection, and batches of what waits"},
            {"name": "staleness before", "metric": "before_ms", "statistic": "median", "where": where, "low": 0.0,
             "high": 2 * way_ms + 50, "basis": "half a round trip, and the batches before it"},
            {"name": "staleness apart", "metric": "apart_ms", "statistic": "max", "where": where, "low": 0.5 * self.apart,
             "high": self.apart + 5000 + 4 * way_ms, "basis": "nothing passes while they are apart"},
            {"name": "refused calls", "metric": "refused", "statistic": "max", "where": where, "low": 0, "high": 0,
             "basis": "each side has a source of truth of its own"},
            {"name": "rows that are not the newest write's", "metric": "wrong_rows", "statistic": "max", "where": where,
             "low": 0, "high": 0, "basis": "the last version wins, key by key"},
        ]  # fmt: skip

    def answer(self) -> dict[str, Any]:
        names = ("before_ms", "apart_ms", "converged_ms", "lost_writes")
        return {"template": "Reads are up to {before_ms} stale before and up to {apart_ms} while the regions are apart; they "
                            "agree again {converged_ms} after the healing, when the last version of each key stands in both: "
                            "of {lost_writes} keys that both had written, one side's last write is gone.",
                "values": {name: {"metric": name, "where": self.arms()[0]} for name in names}}  # fmt: skip

    def figures(self) -> list[dict[str, Any]]:
        return [{"kind": "series", "name": "staleness", "x": "at_s", "y": "stalest_ms", "by": "regions", "lines": "node",
                 "title": "The stalest read of each half second, from the parting on"},
                {"kind": "ecdf", "metric": "converged_ms", "by": "regions", "title": "Time until both regions agree again"}]


def _newest(operations: Iterable[Operation]) -> dict[str, int]:
    """The newest version of each key that was acknowledged."""
    found: dict[str, int] = {}
    for one in operations:
        if one.op == "put" and one.ok:
            found[one.key] = max(found.get(one.key, 0), one.version or 0)
    return found


def _has(look: Look, wanted: dict[str, int]) -> bool:
    return all(rows.get(key, 0) >= version for rows in look.versions for key, version in wanted.items())


def _curve(reads: Sequence[tuple[str, float, float]]) -> list[dict[str, Any]]:
    """The stalest read of each side in each half second, from the moment of the parting."""
    slices: dict[tuple[str, int], list[float]] = {}
    for node, at_s, late_s in reads:
        slices.setdefault((node, int(at_s // SLICE_S)), []).append(late_s)
    return [{"node": node, "at_s": number * SLICE_S, "reads": len(some), "stale_reads": sum(late_s > 0 for late_s in some),
             "stalest_ms": round(max(some) * 1e3, 3)} for (node, number), some in sorted(slices.items())]  # fmt: skip
