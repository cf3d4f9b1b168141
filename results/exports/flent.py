"""flent's data format, version 4: one `.flent.gz` for each arm, to be opened together in flent-gui, or by `flent -i`.

flent draws only what a test of its own names. So an arm of fetches is a run of flent's test `http`, whose one series, `HTTP
latency` in ms, holds the metric of all its trials; and one of bulk flows is a run of `tcp_ndown`, with the goodput in time of
each flow of its first trial that counts. The arm's name is the title.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from results import series
from results.exports.machinery.flent_file import Samples, document, later, save
from results.exports.machinery.request import Request
from results.trials import Trial

USES = ("out", "metric")
FETCHES, LATENCY = "http", "HTTP latency"
FLOWS, DOWNLOAD = "tcp_ndown", "TCP download"


def write(request: Request) -> list[Path]:
    """One file for each arm with trials that count. Raises ExportError and RunError."""
    run, folder, written = request.run, request.folder("flent"), []
    flows = not request.metric and (run.path / "series" / "flows.csv").exists()
    metric = "" if flows else request.column()
    if metric and not metric.endswith("_ms"):
        raise request.error(f"{metric} is not in ms, as flent's test '{FETCHES}' draws it", "give a column of ms with --metric")
    for arm in run.arms():
        name = run.manifest.arm_name(arm) or "the only arm"
        trials = [trial for trial in run.trials if trial.counts and trial.matches(arm)]
        content = _flows(request, name, trials) if flows else _fetches(request, name, trials, metric)
        if content is not None:
            path = folder / f"{run.manifest.name}-{re.sub('[^A-Za-z0-9]+', '_', name).strip('_')}.flent.gz"
            with request.explained(path):
                save(path, content)
            written.append(path)
    if not written:
        raise request.error("no trial counts", "export a run that measured something")
    return written


def _fetches(request: Request, arm: str, trials: list[Trial], metric: str) -> dict[str, Any] | None:
    """The metric of each trial, at its time since the first."""
    began = _began(request)
    found = [(_at_s(trial, began), value) for trial in trials if (value := trial.number(metric)) is not None]
    if not found:
        return None
    samples = [(at_s - found[0][0], value) for at_s, value in found]
    note = f"{metric}: {request.run.manifest.columns.get(metric, '')}"
    return document(FETCHES, arm, later(began, found[0][0]), {LATENCY: samples}, "ms",
                    {**_about(request, note), "HOST": trials[0].text("url")})  # fmt: skip


def _flows(request: Request, arm: str, trials: list[Trial]) -> dict[str, Any] | None:
    """Each flow's goodput, and their sum and mean where all have a sample of the same turn."""
    kept = series.read(request.run, "flows", {trial.text("trial") for trial in trials[:1]})
    flows: dict[str, list[tuple[float, float]]] = {}
    for row in (row for rows in kept.values() for row in rows):
        flows.setdefault(row["flow"], []).append((float(row["t_s"]), float(row["goodput_mbps"])))
    if not flows:
        return None
    each: dict[str, Samples] = {f"{DOWNLOAD}::{number}": samples for number, samples in enumerate(flows.values(), 1)}
    turns = list(zip(*flows.values(), strict=False))
    total = [(turn[0][0], sum(value for _, value in turn)) for turn in turns]
    mean = [(at_s, value / len(flows)) for at_s, value in total]
    note = f"trial {trials[0].text('trial')}; flows: {', '.join(flows)}"
    return document(FLOWS, arm, _began(request), {**each, f"{DOWNLOAD} sum": total, f"{DOWNLOAD} avg": mean}, "Mbits/s", {
        **_about(request, note), "HOST": "longhaul", "TEST_PARAMETERS": {"download_streams": str(len(flows))},
    })  # fmt: skip


def _about(request: Request, note: str) -> dict[str, Any]:
    """Metadata of the run, by flent's names."""
    manifest, raw = request.run.manifest, request.run.manifest.raw
    return {
        "NOTE": f"{manifest.question} {note} Run {manifest.run_id}.", "BATCH_NAME": manifest.name,
        "BATCH_UUID": manifest.run_id, "BATCH_TITLE": manifest.question,
        "FLENT_VERSION": f"longhaul {_of(raw, 'code').get('version', '')}", "KERNEL_NAME": "Linux",
        "KERNEL_RELEASE": _of(raw, "machine").get("kernel"), "SYSCTLS": _of(raw, "sysctls"),
    }  # fmt: skip


def _began(request: Request) -> datetime:
    return datetime.fromisoformat(str(request.run.manifest.raw["started"])).astimezone(UTC)


def _at_s(trial: Trial, began: datetime) -> float:
    """When a trial was, in seconds since the run began; its place in the order where no fetch says when."""
    started_ns = trial.number("started_ns") if trial.text("started_ns") else None
    return started_ns / 1e9 - began.timestamp() if started_ns else float(trial.text("order") or trial.text("trial"))


def _of(raw: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    return raw.get(key) or {}
