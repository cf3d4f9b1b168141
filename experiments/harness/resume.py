"""An interrupted run that goes on: whether it may, and what of it is left to do. It reads no file and measures nothing."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from experiments.harness.order import Slot

SAME = ("settings", "topology", "seed", "repetitions", "warmup", "factors", "levels", "claims", "experiment")
"""Entries of the manifest that a run and what goes on with it share."""

GATHERED = ("changes", "handshakes_unchecked")
"""Entries of links.json that gather from trial to trial."""

SAME_MACHINE = ("kernel", "cpus", "model", "root")


@dataclass(frozen=True)
class Earlier:
    """What there is of the run: its manifest and links.json, and the rows of each finished trial by its number."""

    document: Mapping[str, Any]
    links: Mapping[str, Any]
    rows: Mapping[int, list[dict[str, Any]]]

    def carried(self) -> dict[str, Any]:
        """The entries of its links.json that what follows adds to."""
        found: dict[str, Any] = json.loads(json.dumps({key: self.links[key] for key in GATHERED if key in self.links}))
        return found

    def parts(self) -> list[dict[str, Any]]:
        """`parts` of the manifest: each stretch of the run so far, this one last. `links_after` says whether its links were
        measured again at its end: one that was cut off could not."""
        before = [dict(one) for one in self.document.get("parts", ())]
        part = {"began": self.document.get("resumed") or self.document.get("started"), "ended": self.document.get("ended"),
                "trials": len(self.rows) - sum(one["trials"] for one in before),
                "duration_s": self.document.get("duration_s") and round(
                    self.document["duration_s"] - sum(one["duration_s"] or 0 for one in before), 3),
                "links_after": bool(self.document.get("ended")), "machine": self.document.get("machine")}  # fmt: skip
        return [*before, part]


def refusal(earlier: Earlier, now: Mapping[str, Any], slots: Sequence[Slot]) -> str:
    """Why the run may not go on as `now`, a manifest that is about to begin, has it; empty when it may."""
    before = earlier.document
    if before.get("ended") and not before.get("interrupted"):
        why = "; ".join([*before.get("unsupported", ()), *before.get("invalid", ())])
        return f"it ended by itself ({why}); run it again" if why else "it is finished; there is nothing left to do"
    now = json.loads(json.dumps(now))
    for key in SAME:
        if before.get(key) != now[key]:
            return f"{difference(key, before.get(key), now[key])}; go on as it began: {before.get('command')} --resume RUN"
    code, machine = before.get("code") or {}, before.get("machine") or {}
    if code.get("digest") != now["code"]["digest"]:
        return f"the code has changed since (revision {code.get('revision')} then, {now['code']['revision']} now); run it again"
    for key in SAME_MACHINE:
        if machine.get(key) != now["machine"][key]:
            return f"the machine is another: {difference(key, machine.get(key), now['machine'][key])}; run it again"
    arms = {slot.number: slot.arm for slot in slots}
    for number, rows in earlier.rows.items():
        if number in arms and any(row[factor] != level for row in rows for factor, level in arms[number].items()):
            return f"trial {number} in trials.csv is of another arm than the seed gives; run it again"
    return ""


def difference(key: str, before: Any, now: Any) -> str:
    """Two unequal entries of manifests in words, down to the first value that differs."""
    if isinstance(before, dict) and isinstance(now, dict):
        name = next(name for name in {**before, **now} if before.get(name) != now.get(name))
        return difference(f"{key} {name}", before.get(name), now.get(name))
    if isinstance(before, list) and isinstance(now, list) and len(before) == len(now):
        number = next(number for number, pair in enumerate(zip(before, now, strict=True), 1) if pair[0] != pair[1])
        return difference(f"{key} {number}", before[number - 1], now[number - 1])
    return f"{key} was {json.dumps(before)} and is {json.dumps(now)} now"


def finished(rows: Sequence[Mapping[str, str]], side_by_side: int) -> dict[int, list[dict[str, Any]]]:
    """Rows of trials.csv, as text, by the number of their trial; none of a trial that was cut off in the middle of its rows."""
    found: dict[int, list[dict[str, Any]]] = {}
    for row in rows:
        flags = {name: int(row[name]) for name in ("warmup", "valid")}
        found.setdefault(int(row["trial"]), []).append({**row, **flags})
    return {number: several for number, several in found.items() if len(several) == side_by_side}


def again(slots: Sequence[Slot], done: Collection[int], most: int) -> list[Slot]:
    """The warm-ups that were done, once more: the daemons and caches of what goes on are new. Their numbers begin after `most`,
    the highest that any other trial can have."""
    last = max(most, *done) if done else most
    return [replace(slot, number=last + count)
            for count, slot in enumerate((slot for slot in slots if slot.warmup and slot.number in done), 1)]  # fmt: skip
