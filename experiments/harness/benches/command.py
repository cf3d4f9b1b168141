"""The command itself: what it adds to every start, and how long a whole experiment takes beside its own CPU time."""

from __future__ import annotations

import json
import subprocess
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from experiments.harness.bench import Row
from experiments.harness.rundir import ROOT


def measure(repetitions: int) -> list[Row]:
    """Start-up of `longhaul`, and one full `edge-vs-origin` with its default settings."""
    bare: list[str | Path] = [ROOT / ".venv/bin/python", "-c", "pass"]
    starts, pythons = [], []
    for _ in range(max(5, repetitions)):
        starts.append(_seconds([ROOT / "longhaul", "node", "--help"]))
        pythons.append(_seconds(bare))
    with tempfile.TemporaryDirectory() as folder:
        began = time.monotonic()
        out = Path(folder) / "run"
        subprocess.run([ROOT / "longhaul", "run", "edge-vs-origin", "--out", out], check=False, capture_output=True)
        minutes = (time.monotonic() - began) / 60
        manifest = json.loads((out / "manifest.json").read_text(encoding="utf-8"))
    share = 100 * manifest["machine"]["harness_cpu_fraction"]
    return [
        Row("longhaul starts (node --help)", "s", tuple(starts), 0.3, "python -c pass", tuple(pythons)),
        Row(f"run edge-vs-origin ({manifest['verdict']['outcome']})", "min", (minutes,), 3.0),
        Row("the harness while trials run, of one core", "%", (share,), 5.0),
    ]


def _seconds(command: Sequence[str | Path]) -> float:
    began = time.monotonic()
    subprocess.run(command, check=True, capture_output=True)
    return time.monotonic() - began
