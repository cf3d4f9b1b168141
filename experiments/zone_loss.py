"""What does it cost when a zone's cache dies, hangs, cannot be reached or is far away, and is all right again afterwards?"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

from experiments.harness import caching
from experiments.harness.cache_phases import phase, slices, unsealed
from experiments.harness.experiment import Arm, Row
from experiments.harness.stage import Stage, StageError
from nodes.evcache.settings import Settings
from results.history import check, parse
from results.models.lru import zipf
from topologies.emulator import setting

SETTINGS = caching.settings(longest_s=600, write_s=1.0, read_s=0.05)
WITHIN_S = 60.0
LOOK_S = 0.05
SETTLE_S = 1.0
"""How soon after a change of the zones reads count as being of the time after it."""
PHASES = ("before", "out", "after")
ZIPF = 0.9
MORE_MS = 5.0
"""What the disk of the source of truth and a busy machine may add to the median of a write, or take from it."""
OTHERWISE_TRUTH = 0.02
"""The part of the reads that may ask the source of truth without a fault: a copy is sealed some ms after it was stored, and the
machine adds to that."""


class ZoneLoss(caching.CacheExperiment):
    """Applications in three zones read and write under a steady load. The cache of the first zone is killed, paused or cut off
    for a while, or the link between the zone and all others is slow. A killed cache is started again, empty: it is written and
    not read while it is filled from another zone, and then serves. What a paused one or one that was cut off has missed is
    repaired. Every call is recorded, and the history checked as `longhaul check-history` does; at the end each zone's copies
    are held against the source of truth."""

    minutes = 4.0
    repetitions = setting.count("3", "measured trials of each arm", 1, 10_000)
    most_repetitions = setting.count("6", "measured trials of an arm at most, where some do not count", 0, 10_000)
    warmup = setting.count("0", "trials of each arm before the measured ones, left out of the answer", 0, 100)
    idle_paths = False
    bears_ms = 50.0
    before = setting.duration("4s", "how long all zones work")
    out = setting.duration("5s", "how long the zone is away")
    after = setting.duration("6s", "how long the load goes on afterwards")
    slow = setting.duration("40ms", "delay of each direction of the zone's link while that is slow")
    rate = setting.count("150", "calls a second in each zone", 1, 10_000)
    writes = setting.percentage("10%", "the part of the calls that writes")
    keys = setting.count("500", "keys, which are all in all zones at first", 1, 100_000)
    size = setting.size("1KiB", "size of the values")
    columns: ClassVar = {
        **{f"hits_{phase}_fraction": f"part of the reads in the lost zone that a zone answered, {phase}" for phase in PHASES},
        **{f"local_{phase}_fraction": f"part of the reads in the lost zone it answered itself, {phase}" for phase in PHASES},
        **{f"p99_{phase}_ms": f"99th percentile of the time of a read in the lost zone, {phase}" for phase in PHASES},
        **{f"put_{phase}_ms": f"median time of a write in the lost zone, {phase}" for phase in PHASES},
        **{f"others_put_{phase}_ms": f"median time of a write in the other zones, {phase}" for phase in PHASES},
        "put_more_ms": "median time of a write in the lost zone while it is out, less that before",
        "others_put_more_ms": "the same in the other zones",
        **{f"truth_{phase}_fraction": f"part of the reads in all zones that the source of truth answered, {phase}"
           for phase in PHASES},
        "whole_ms": "time from the end of the fault until the zone is whole: filled where it was empty, and repaired",
        "failed_calls": "calls that failed, in all zones",
        "violations": "what the check of the history found",
        "stale_copies": "copies in any zone, at the end, that are older than the row at the source of truth",
    }  # fmt: skip

    def question(self) -> str:
        return ("What does it cost when a zone's cache dies, hangs or cannot be reached, or when the way to the zone is long, "
                "and is all right again afterwards?")  # fmt: skip

    def arms(self) -> list[Arm]:
        return [{"fault": fault} for fault in ("killed", "paused", "cut off", "slowed")]

    def start(self, stage: Stage) -> None:
        self.caches = self.world.names("cache")
        for node in self.caches:
            caching.memcached(stage, node)
        self.truth = caching.truth(stage, self.world.names("truth")[0])
        self.clients = [caching.CacheClient(stage, app) for app in self.world.names("app")]
        for client in self.clients:
            settings = {**SETTINGS, "local_zone": caching.zone_of(client.node)}
            client.ask("open", nodes=caching.node_list(stage, self.caches), truth=self.truth, settings=settings)
        for node in self.caches:  # one zone alone, for the look at the end
            self.clients[0].ask("open", node, nodes=caching.node_list(stage, [node]),
                                settings=caching.settings(local_zone=caching.zone_of(node)))  # fmt: skip

    def prepare(self, stage: Stage, arm: Arm, trial: int) -> None:
        """All keys are in all zones."""
        done = self.clients[0].ask("put", key=f"trial-{trial}", count=self.keys, value="first", bytes=self.size, policy="all",
                                   within_s=WITHIN_S)  # fmt: skip
        self.first = [{"op": "put", "key": call["key"], "value": "first", "version": call["version"], "begin_s": 0, "end_s": 0,
                       "ok": True} for call in done["calls"]]  # fmt: skip

    def measure(self, stage: Stage, arm: Arm, trial: int) -> Row:
        zone, histories = caching.zone_of(self.caches[0]), []
        total_s, told, began_s = (self.before + self.out + self.after) / 1e3, [], time.monotonic()
        for number, client in enumerate(self.clients):
            histories.append(stage.logs / f"history.{client.node}.{trial}.jsonl")
            told.append(client.tell("load", seconds=total_s, rate=self.rate, keys=self.keys, writes=self.writes,
                                    zipf=ZIPF, bytes=self.size, seed=10 * trial + number, prefix=f"trial-{trial}-",
                                    history=str(histories[-1])))  # fmt: skip
        time.sleep(self.before / 1e3)
        faults, node = stage.faults, self.caches[0]
        self.stage = stage
        acts: dict[str, tuple[Callable[[], int], Callable[[], int]]] = {
            "killed": (partial(faults.kill, node), partial(self._refill, node)),
            "paused": (partial(faults.pause, node), partial(faults.resume, node)),
            "cut off": (partial(faults.cut, node), partial(faults.heal, node)),
            "slowed": (partial(faults.slow, zone, f"delay {self.slow:g}ms"), partial(faults.restore, zone)),
        }
        begin, end = acts[arm["fault"]]
        lost_s = begin() / 1e9
        time.sleep(self.out / 1e3)
        back_s = end() / 1e9
        while any(client.ask("repairs")["waiting"] for client in self.clients) and time.monotonic() < began_s + total_s:
            time.sleep(LOOK_S)
        whole_s = time.monotonic()
        results = [client.result(number, total_s + WITHIN_S) for client, number in zip(self.clients, told, strict=True)]
        problem = next((one["error"] for one in results if not one["ok"]), "")
        if problem or whole_s > began_s + total_s - 2 * SETTLE_S:
            return {"ok": False, "error": problem or "the zone was not whole before the load was over; let `after` be longer"}
        calls = [{"node": client.node, **call} for client, one in zip(self.clients, results, strict=True)
                 for call in one["calls"]]  # fmt: skip
        spans = {"before": (began_s, lost_s), "out": (lost_s, back_s), "after": (whole_s + SETTLE_S, began_s + total_s)}
        stage.keep("calls", [{**call, "at_s": round(call["at_s"] - lost_s, 4)} for call in calls])
        stage.keep("slices", slices(calls, lost_s, self.clients[0].node, zone))
        row: Row = {"ok": True, "whole_ms": (whole_s - back_s) * 1e3, "failed_calls": sum(not call["ok"] for call in calls),
                    "stale_copies": self._stale(stage, trial)}  # fmt: skip
        for name, (begin_s, end_s) in spans.items():
            row |= phase(name, [call for call in calls if begin_s <= call["at_s"] < end_s], self.clients[0].node, zone)
        for who in ("put", "others_put"):
            before_ms, out_ms = row[f"{who}_before_ms"], row[f"{who}_out_ms"]
            row[f"{who}_more_ms"] = None if before_ms is None or out_ms is None else out_ms - before_ms
        row["violations"] = self._violations(stage, trial, histories, zone, lost_s if arm["fault"] == "killed" else None)
        return row

    def _refill(self, node: str) -> int:
        """Start the killed cache again and fill it; gives when it was started (CLOCK_MONOTONIC, ns)."""
        zone = caching.zone_of(node)
        for client in self.clients:
            client.ask("write-only", zones=[zone])
        back_ns = self.stage.faults.restart(node)
        warmed = self.clients[0].ask("warm", zone=zone, within_s=WITHIN_S)
        if warmed["state"] != "done":
            raise StageError(f"could not fill {zone}: {warmed['cause']}")
        for client in self.clients:
            client.ask("write-only", zones=[])
        return back_ns

    def _stale(self, stage: Stage, trial: int) -> int:
        """Copies of each zone alone that are older than their rows."""
        rows, found = self._rows(stage, trial), 0
        for node in self.caches:
            done = self.clients[0].ask("get", node, key=f"trial-{trial}", count=self.keys, within_s=WITHIN_S)
            found += sum(0 < call["version"] < rows[call["key"]]["version"] for call in done["calls"])
        return found

    def _rows(self, stage: Stage, trial: int) -> dict[str, Any]:
        keys, rows = [f"trial-{trial}-{number}" for number in range(self.keys)], dict[str, Any]()
        for at in range(0, len(keys), 500):
            rows |= stage.control(self.world.names("truth")[0], "POST", f"{self.truth}/rows", data=keys[at : at + 500]).json()
        return rows

    def _violations(self, stage: Stage, trial: int, histories: list[Path], zone: str, lost_s: float | None) -> int:
        """Of the whole history, which is kept beside the logs."""
        lines: list[dict[str, Any]] = [{"bound_s": Settings(**SETTINGS).bound_s}, *self.first]
        if lost_s is not None:
            lines.append({"op": "lost", "source": zone, "begin_s": lost_s})
        lines += [json.loads(line) for history in histories for line in history.read_text().splitlines()]
        for key, row in self._rows(stage, trial).items():
            lines.append({"op": "truth", "key": key, "version": row["version"], "value": caching.text_of(row["value"])})
        text = [json.dumps(line) for line in lines]
        (stage.logs / f"history.{trial}.jsonl").write_text("\n".join(text))
        return len(check(parse(text)))

    def claims(self) -> list[dict[str, Any]]:
        """Other zones answer while one is away; nothing fails, is lost or stale; afterwards the zone serves as before. While
        the zone's link is slow its own cache answers, but for what was just written: what is written there waits for the
        source of truth's answer, and what others write there for its seal, so both are sealed one round trip later. Its
        writes need a copy in another zone, which takes a second round trip where this client does not know what it replaces."""
        return [{"name": f"{arm['fault']}: {self.columns[name]}", "metric": name, "where": arm, "low": low, "high": high,
                 "statistic": "max" if low == high else "median", "basis": basis}
                for arm in self.arms() for name, low, high, basis in self._bounds(arm)]  # fmt: skip

    def _bounds(self, arm: Arm) -> list[tuple[str, float, float, str]]:
        popularity, writes_per_s, slow_ms = zipf(self.keys, ZIPF), self.rate * self.writes, 2 * self.slow
        zones = len(self.world.names("app"))
        here = unsealed(popularity, zones * writes_per_s, slow_ms / 1e3)
        others = unsealed(popularity, writes_per_s, slow_ms / 1e3)
        copies, seals = "two other zones have a whole copy", "copies of the last round trip are not sealed yet"
        slowed = arm["fault"] == "slowed"
        found: list[tuple[str, float, float, str]] = [
            ("hits_before_fraction", 0.95, 1, copies), ("hits_after_fraction", 0.95, 1, copies),
            ("local_before_fraction", 0.95, 1, copies), ("local_after_fraction", 0.95, 1, copies),
            ("failed_calls", 0, 0, copies), ("violations", 0, 0, copies), ("stale_copies", 0, 0, copies),
            ("others_put_more_ms", -MORE_MS, MORE_MS, "two of three copies are enough"),
        ]  # fmt: skip
        if not slowed:
            found += [("hits_out_fraction", 0.95, 1, copies), ("local_out_fraction", 0, 0.02, copies),
                      ("truth_out_fraction", 0, 0.05, copies), ("put_more_ms", -MORE_MS, MORE_MS, copies)]  # fmt: skip
        else:
            whole = (here + (zones - 1) * others) / zones
            found += [("local_out_fraction", 1 - 2 * here - OTHERWISE_TRUTH, 1 - here / 2, seals),
                      ("truth_out_fraction", whole / 2, 2 * whole + OTHERWISE_TRUTH, seals),
                      ("put_more_ms", slow_ms - MORE_MS, 2.1 * slow_ms + MORE_MS,
                       "one round trip more, and another one where another client wrote the key last")]  # fmt: skip
        return found

    def answer(self) -> dict[str, Any]:
        values = {f"{metric}_{arm['fault'][:3]}": {"metric": f"{metric}_ms", "where": arm}
                  for arm in self.arms() for metric in ("p99_before", "p99_out", "whole", "put_before", "put_out")}  # fmt: skip
        return {"template": "Reads in the zone have a p99 of {p99_before_kil}, and of {p99_out_kil} while its cache is dead, "
                            "{p99_out_pau} while it hangs, {p99_out_cut} while it cannot be reached and {p99_out_slo} while "
                            "its link is slow. It is whole again after {whole_kil}, {whole_pau}, {whole_cut} and {whole_slo}. "
                            "Over the slow link a write takes {put_out_slo} instead of {put_before_slo}.",
                "values": values}  # fmt: skip

    def figures(self) -> list[dict[str, Any]]:
        common = {"kind": "series", "name": "slices", "x": "at_s", "by": "fault"}
        return [{**common, "y": "local_fraction", "title": "Reads in the zone that its own cache answers"},
                {**common, "y": "p99_ms", "title": "99th percentile of the reads in the zone, by half seconds"},
                {**common, "y": "truth_per_s", "title": "Reads a second that the source of truth answers, all zones"},
                {"kind": "ecdf", "metric": "whole_ms", "by": "fault", "title": "Time until the zone is whole again"}]
