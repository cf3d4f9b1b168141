"""A history of operations on a cache, checked in the style of Jepsen: what must never have happened.

It runs nothing and knows no cache: clients recorded each operation with its begin and end. Sources: of the method,
Kingsbury, Jepsen (jepsen.io); of the ordering, Herlihy and Wing, "Linearizability" (1990): what overlaps has no order.

One JSON object a line. The first has `bound_s`: how long a stale value may be served. The others have `op` and:

    put, delete   key, value (null for delete), version (null when it was not told), begin_s, end_s, ok (acknowledged)
    get           key, value (null: absent), version, source (a replica's name, or `truth`, `near`), begin_s, end_s
    truth         key, value, version: the row at the source of truth when all was over
    lost          source, begin_s: a replica lost everything it held
"""

from __future__ import annotations

import json
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from math import inf, isfinite
from typing import Any


class HistoryError(ValueError):
    """A line that is no operation; the message says which and why."""


@dataclass(frozen=True)
class Operation:
    """One line. Times in seconds of one clock for all clients."""

    op: str
    key: str = ""
    value: str | None = None
    version: int | None = None
    begin_s: float = 0.0
    end_s: float = 0.0
    ok: bool = True
    source: str = ""


@dataclass(frozen=True)
class History:
    """All operations, in any order."""

    bound_s: float
    operations: tuple[Operation, ...]


@dataclass(frozen=True)
class Violation:
    """What happened, and which invariant it broke."""

    invariant: str
    text: str


LOST, INVENTED, STALE, BACKWARDS = (
    "no acknowledged write is missing from the source of truth",
    "no read of a value that was never written",
    "no read older than the bound",
    "versions at one replica never go backwards",
)
INVARIANTS = (LOST, INVENTED, STALE, BACKWARDS)
ELSEWHERE = ("", "truth", "near", "nowhere")
"""Sources of reads that are no replica."""
_KINDS = ("put", "delete", "get", "truth", "lost")


def parse(lines: Iterable[str]) -> History:
    """Raises HistoryError."""
    bound_s: float | None = None
    operations = []
    for number, line in enumerate(lines, 1):
        try:
            said = json.loads(line)
            if bound_s is None:
                bound_s = _seconds(said, "bound_s")
                if bound_s < 0:
                    raise ValueError(f"a bound of {bound_s:g} s is below zero")
                continue
            operations.append(_operation(said))
        except (ValueError, KeyError, TypeError) as error:
            cause = f"it says no {error}" if isinstance(error, KeyError) else error
            raise HistoryError(f"line {number} is no operation: {cause}") from error
    if bound_s is None:
        raise HistoryError("it is empty; the first line says the bound")
    return History(bound_s, tuple(operations))


def check(history: History) -> list[Violation]:
    """Every violation that there is, by invariant."""
    writes, gets = defaultdict[str, list[Operation]](list), defaultdict[str, list[Operation]](list)
    truth: dict[str, Operation] = {}
    for one in history.operations:
        if one.op in ("put", "delete"):
            writes[one.key].append(one)
        elif one.op == "get":
            gets[one.key].append(one)
        elif one.op == "truth":
            truth[one.key] = one
    lost = defaultdict[str, list[float]](list)
    for one in history.operations:
        if one.op == "lost":
            lost[one.source].append(one.begin_s)
    found: list[Violation] = []
    for key, some in writes.items():
        found += _missing(key, some, truth.get(key))
    for key in gets.keys() | truth.keys():
        found += _invented([*gets[key], *filter(None, [truth.get(key)])], writes[key])
    for key, reads in gets.items():
        found += _stale(reads, writes[key], history.bound_s)
        found += _backwards(reads, lost)
    return sorted(found, key=lambda one: INVARIANTS.index(one.invariant))


def _missing(key: str, writes: list[Operation], row: Operation | None) -> list[Violation]:
    acknowledged = [one for one in writes if one.ok]
    if not acknowledged:
        return []
    newest = max(acknowledged, key=lambda one: one.version or 0)
    there = row.version or 0 if row is not None else 0
    if there < (newest.version or 0) or (row is not None and there == newest.version and row.value != newest.value):
        return [Violation(LOST, f"'{key}' was acknowledged as {_show(newest)}, and the source of truth has {_show(row)}")]
    return []


