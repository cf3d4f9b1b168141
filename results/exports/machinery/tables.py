"""A run as flat tables of typed cells: trials, links, claims, and the series it kept. It writes no file.

A table is a mapping of column to a list of values, all of one type (int, float, str) or None. Each begins with the run's id,
so that tables of several runs can be put together.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from results.judge import judge
from results.links import Seen, Way
from results.rundir import Run

Table = dict[str, list[Any]]


def tables(run: Run) -> dict[str, Table]:
    """Every table that has rows, by name. Raises RunError for cells that cannot be read."""
    found = {"trials": _typed([trial.values for trial in run.trials]), "links": _columns(_links(run)),
             "claims": _columns(_claims(run)), **_series(run)}  # fmt: skip
    return {name: {"run_id": [run.manifest.run_id] * len(next(iter(table.values()))), **table}
            for name, table in found.items() if table}  # fmt: skip


def _typed(rows: Sequence[Mapping[str, str]]) -> Table:
    """Columns of text as numbers where every cell is one; an empty cell is None."""
    return {name: _cells([row[name] for row in rows]) for name in (rows[0] if rows else ())}


def _cells(texts: Sequence[str]) -> list[Any]:
    for kind in (int, float):
        try:
            return [kind(text) if text else None for text in texts]
        except ValueError:
            continue
    return list(texts)


def _columns(rows: Iterable[Mapping[str, Any]]) -> Table:
    listed = list(rows)
    return {name: [row[name] for row in listed] for name in (listed[0] if listed else ())}


def _links(run: Run) -> Iterable[Mapping[str, Any]]:
    """One row for each direction of each link: as asked, as measured before and after, and what passed."""
    for link in run.links:
        for way in link.ways:
            counts = way.passed.counts if way.passed else {}
            late = way.passed.late_ms if way.passed else None
            yield {
                "link": link.name, "from": way.source, "to": way.target, "backend": link.backend, "ok": int(link.ok),
                "reasons": "; ".join(link.reasons), "rtt_ms": link.rtt_ms, "delay_ms": way.asked.delay_ms,
                "rate_bps": way.asked.rate_bps, "queue_bytes": way.asked.queue_bytes,
                "queue_packets": way.asked.queue_packets, "loss": way.asked.loss,
                "rtt_before_ms": link.rtt_before.median_ms if link.rtt_before else None,
                "rtt_after_ms": link.rtt_after.median_ms if link.rtt_after else None,
                **_measured(way, "before"), **_measured(way, "after"),
                "packets": counts.get("packets"), "dropped_queue": counts.get("dropped_queue"), "lost": counts.get("lost"),
                "lateness_p99_ms": late[1] if late else None,
            }  # fmt: skip


def _measured(way: Way, when: str) -> Mapping[str, Any]:
    seen: Seen | None = getattr(way, when)
    return {f"{name}_{when}_{unit}": getattr(seen, f"{name}_{unit}") if seen else None
            for name, unit in (("delay", "ms"), ("rate", "bps"), ("queue", "bytes"))}  # fmt: skip


def _claims(run: Run) -> Iterable[Mapping[str, Any]]:
    for one in judge(run).claims:
        claim, measured = one.claim, one.measured
        yield {
            "claim": claim.name, "metric": claim.metric, "statistic": claim.statistic,
            "where": _words(claim.where), "over": _words(claim.over or {}),
            **{factor: claim.where.get(factor) for factor in run.manifest.factors},
            "predicted": claim.predicted, "low": claim.low, "high": claim.high,
            "measured": measured.value if measured else None, "measured_low": measured.low if measured else None,
            "measured_high": measured.high if measured else None, "outcome": one.outcome, "basis": claim.basis,
        }  # fmt: skip


def _words(where: Mapping[str, str]) -> str:
    return ", ".join(f"{factor} = {level}" for factor, level in where.items())


def _series(run: Run) -> dict[str, Table]:
    found = {}
    for path in sorted((run.path / "series").glob("*.csv")):
        rows = list(csv.DictReader(io.StringIO(path.read_text("utf-8"), newline="")))
        found[f"series_{path.stem}"] = _typed(rows)
    return found
