"""The verdict on an experiment from rows that a test made up, as if a run had measured them. No lab runs."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from experiments.harness.experiment import Arm, Experiment, Row
from experiments.harness.manifest import manifest
from experiments.harness.trial import cell, columns
from results import manifest as manifests
from results import trials
from results.judge import Verdict, judge
from results.rundir import Run


def verdict(experiment: Experiment, rows: Iterable[tuple[Arm, Row]]) -> Verdict:
    """One valid trial for each row."""
    told: dict[str, Any] = manifest(experiment, 1, "") | {"run_id": "1", "started": "1", "ended": "2", "needed": 1}
    head, text = columns(told["factors"], experiment.columns), io.StringIO()
    table = csv.DictWriter(text, head, restval="")
    table.writeheader()
    for number, (arm, row) in enumerate(rows, 1):
        own = {name: cell(row.get(name)) for name in (*experiment.columns, "ok")}
        table.writerow({"trial": number, "repetition": number, "warmup": 0, "valid": 1, **own, **arm})
    return judge(Run(Path(), manifests.parse(told), [], trials.parse(text.getvalue()), [], {}))


def outside(found: Verdict) -> set[str]:
    """The claims that do not hold, by name."""
    return {one.claim.name for one in found.claims if one.outcome != "inside"}
