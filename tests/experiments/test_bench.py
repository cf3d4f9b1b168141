"""Rows of a benchmark: medians, goals and ratios to a peer; and that every benchmark can be found."""

import importlib
import pkgutil

import pytest

from experiments.harness import benches
from experiments.harness.bench import Row, table


@pytest.mark.parametrize(
    ("goal", "reached"),
    [({}, True), ({"at_most": 3}, True), ({"at_most": 2.9}, False), ({"at_least": 3}, True), ({"at_least": 3.1}, False),
     ({"ratio_at_least": 1.5}, True), ({"ratio_at_least": 1.6}, False), ({"ratio_at_most": 1.5}, True),
     ({"ratio_at_most": 1.4}, False), ({"at_most": 9, "ratio_at_least": 2}, False)],
)  # fmt: skip
def test_a_goal_is_for_the_median_or_for_its_ratio_to_the_peers(goal, reached):
    row = Row("x", "s", (9.0, 3.0, 1.0), peer="nginx", peer_samples=(1.0, 2.0, 50.0), **goal)
    assert (row.median, row.ratio, row.reached) == (3.0, 1.5, reached)
    assert ("NOT REACHED" in table([row])) != reached


def test_a_ratio_without_a_peer_is_not_reached():
    assert not Row("x", "s", (1.0,), ratio_at_least=0.1).reached


def test_the_table_shows_ratio_and_goal():
    line = table([Row("hits", "1000/s", (90.0,), peer="nginx", peer_samples=(100.0,), ratio_at_least=0.8)]).splitlines()[1]
    assert "x >= 0.8" in line
    assert "nginx: 100, ratio 0.90" in line


@pytest.mark.parametrize("name", [module.name for module in pkgutil.iter_modules(benches.__path__)])
def test_every_benchmark_measures(name):
    assert callable(importlib.import_module(f"{benches.__name__}.{name}").measure)


def test_a_warning_stands_behind_its_row():
    assert table([Row("x", "s", (1.0,), warning="1 of 2 runs disturbed")]).endswith("(1 of 2 runs disturbed)")
