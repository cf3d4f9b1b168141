"""An edge with very many small objects: how soon after a start its index has them all, and how much memory it holds."""

from __future__ import annotations

import json
import time
import urllib.request
from pathlib import Path

from experiments.harness.load.engine import Engine
from experiments.harness.load.errors import LoadError

WITHIN_S = 120.0
LOOK_S = 0.05


def measure(cache: Path, origin: str, objects: int, cpus: str) -> tuple[float, float]:
    """Seconds until a started edge knows all objects of a cache, and then its memory in MB."""
    began = time.monotonic()
    with Engine("edge", "--cache", str(cache), "--capacity", "100GiB", "--origin", origin, cpus=cpus) as edge:
        while held(edge) < objects:
            if time.monotonic() - began > WITHIN_S:
                raise LoadError(f"could not measure the index: it has {held(edge)} of {objects} objects after {WITHIN_S:.0f} s")
            time.sleep(LOOK_S)
        return time.monotonic() - began, edge.resident_bytes() / 1e6


def held(edge: Engine) -> int:
    """How many objects the edge says that it knows."""
    with urllib.request.urlopen(f"{edge.url}/-/cache", timeout=30) as answer:
        return int(json.load(answer)["objects"])
