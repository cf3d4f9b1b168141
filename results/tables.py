"""The tables of a report as plain rows of text: arms, claims, links, agreement, caveats, provenance. It is no HTML."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from results.figures.links import before, rate_bps, rtt_ms
from results.judge import ClaimResult, Verdict, band
from results.rundir import Run
from results.statistics import estimate
from results.wording import interval, show, with_interval
from units import show_bps, show_bytes, show_ms


@dataclass(frozen=True)
class MetricTable:
    """Arms of one metric: median, interval and, where claimed, prediction and band."""

    metric: str
    meaning: str
    factors: list[str]
    rows: list[dict[str, Any]]


def metric_tables(run: Run, verdict: Verdict) -> list[MetricTable]:
    """One table for each metric that a claim or the answer uses."""
    used = [claim.metric for claim in run.manifest.claims] + [
        one.metric for one in run.manifest.values.values() if one.metric
    ]
    metrics = list(dict.fromkeys(used)) or [name for name in ("first_byte_ms", "total_ms") if run.trials]
    factors = list(run.manifest.factors)
    return [MetricTable(metric, run.manifest.columns.get(metric, ""), factors,
                        _once([_arm(run, verdict, metric, arm) for arm in run.arms()])) for metric in metrics]  # fmt: skip


def other_claims(run: Run, verdict: Verdict) -> list[dict[str, str]]:
    """Claims that fit no row of an arm: other statistics, ratios, several arms together."""
    arms = run.arms()
    return [{"name": one.claim.name, "band": band(one.claim), "outcome": one.outcome, "measured": measured_text(one)}
            for one in verdict.claims if not any(_belongs(one, one.claim.metric, arm) for arm in arms)]  # fmt: skip


def measured_text(result: ClaimResult) -> str:
    """What was measured for a claim, with its interval; empty without data."""
    claim = result.claim
    return with_interval(result.measured, "" if claim.over is not None else claim.metric) if result.measured else ""


def link_rows(run: Run) -> list[dict[str, str]]:
    """Each link: asked for, measured before the run, and what happened on it during the run."""
    return [{
        "name": str(link["name"]), "backend": str(link.get("backend", "")), "note": str(link.get("note", "")),
        "rtt": ("≈ " if link.get("estimate") else "") + (show_ms(rtt_ms(link)) if rtt_ms(link) else "none"),
        "rtt_seen": _rtt_seen(before(link, "rtt_ms")),
        "rate": _both_ways(rate_bps(link, "a_to_b"), rate_bps(link, "b_to_a"), "no limit"),
        "rate_seen": _both_ways(_rate_seen(link, "a_to_b"), _rate_seen(link, "b_to_a"), "not measured"),
        "during": _during(link), "ok": "yes" if link["ok"] else "; ".join(map(str, link["reasons"])) or "no",
    } for link in run.link_list]  # fmt: skip


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
        said.append(f"{len(lost)} measured fetches do not count: {'; '.join(why[:5])}.")
    estimated = [str(link["name"]) for link in run.link_list if link.get("estimate")]
    if estimated:
        said.append(f"The round-trip time of {', '.join(estimated)} is estimated from the distance, not published.")
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
    """The machine and its settings as pairs of name and text."""
    raw = dict(run.manifest.raw.get("machine") or {})
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


def _once(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The rows, with the wording of the first factor only where it changes: `first` says whether a row begins a group."""
    before_it = None
    for row in rows:
        row["first"] = len(row["levels"]) < 2 or row["levels"][0] != before_it
        before_it = row["levels"][0] if row["levels"] else None
    return rows


def _belongs(result: ClaimResult, metric: str, arm: Mapping[str, str]) -> bool:
    claim = result.claim
    return (
        claim.metric == metric and claim.statistic == "median" and claim.over is None and dict(claim.where) == dict(arm)
    )


def _rtt_seen(seen: Mapping[str, Any]) -> str:
    if not seen:
        return "not measured"
    return f"{float(seen['median']):.2f} ms ({float(seen['min']):.2f} to {float(seen['p99']):.2f})"


def _both_ways(one: float | None, other: float | None, none: str) -> str:
    texts = [none if rate is None else show_bps(rate) for rate in (one, other)]
    return texts[0] if texts[0] == texts[1] else " / ".join(texts)


def _during(link: Mapping[str, Any]) -> str:
    ways = [way for way in (link.get("during") or {}).values() if way]
    if not ways:
        return "not watched"
    said = [f"{sum(int(way.get('packets', 0)) for way in ways):,} packets"]
    for key, word in (("dropped_queue", "dropped by the queue"), ("lost", "lost")):
        if number := sum(int(way.get(key, 0)) for way in ways):
            said.append(f"{number:,} {word}")
    late = [float(way["lateness_ms"]["p99"]) for way in ways if way.get("lateness_ms")]
    return ", ".join(said) + (f"; late by {max(late):.2f} ms (p99)" if late else "")


def _settings(name: object, settings: Mapping[str, Any] | None) -> str:
    shown = ", ".join(f"{key} {value}" for key, value in (settings or {}).items() if value not in (None, ""))
    return f"{name or ''}" + (f" ({shown})" if shown else "")


def _rate_seen(link: Mapping[str, Any], way: str) -> float | None:
    rate = before(link, way).get("rate_bps")
    return None if rate is None else float(rate)
