"""flent's data format, version 4: one `.flent.gz` for each arm, to be opened together in flent-gui, or by `flent -i`.

flent draws only what a test of its own names. So an arm is a run of flent's test `http`, whose one series, `HTTP latency` in
ms, holds the metric; the arm's name is the title. See flent/resultset.py and flent/tests/http.inc of flent 2.3.
"""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from results.exports.machinery.request import Request
from results.trials import Trial

USES = ("out", "metric")
VERSION, TEST, SERIES = 4, "http", "HTTP latency"


def write(request: Request) -> list[Path]:
    """One file for each arm with trials that count. Raises ExportError and RunError."""
    run, folder, written = request.run, request.folder("flent"), []
    metric = request.column()
    if not metric.endswith("_ms"):
        raise request.error(f"{metric} is not in ms, as flent's test '{TEST}' draws it", "give a column of ms with --metric")
    for arm in run.arms():
        name = run.manifest.arm_name(arm) or "the only arm"
        trials = [trial for trial in run.trials if trial.counts and trial.matches(arm) and trial.number(metric) is not None]
        if not trials:
            continue
        path = folder / f"{run.manifest.name}-{re.sub('[^A-Za-z0-9]+', '_', name).strip('_')}.flent.gz"
        with request.explained(path), gzip.open(path, "wt", encoding="utf-8") as file:
            json.dump(document(request, name, trials, metric), file)
        written.append(path)
    if not written:
        raise request.error("no trial counts", "export a run that measured something")
    return written


def document(request: Request, arm: str, trials: list[Trial], metric: str) -> dict[str, Any]:
    """The content of one file: seconds since the arm's first trial, and the metric there."""
    manifest = request.run.manifest
    began = datetime.fromisoformat(str(manifest.raw["started"])).astimezone(UTC)
    at_s = [_at_s(trial, began) for trial in trials]
    values = [trial.number(metric) for trial in trials]
    start = began + timedelta(seconds=at_s[0])
    x_values = [round(at - at_s[0], 6) for at in at_s]
    return {
        "version": VERSION, "x_values": x_values, "results": {SERIES: values},
        "raw_values": {SERIES: [{"t": round(start.timestamp() + x, 6), "val": value}
                                for x, value in zip(x_values, values, strict=True)]},
        "metadata": {
            "NAME": TEST, "TITLE": arm, "TIME": _time(start), "T0": _time(start), "LENGTH": x_values[-1],
            "TOTAL_LENGTH": x_values[-1], "STEP_SIZE": round(x_values[-1] / max(1, len(x_values) - 1), 3) or 1.0,
            "HOST": trials[0].text("url"), "HOSTS": [], "LOCAL_HOST": "longhaul", "IP_VERSION": 4, "TEST_PARAMETERS": {},
            "HTTP_GETTER_URLLIST": None, "HTTP_GETTER_DNS": None, "HTTP_GETTER_WORKERS": 1,
            "NOTE": f"{manifest.question} {metric}: {manifest.columns.get(metric, '')} Run {manifest.run_id}.",
            "BATCH_NAME": manifest.name, "BATCH_UUID": manifest.run_id, "BATCH_TIME": _time(began),
            "BATCH_TITLE": manifest.question, "DATA_FILENAME": None,
            "FLENT_VERSION": f"longhaul {_of(manifest.raw, 'code').get('version', '')}",
            "KERNEL_NAME": "Linux", "KERNEL_RELEASE": _of(manifest.raw, "machine").get("kernel"),
            "SYSCTLS": _of(manifest.raw, "sysctls"), "SERIES_META": {SERIES: {"UNITS": "ms"}},
        },
    }  # fmt: skip


def _at_s(trial: Trial, began: datetime) -> float:
    """When a trial was, in seconds since the run began; its place in the order where no fetch says when."""
    started_ns = trial.number("started_ns") if trial.text("started_ns") else None
    return started_ns / 1e9 - began.timestamp() if started_ns else float(trial.text("order") or trial.text("trial"))


def _time(moment: datetime) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%S.%f}Z"


def _of(raw: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    return raw.get(key) or {}
