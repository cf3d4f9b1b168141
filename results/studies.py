"""The table of studies: what was published, what the latest runs measured, and the verdicts.

It runs nothing and judges nothing: it shows what the runs' manifests say.
"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from results import judge, manifest
from results.manifest import Claim, ManifestError
from results.statistics import Estimate
from results.wording import show, with_interval


@dataclass(frozen=True)
class Value:
    """One claim of a study's run, as text for people. `outcome` as in `judge.ClaimResult`."""

    name: str
    paper: str
    ours: str
    band: str
    outcome: str


@dataclass(frozen=True)
class StudyRow:
    """A study and its latest run; `run` is empty where there is none. `headline` stands for all of `values`."""

    name: str
    claim: str
    source: str
    run: str = ""
    mode: str = ""
    verdict: str = "not run"
    reasons: list[str] = field(default_factory=list)
    minutes: float | None = None
    headline: Value | None = None
    values: list[Value] = field(default_factory=list)

    def as_dict(self) -> dict[str, Any]:
        """For `--json`."""
        return asdict(self)

    @property
    def score(self) -> str:
        """The verdict, and of how many values."""
        outcomes = Counter(value.outcome for value in self.values)
        judged = sum(outcomes.values()) - outcomes["not comparable"]
        more = f", {outcomes['not comparable']} not comparable" if outcomes["not comparable"] else ""
        counted = f" ({outcomes['inside']} of {judged} inside{more})" if self.verdict in ("holds", "fails") else ""
        return self.verdict + counted + (", quick" if self.mode == "quick" else "")


def latest(runs: Path, name: str, modes: tuple[str, ...]) -> tuple[Path, dict[str, Any]] | None:
    """The newest run of a study in one of these modes that was not interrupted, with its manifest."""
    for path in sorted((runs / name).glob("*/manifest.json"), reverse=True):
        try:
            found = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            continue
        if not isinstance(found, dict) or found.get("interrupted") or not found.get("verdict"):
            continue
        if (found.get("study") or {}).get("mode") in modes:
            return path.parent, found
    return None


def row(runs: Path, name: str, claim: str, source: str, modes: tuple[str, ...]) -> StudyRow:
    """A study's row from its latest run."""
    found = latest(runs, name, modes)
    if found is None:
        return StudyRow(name, claim, source)
    path, raw = found
    try:
        checked = manifest.parse(raw)
        values = [_value(one, result) for one, result in zip(checked.claims, raw["verdict"]["claims"], strict=True)]
    except (ManifestError, KeyError, TypeError, ValueError) as error:
        return StudyRow(name, claim, source, str(path), verdict="unreadable", reasons=[str(error)])
    if raw["verdict"]["outcome"] not in ("holds", "fails"):
        values = []  # nothing was learnt
    # What these settings do not let compare stands for nothing, so long as another value was judged.
    rank = sorted(values, key=lambda value: (value.outcome == "not comparable", value.name != raw["study"]["headline"]))
    headline = next(iter(rank), None)
    return StudyRow(name, claim, source, str(path), raw["study"]["mode"], raw["verdict"]["outcome"], raw["verdict"]["reasons"],
                    round(float(raw.get("duration_s") or 0.0) / 60, 2), headline, values)  # fmt: skip


def _value(claim: Claim, result: dict[str, Any]) -> Value:
    measured = result.get("measured")
    ours = with_interval(Estimate(**measured), claim.unit) if measured else "no valid trial"
    paper = "" if claim.predicted is None else show(claim.predicted, claim.unit)
    return Value(claim.name, paper, ours, judge.band(claim), str(result["outcome"]))


def text(rows: list[StudyRow], every_value: bool = False) -> str:
    """The table for a terminal, some lines a study."""
    lines = []
    for one in rows:
        minutes = "" if one.minutes is None else f"{one.minutes:.1f} min"
        lines += [f"{one.name:<26} {one.score:<46} {minutes:>9}", f"    {one.claim}"]
        shown = one.values if every_value else filter(None, [one.headline])
        lines += [f"    {value.name}: paper {value.paper or '-'}, ours {value.ours}, band {value.band}: {value.outcome}"
                  for value in shown]  # fmt: skip
        lines += [f"    {reason}" for reason in one.reasons if one.verdict not in ("holds", "not run") and not every_value][:6]
        lines += [f"    {one.run}" if one.run else f"    sudo longhaul run {one.name}", ""]
    return "\n".join(lines).rstrip()


def markdown(rows: list[StudyRow]) -> str:
    """The table for a README."""
    lines = ["| study | what was published | paper | ours | band | verdict | minutes |", "| --- " * 7 + "|"]
    for one in rows:
        value = one.headline
        cells = (f"{value.name}: {value.paper or '-'}", value.ours, value.band) if value else ("", "", "")
        minutes = "" if one.minutes is None else f"{one.minutes:.1f}"
        lines.append(f"| {' | '.join([f'`{one.name}`', one.claim, *cells, one.score, minutes])} |")
    return "\n".join(lines)
