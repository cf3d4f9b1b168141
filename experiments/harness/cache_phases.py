"""What a fault did to calls of a cache in zones: what each phase of a trial was like, and each half second. Pure.

Calls are rows of `nodes/evcache_client/load.py`, each with the `node` that made it; times in seconds of one clock.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from statistics import median
from typing import Any

from results.statistics import quantile

SLICE_S = 0.5
Calls = Sequence[dict[str, Any]]


def phase(name: str, calls: Calls, node: str, zone: str) -> dict[str, Any]:
    """Columns of a phase. Of the reads and writes that `node` made, in whose `zone` the fault is; and of all nodes' others."""
    here = [call for call in calls if call["node"] == node]
    reads, every = ([call for call in some if call["op"] == "get"] for some in (here, calls))
    return {f"hits_{name}_fraction": _part(call["source"].startswith("az") for call in reads),
            f"local_{name}_fraction": _part(call["source"] == zone for call in reads),
            f"p99_{name}_ms": quantile([call["ms"] for call in reads], 0.99) if reads else None,
            f"put_{name}_ms": _put_ms(here),
            f"others_put_{name}_ms": _put_ms(call for call in calls if call["node"] != node),
            f"truth_{name}_fraction": _part(call["source"] == "truth" for call in every)}  # fmt: skip


def slices(calls: Calls, from_s: float, node: str, zone: str) -> list[dict[str, Any]]:
    """The reads half second by half second, counted from the moment of the fault."""
    found: dict[int, list[dict[str, Any]]] = {}
    for call in calls:
        if call["op"] == "get":
            found.setdefault(int((call["at_s"] - from_s) // SLICE_S), []).append(call)
    rows = []
    for number, reads in sorted(found.items()):
        here = [call for call in reads if call["node"] == node]
        rows.append({"at_s": number * SLICE_S, "truth_per_s": sum(call["source"] == "truth" for call in reads) / SLICE_S,
                     "local_fraction": _part(call["source"] == zone for call in here),
                     "p99_ms": quantile([call["ms"] for call in here], 0.99) if here else None})  # fmt: skip
    return rows


def unsealed(popularity: Iterable[float], writes_per_s: float, sealed_s: float) -> float:
    """The part of the reads of a zone that meet a copy which is not durable yet, when keys are written at random and a copy is
    sealed so long after it was stored; who meets one gets the row from the source of truth, and with it seals the copy."""
    return sum(part * (rate := writes_per_s * part * sealed_s) / (1 + rate) for part in popularity)


def _part(these: Iterable[bool]) -> float:
    known = list(these)
    return sum(known) / max(1, len(known))


def _put_ms(calls: Iterable[dict[str, Any]]) -> float | None:
    took = [call["ms"] for call in calls if call["op"] == "put" and call["ok"]]
    return median(took) if took else None
