"""Numbers of a daemon as Prometheus reads them: what each family is, its kind, its samples; zeros from the start."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from nodes.edge.families import COUNTERS as OF_THE_EDGE
from nodes.edge.families import OTHERS as ELSE_OF_THE_EDGE
from nodes.http.families import COUNTERS as OF_THE_SERVER
from nodes.http.families import OTHERS as ELSE_OF_THE_SERVER
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
    text = edge_for("http://127.0.0.1:9").get("/-/metrics").body.decode()
    for name in (*OF_THE_EDGE, *OF_THE_SERVER):
        assert re.search(rf'^# HELP {name} .+\n# TYPE {name} counter\n{name}{{node="edge1"}} \d+$', text, re.M), name
    families = re.findall(r"^# TYPE (\S+)", text, re.M)
    assert set(families) == set(re.findall(r"^# HELP (\S+)", text, re.M)), "each says what it is"


@pytest.mark.parametrize("folder", ["edge", "http"])
def test_whatever_is_counted_is_declared(folder: str) -> None:
    declared = {*OF_THE_EDGE, *ELSE_OF_THE_EDGE, *OF_THE_SERVER, *ELSE_OF_THE_SERVER}
    named = {name for path in (HERE / "nodes" / folder).rglob("*.py")
             for name in re.findall(r'count\("(longhaul_\w+)"[,)]', path.read_text())}  # fmt: skip
    assert named
    assert named <= declared
