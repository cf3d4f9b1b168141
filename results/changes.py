"""What was changed of the links during trials, from `links.json`, checked and given types. It judges no moment.

A state is kept in the words of its run: `delay 20ms rate 10mbit queue 64000B loss 1% up`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from results.links import WAYS, Asked, LinksError, number

_CLAUSE = re.compile(r"rate unlimited|trace \S+|[a-z][a-z-]*(?: (?:\d\S*|uniform|normal|pareto))*")


@dataclass(frozen=True)
class Change:
    """One change of one direction (`a_to_b` or `b_to_a`), in ms since the trial's schedules began. `planned_ms` is when its
    schedule wanted it, None where the experiment asked for it; `words` are the whole state afterwards."""

    trial: str
    link: str
    way: str
    done_ms: float
    planned_ms: float | None
    words: str


def parse(raw: object) -> list[Change]:
    """Changes from the content of the file; none where it has none. Raises LinksError."""
    rows = raw.get("changes") if isinstance(raw, dict) else None
    if not isinstance(rows or [], list) or not all(isinstance(row, dict) for row in rows or []):
        raise LinksError("links.json: changes is not a list of objects")
    found = []
    for index, row in enumerate(rows or []):
        at = f"links.json: change {index}"
        done_ms = number(row, "done_ms", at)
        if done_ms is None or not row.get("link"):
            raise LinksError(f"{at} lacks {'link' if done_ms is not None else 'done_ms'}")
        trial, link, planned_ms = str(row.get("trial", "")), str(row["link"]), number(row, "planned_ms", at)
        found += [Change(trial, link, way, done_ms, planned_ms, str(row[way])) for way in WAYS if row.get(way)]
    return found


def unchecked(raw: object) -> dict[str, int]:
    """Why handshakes of trials were not held against their path -> of how many. Raises LinksError."""
    found = (raw.get("handshakes_unchecked") if isinstance(raw, dict) else None) or {}
    if not isinstance(found, dict):
        raise LinksError("links.json: handshakes_unchecked is not an object")
    return {str(why): int(number(found, why, "links.json: handshakes_unchecked") or 0) for why in found}


def clauses(words: str) -> list[str]:
    """`delay 20ms rate 10mbit` as `delay 20ms` and `rate 10mbit`."""
    return _CLAUSE.findall(words)


def specified(asked: Asked) -> str:
    """The words of a direction as it was specified."""
    found = [f"delay {asked.delay_ms:.9g}ms"]
    found.append(f"trace {asked.trace[0]}" if asked.trace else _rate(asked.rate_bps))
    room, unit = (asked.queue_packets or 0, "packets") if asked.queue_bytes is None else (asked.queue_bytes, "B")
    found.append(f"queue {room:.0f}{unit}")
    found += [f"codel {asked.codel}"] if asked.codel else []
    return " ".join([*found, *(f"{word} {text}" for word, text in asked.effects.items()), "up" if asked.up else "down"])


def differs(words: str, before: str) -> str:
    """What of a state was not so in the one before it: `rate 10mbit, down`; what is gone reads `no loss`."""
    old, new = clauses(before), clauses(words)
    names: Mapping[str, str] = {clause.partition(" ")[0]: clause for clause in new}
    gone = [name for name in (clause.partition(" ")[0] for clause in old) if name not in names and name not in ("up", "down")]
    return ", ".join([*(clause for clause in new if clause not in old), *(f"no {name}" for name in gone)])


def _rate(rate_bps: float | None) -> str:
    if rate_bps is None:
        return "rate unlimited"
    size, unit = next((size, unit) for size, unit in ((10**9, "gbit"), (10**6, "mbit"), (10**3, "kbit"), (1, "bit"))
                      if rate_bps % size == 0 or size == 1)  # fmt: skip
    return f"rate {rate_bps / size:.0f}{unit}"
