"""Numbers of a daemon as Prometheus reads them: what each family is, its kind, its samples; zeros from the start."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from importlib import import_module
from pathlib import Path

import pytest

from nodes.edge.families import COUNTERS as OF_THE_EDGE
from nodes.http.families import COUNTERS as OF_THE_SERVER
from nodes.http.metrics import Metrics
from tests.nodes.wirekit import Daemon

HERE = Path(__file__).parents[2]


def test_a_family_that_was_declared_says_what_it_is_and_stands_at_zero() -> None:
    metrics = Metrics("n")
    metrics.declare({"lost_total": "What was lost."}, {"asked_total": "What was asked, by whom."})
    assert metrics.text() == '# HELP lost_total What was lost.\n# TYPE lost_total counter\nlost_total{node="n"} 0\n'
    metrics.count("lost_total")
    metrics.count("asked_total", by="me")
    assert 'asked_total{node="n",by="me"} 1\n# HELP lost_total What was lost.\n' in metrics.text()
    assert 'lost_total{node="n"} 1\n' in metrics.text()


def test_an_edge_that_did_nothing_yet_tells_all_its_counters(edge_for: Callable[..., Daemon]) -> None:
    text = edge_for("http://127.0.0.1:9").metrics()
    for name in (*OF_THE_EDGE, *OF_THE_SERVER):
        assert re.search(rf'^# HELP {name} .+\n# TYPE {name} counter\n{name}{{node="edge1"}} \d+$', text, re.M), name


FOLDERS = sorted(path.parent.name for path in HERE.glob("nodes/*/families.py"))
FAMILY = re.compile(r'"((?:longhaul|evcache)_[a-z_]+)"')


def families(folder: str) -> dict[str, str]:
    """What a part of the daemons declares."""
    module = import_module(f"nodes.{folder}.families")
    return {**module.COUNTERS, **module.OTHERS}


def named(folder: str) -> set[str]:
    """What the rest of that part counts."""
    paths = [path for path in (HERE / "nodes" / folder).rglob("*.py") if path.name != "families.py"]
    return {name for path in paths for name in FAMILY.findall(path.read_text())}


def test_every_part_that_counts_declares() -> None:
    parts = {path.name for path in (HERE / "nodes").iterdir() if named(path.name)}
    assert {"edge", "http", "balancer", "steering", "truth", "resolver", "fill", "dns", "evcache"} <= parts
    for part in parts:
        known = families("http") | (families(part) if part in FOLDERS else {})
        assert named(part) <= set(known), part


@pytest.mark.parametrize("folder", FOLDERS)
def test_what_is_declared_is_counted_and_said_in_a_sentence(folder: str) -> None:
    known = families(folder)
    assert set(known) <= named(folder)
    assert {name for name, text in known.items() if not re.fullmatch(r"(?:[A-Z]|1 )[^\n]+\.", text)} == set()


def test_no_label_may_be_called_like_the_one_that_every_sample_has() -> None:
    metrics = Metrics("n")
    for use in (metrics.count, metrics.histogram, partial(metrics.gauge, value=1)):
        with pytest.raises(ValueError, match="the label node of asked_total is the daemon's own"):
            use("asked_total", node="other")