def _invented(reads: list[Operation], writes: list[Operation]) -> list[Violation]:
    """A value is known by itself. Its version is not asked for: a write may try several until one is the newest."""
    found, begun = [], dict[str | None, float]()
    for write in writes:
        begun[write.value] = min(write.begin_s, begun.get(write.value, write.begin_s))
    for read in reads:
        if read.value is None and not read.version:
            continue
        if begun.get(read.value, inf) > read.end_s or read.value not in begun:
            when = "when all was over" if read.op == "truth" else f"at {read.end_s:.3f} s"
            text = f"'{read.key}' was read as {_show(read)} {when}, which nobody wrote"
            found.append(Violation(INVENTED, text))
    return found


def _stale(reads: list[Operation], writes: list[Operation], bound_s: float) -> list[Violation]:
    """By the newest write that was acknowledged so long before the read began."""
    acknowledged = sorted((one for one in writes if one.ok), key=lambda one: one.end_s)
    ends, newest, high = [one.end_s for one in acknowledged], [], 0
    for one in acknowledged:
        high = max(high, one.version or 0)
        newest.append(high)
    found = []
    for read in reads:
        place = bisect_right(ends, read.begin_s - bound_s)
        if place and (read.version or 0) < newest[place - 1]:
            found.append(Violation(STALE, f"'{read.key}' was read as {_show(read)} from {read.source or '?'} at "
                                          f"{read.begin_s:.3f} s, more than {bound_s:g} s after version {newest[place - 1]} "
                                          "was acknowledged"))  # fmt: skip
    return found


def _backwards(reads: list[Operation], lost: dict[str, list[float]]) -> list[Violation]:
    """Of reads of one replica that do not overlap, whoever acknowledged what; a replica that lost everything begins anew.

    Elsewhere is no replica: a read that shared the load of an earlier one has what was there when that one began.
    """
    by_source = defaultdict[str, list[Operation]](list)
    for read in reads:
        if read.source not in ELSEWHERE:
            by_source[read.source].append(read)
    found = []
    for source, some in by_source.items():
        events = sorted([(one.end_s, 0, one) for one in some] + [(one.begin_s, 1, one) for one in some],
                        key=lambda event: event[:2])  # fmt: skip
        floor, since_s = 0, float("-inf")
        for at_s, begins, read in events:
            if any(since_s < when <= at_s for when in lost.get(source, ())):
                floor = 0
            since_s = at_s
            if begins and (read.version or 0) < floor and not any(at_s < when <= read.end_s for when in lost.get(source, ())):
                text = f"'{read.key}' was read from {source} as version {read.version} at {at_s:.3f} s, after version {floor}"
                found.append(Violation(BACKWARDS, text))
            elif not begins and not any(read.begin_s < when <= at_s for when in lost.get(source, ())):
                floor = max(floor, read.version or 0)
    return found


def _operation(said: dict[str, Any]) -> Operation:
    op = said["op"]
    if op not in _KINDS:
        raise ValueError(f"op '{op}' is none of {', '.join(_KINDS)}")
    if op == "lost":
        return Operation(op, source=str(said["source"]), begin_s=_seconds(said, "begin_s"))
    value, version = said["value"], said["version"]
    if value is not None and not isinstance(value, str):
        raise ValueError(f"value {value!r} is no text")
    if version is not None and (isinstance(version, bool) or not isinstance(version, int)):
        raise ValueError(f"version {version!r} is no whole number")
    if op == "truth":
        return Operation(op, str(said["key"]), value, version, end_s=inf)
    begin_s, end_s = _seconds(said, "begin_s"), _seconds(said, "end_s")
    if end_s < begin_s:
        raise ValueError("it ends before it begins")
    ok = said["ok"] if op != "get" else True
    if not isinstance(ok, bool):
        raise ValueError(f"ok {ok!r} is neither true nor false")
    if ok and version is None:
        raise ValueError("what was acknowledged has a version")
    return Operation(op, str(said["key"]), value, version, begin_s, end_s, ok, str(said.get("source", "")))


def _seconds(said: dict[str, Any], name: str) -> float:
    """JSON as Python reads it has NaN, with which nothing would ever be late."""
    found = float(said[name])
    if not isfinite(found):
        raise ValueError(f"{name} {found} is no number of seconds")
    return found


def _show(one: Operation | None) -> str:
    if one is None:
        return "nothing"
    return f"version {one.version}, " + ("absent" if one.value is None else f"'{one.value[:40]}'")
