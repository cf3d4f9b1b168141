"""The tables of a report as plain rows of text: arms, claims, links, agreement, caveats, provenance. It is no HTML."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from results.judge import ClaimResult, Verdict, band
from results.links import Link, impairments
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
    used = [claim.metric for claim in run.manifest.claims] + [one.metric for one in run.manifest.values.values() if one.metric]
    metrics = list(dict.fromkeys(used)) or [name for name in ("first_byte_ms", "total_ms") if run.trials]
    factors = list(run.manifest.factors)
    tables = []
    for metric in metrics:
        rows = _grouped([_arm(run, verdict, metric, arm) for arm in run.arms()])
        tables.append(MetricTable(metric, run.manifest.columns.get(metric, ""), factors, rows))
    return tables


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
    return with_interval(result.measured, "" if claim.over is not None else claim.metric) if result.measured else ""


def link_rows(run: Run) -> list[dict[str, str]]:
    """Each shaped link, and each that is wrong: asked for, measured before the run, and what happened on it during it."""
    return [{
        "name": link.name, "note": link.note, "rtt_seen": _rtt_seen(link),
        "rtt": ("≈ " if link.estimate else "") + (show_ms(link.rtt_ms) if link.rtt_ms else "none"),
        "rate": ", ".join((_both_ways(link.rates_bps, "no limit"), *impairments(link))),
        "rate_seen": _both_ways(link.seen_rates_bps, "not measured"),
        "during": _during(link), "ok": "yes" if link.ok else "; ".join(link.reasons) or "no",
    } for link in run.links if not _is_cable(link)]  # fmt: skip


def cables(run: Run) -> str:
    """The links without delay or rate that are as they should be, in one sentence; empty when there are none."""
    found = [link for link in run.links if _is_cable(link)]
    slowest = max((link.seen_rtt_ms[1] for link in found if link.seen_rtt_ms), default=None)
    if not found:
        return ""
    many = f"{len(found)} links inside places are plain cables" if len(found) > 1 else f"{found[0].name} is a plain cable"
    return f"{many}, without delay or rate" + (
        "." if slowest is None else f"; the largest median round trip there is {slowest:.2f} ms."
    )


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
    return claim.metric == metric and claim.statistic == "median" and claim.over is None and dict(claim.where) == dict(arm)


def _rtt_seen(link: Link) -> str:
    if link.seen_rtt_ms is None:
        return "not measured"
    low, median, high = link.seen_rtt_ms
    return f"{median:.2f} ms ({low:.2f} to {high:.2f})"


def _is_cable(link: Link) -> bool:
    return link.ok and not link.rtt_ms and link.rates_bps == (None, None)


def _both_ways(rates_bps: tuple[float | None, float | None], none: str) -> str:
    one, other = (none if rate is None else show_bps(rate) for rate in rates_bps)
    return one if one == other else f"{one} / {other}"


def _during(link: Link) -> str:
    if link.during is None:
        return "not watched"
    said = [f"{link.during.packets:,} packets"]
    for number, word in ((link.during.dropped_queue, "dropped by the queue"), (link.during.lost, "lost")):
        if number:
            said.append(f"{number:,} {word}")
    return ", ".join(said) + ("" if link.during.late_ms is None else f"; late by {link.during.late_ms:.2f} ms (p99)")


def _settings(name: object, settings: Mapping[str, Any] | None) -> str:
    shown = ", ".join(f"{key} {value}" for key, value in (settings or {}).items() if value not in (None, ""))
    return f"{name or ''}" + (f" ({shown})" if shown else "")
