"""Four labs of 20 nodes at once: whether each still has its links as specified, and how long that takes beside one alone."""

from __future__ import annotations

import json
import subprocess
import time
from typing import Any

from experiments.harness.bench import Row
from experiments.harness.rundir import ROOT

LABS = 4
SETTINGS = {"edges": "Mumbai,Singapore,Tokyo", "clients": "Chennai", "clients_per_place": "7"}
"""Five regions with routers, an origin and three edges: 20 nodes, ten emulated links."""


def measure(repetitions: int) -> list[Row]:
    """Links outside their tolerance, all labs together, and the time until the last is verified."""
    outside, together, alone = [], [], []
    for _ in range(repetitions):
        began = time.monotonic()
        found = _verified(LABS)
        together.append(time.monotonic() - began)
        outside.append(float(sum(not row["ok"] for links in found for row in links)))
        began = time.monotonic()
        _verified(1)
        alone.append(time.monotonic() - began)
    return [
        Row("four labs of 20 nodes: links out of tolerance", "", tuple(outside), 0),
        Row("four labs of 20 nodes, up and verified", "s", tuple(together), None, "one such lab alone", tuple(alone)),
    ]


def _verified(labs: int) -> list[list[dict[str, Any]]]:
    """The rows of `links.json` of so many labs, all at once. Raises RuntimeError when one says nothing."""
    settings = [word for name, value in SETTINGS.items() for word in ("--set", f"{name}={value}")]
    command = [str(ROOT / "longhaul"), "verify", "open_connect", *settings, "--json"]
    running = [subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in range(labs)]
    said = [process.communicate(timeout=120) for process in running]
    if wrong := [error for output, error in said if not output]:
        raise RuntimeError(f"a lab could not be verified: {wrong[0].strip()}")
    return [json.loads(output)["links"] for output, _ in said]
