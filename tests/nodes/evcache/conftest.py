"""Zones of real memcached, and a source of truth, that end with the test."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from nodes.http.failure import Failure
from nodes.programs import program
from tests.nodes.evcache.zonekit import Stage
from tests.nodes.wirekit import Daemon


@pytest.fixture
def stage(start: Callable[..., Daemon], tmp_path: Path) -> Callable[..., Stage]:
    """Make a stage with so many zones of so many nodes."""
    try:
        program("memcached", "memcached")
    except Failure:
        pytest.skip("memcached is not here: sudo ./provision.sh --peers")

    def make(zones: int = 3, nodes: int = 1, truth: bool = True, *more: str) -> Stage:
        with ThreadPoolExecutor() as at_once:  # each takes a quarter of a second, most of it waiting
            rows = at_once.submit(start, "truth", "--database", str(tmp_path / "truth.db")) if truth else None
            started = [[at_once.submit(start, "memcached", *more) for _ in range(nodes)] for _ in range(zones)]
        memcached = {f"zone{zone}": [one.result() for one in some] for zone, some in enumerate(started)}
        return Stage(memcached, rows.result() if rows is not None else None, start)

    return make
