"""The tables of a report as plain rows of text: arms, claims, agreement, caveats, provenance. It is no HTML."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from results.judge import ClaimResult, Verdict, band
from results.rundir import Run
from results.statistics import FEWEST_FOR_INTERVAL, estimate, resolved
from results.wording import interval, show, with_interval
from units import show_bytes, show_ms

PROOF = ("steal_fraction", "pressure_fraction", "pressure_source", "captured_packets", "capture_drops",
         "capture_cpu_fraction")  # fmt: skip
"""What the manifest says of the machine during the run."""


@dataclass(frozen=True)
class MetricTable:
    """Arms of one metric: median, interval and, where claimed, prediction and band; and which difference they resolve."""

    metric: str
    meaning: str
    factors: list[str]
    rows: list[dict[str, Any]]
    power: str


def metric_tables(run: Run, verdict: Verdict) -> list[MetricTable]:
    """One table for each metric that a claim or the answer uses."""
    used = [claim.metric for claim in run.manifest.claims] + [one.metric for one in run.manifest.values.values() if one.metric]
    metrics = list(dict.fromkeys(used)) or [name for name in ("first_byte_ms", "total_ms") if run.trials]
    factors = list(run.manifest.factors)
    tables = []
    for metric in metrics:
        rows = _grouped([_arm(run, verdict, metric, arm) for arm in run.arms()])
        tables.append(MetricTable(metric, run.manifest.columns.get(metric, ""), factors, rows, power(run, metric)))
    return tables


def power(run: Run, metric: str) -> str:
    """Which difference between two arms the repetitions resolve, in words; empty where there are too few."""
    samples = [run.sample(metric, arm) for arm in run.arms()] if run.trials and metric in run.trials[0].values else []
    found = resolved(samples)
    if found is None or len(samples) < 2:
        return ""
    fewest = min(len(one) for one in samples if len(one) >= FEWEST_FOR_INTERVAL)
    return (f"{fewest} repetitions an arm resolve a difference of {show(found, metric)} (80 % power at the 5 % level, by the "
            "arm that spreads most)")  # fmt: skip


def statistics_named(run: Run) -> str:
    """Which statistic the answer speaks of: `Medians`, or each quantity with its own."""
    plain = {name: one.statistic for name, one in run.manifest.values.items() if not one.ratio}
    kinds = sorted(set(plain.values()))
    if len(kinds) > 1:
        return "; ".join(f"{name}: {statistic}" for name, statistic in plain.items())
    words = {"median": "Medians", "mean": "Means", "min": "Least values", "max": "Greatest values"}
    return words.get(kinds[0], f"{kinds[0].upper()} (percentiles)") if kinds else "Medians"


def other_claims(run: Run, verdict: Verdict) -> list[dict[str, str]]:
    """Claims that fit no row of an arm: other statistics, ratios, several arms together."""
    arms = run.arms()
    return [{"name": one.claim.name, "band": band(one.claim), "outcome": one.outcome, "measured": measured_text(one)}
            for one in verdict.claims if not any(_belongs(one, one.claim.metric, arm) for arm in arms)]  # fmt: skip


def measured_text(result: ClaimResult) -> str:
    """What was measured for a claim, with its interval; empty without data."""
    claim = result.claim
    return with_interval(result.measured, claim.unit) if result.measured else ""


def began(run: Run) -> str:
    """When the run began, to the second, as the manifest says it."""
    said = str(run.manifest.raw.get("started") or "")
    return re.sub(r"^(\d{4}-\d\d-\d\d)T(\d\d:\d\d:\d\d)(\.\d+)?(Z|\+00:00)$", r"\1 \2 UTC", said)


def agreement(run: Run) -> dict[str, Any]:
    """How client and capture agree: fetches compared, and every disagreement in words (at most ten)."""
    counting = [trial for trial in run.trials if trial.counts]
    compared = [trial for trial in counting if trial.text("cap_last_byte_ms")]
    apart = [(trial.text("trial"), trial.text("disagreement")) for trial in compared if trial.text("disagreement")]
    gaps = [abs((trial.number("total_ms") or 0.0) - (trial.number("cap_last_byte_ms") or 0.0)) for trial in compared]
    return {"counting": len(counting), "compared": len(compared), "apart": len(apart), "examples": apart[:10],
            "largest": show(max(gaps), "_ms") if gaps else "",
            "retransmissions": sum(int(trial.number("cap_retransmissions") or 0) for trial in compared
                                   if "cap_retransmissions" in trial.values)}  # fmt: skip


def counts(run: Run) -> dict[str, int]:
    """Fetches by what became of them."""
    measured = [trial for trial in run.trials if trial.measured]
    good = sum(trial.counts for trial in measured)
    return {
        "all": len(run.trials),
        "warmups": len(run.trials) - len(measured),
        "measured": len(measured),
        "valid": good,
    }


def caveats(run: Run, verdict: Verdict) -> list[str]:
    """What a reader should know before believing the numbers."""
    said, raw = [], run.manifest.raw
    lost = [trial for trial in run.trials if trial.measured and not trial.counts]
    if lost:
        why = sorted({trial.text("reason") or trial.text("error") or "no reason given" for trial in lost})
        many = "1 measured fetch does" if len(lost) == 1 else f"{len(lost)} measured fetches do"
        said.append(f"{many} not count: {'; '.join(why[:5])}.")
    estimated = [link.name for link in run.links if link.estimate]
    if estimated:
        said.append(f"The round-trip time of {', '.join(estimated)} is estimated from the distance, not published.")
    said += [f"The handshakes of {many} trials were not held against their path: {why}."
             for why, many in sorted(run.unchecked.items())]  # fmt: skip
    if slack_ms := max((link.slack_ms for link in run.links), default=0.0):
        said.append(f"The processors were emulated: times of the links were allowed to be off by up to {show_ms(slack_ms)}.")
    if bears_ms := raw.get("bears_ms"):
        said.append(f"Single packets may have left up to {show_ms(bears_ms)} late: what is measured here are means over many.")
    said += [_part(number, part) for number, part in enumerate(raw.get("parts") or (), 1) if isinstance(part, Mapping)]
    steal = (raw.get("machine") or {}).get("steal_fraction")
    if isinstance(steal, (int, float)) and steal > 0.01:
        said.append(f"The machine was given to others for {steal:.1%} of the time (steal).")
    if (raw.get("code") or {}).get("dirty"):
        said.append("The code had changes that no revision holds.")
    stored = (raw.get("verdict") or {}).get("outcome")
    if stored and stored != verdict.outcome:
        said.append(f"The run recorded the verdict '{stored}'; computed anew from its files it is '{verdict.outcome}'.")
    notes = sorted({one.measured.note for one in verdict.claims if one.measured and one.measured.note})
    said += [f"Some intervals say little: {note}." for note in notes]
    return said


def _part(number: int, part: Mapping[str, Any]) -> str:
    """A stretch of the run that was interrupted, and what that means for its links."""
    links = "before it and after it" if part.get("links_after") else (
        "before it and not after it: what its trials themselves saw of them is the only watch")  # fmt: skip
    return (f"The run was interrupted after part {number}, of {part.get('trials')} trials, and went on later in a new lab; the "
            f"links of that part were measured {links}.")  # fmt: skip


def command(run: Run) -> str:
    """The command that makes the run again."""
    raw = run.manifest.raw
    if isinstance(raw.get("command"), str):
        return str(raw["command"])
    words = ["longhaul", "run", run.manifest.name, "--seed", str(raw.get("seed", 1)), "--repetitions",
             str(run.manifest.repetitions)]  # fmt: skip
    if raw.get("link_backend"):
        words += ["--link", str(raw["link_backend"])]
    for name, value in (raw.get("settings") or {}).items():
        words += ["--set", f"{name}={value}"]
    return shlex.join(words)


def how_made(run: Run) -> list[tuple[str, str]]:
    """Provenance as pairs of name and text."""
    raw = run.manifest.raw
    code, topology = raw.get("code") or {}, raw.get("topology") or {}
    pairs = [("run", run.manifest.run_id), ("seed", raw.get("seed")), ("repetitions", run.manifest.repetitions),
             ("topology", _settings(topology.get("name"), topology.get("settings"))),
             ("links", raw.get("link_backend")),
             ("began", raw.get("started")), ("ended", raw.get("ended")),
             ("took", f"{raw['duration_s']:.1f} s" if isinstance(raw.get("duration_s"), (int, float)) else None),
             ("code", _settings(code.get("version"), {"revision": code.get("revision")}))]  # fmt: skip
    pairs += [(str(name), version) for name, version in (raw.get("tools") or {}).items()]
    return [(name, str(value)) for name, value in pairs if value not in (None, "")]


def machine(run: Run) -> list[tuple[str, str]]:
    """The machine and its settings as pairs of name and text; what the panel of proof shows is left out."""
    raw = {name: value for name, value in (run.manifest.raw.get("machine") or {}).items() if name not in PROOF}
    if isinstance(raw.get("memory_bytes"), (int, float)):
        raw["memory"] = show_bytes(raw.pop("memory_bytes"))
    pairs = [(str(name).replace("_", " "), value) for name, value in raw.items()]
    pairs += [(str(name), value) for name, value in (run.manifest.raw.get("sysctls") or {}).items()]
    return [(name, str(value)) for name, value in pairs if value not in (None, "")]


def _arm(run: Run, verdict: Verdict, metric: str, arm: Mapping[str, str]) -> dict[str, Any]:
    values = run.sample(metric, arm) if run.trials and metric in run.trials[0].values else []
    found = estimate(values) if values else None
    row: dict[str, Any] = {"levels": [(arm.get(name, ""), run.manifest.label(name, arm.get(name, "")))
                                      for name in run.manifest.factors], "n": len(values),
                           "median": show(found.value, metric) if found else "none",
                           "interval": interval(found, metric) if found else "",
                           "predicted": "", "band": "", "tolerance": "", "outcome": ""}  # fmt: skip
    for result in verdict.claims:
        if _belongs(result, metric, arm):
            claim = result.claim
            row |= {"predicted": "" if claim.predicted is None else show(claim.predicted, metric), "band": band(claim),
                    "tolerance": claim.tolerance, "outcome": result.outcome}  # fmt: skip
    return row


def _grouped(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The rows, each with `span`: how many rows the cell of its first factor covers, 0 where one above covers it."""
    begins = 0
    for index, row in enumerate(rows):
        if len(row["levels"]) > 1 and index and row["levels"][0] == rows[begins]["levels"][0]:
            rows[begins]["span"] += 1
            row["span"] = 0
        else:
            begins, row["span"] = index, 1
    return rows


def _belongs(result: ClaimResult, metric: str, arm: Mapping[str, str]) -> bool:
    claim = result.claim
    alone = claim.over is None and claim.minus is None
    return claim.metric == metric and claim.statistic == "median" and alone and dict(claim.where) == dict(arm)


def _settings(name: object, settings: Mapping[str, Any] | None) -> str:
    shown = ", ".join(f"{key} {value}" for key, value in (settings or {}).items() if value not in (None, ""))
    return f"{name or ''}" + (f" ({shown})" if shown else "")
