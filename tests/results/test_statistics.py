"""Medians, quantiles and their intervals."""

from __future__ import annotations

import random
import statistics as stdlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from results.statistics import STATISTICS, estimate, median, quantile, ratio, resolved, statistic

numbers = st.lists(st.floats(-1e9, 1e9), min_size=1, max_size=50)


@given(numbers)
def test_the_median_is_the_textbook_one(values: list[float]) -> None:
    assert median(values) == pytest.approx(stdlib.median(values), rel=1e-12, abs=1e-9)


@given(numbers, st.floats(0, 1))
def test_quantiles_are_those_of_numpy(values: list[float], q: float) -> None:
    assert quantile(values, q) == pytest.approx(float(np.quantile(values, q)), rel=1e-9, abs=1e-6)


def test_the_interval_is_the_same_for_the_same_seed_and_holds_the_median() -> None:
    noise = random.Random(3)
    values = [noise.gauss(100, 5) for _ in range(13)]
    first, again = estimate(values, seed=7), estimate(values, seed=7)
    assert first == again
    assert first.low < first.value < first.high
    assert (first.n, first.note) == (13, "")


def test_95_percent_intervals_cover_the_true_median_about_as_often() -> None:
    noise = random.Random(1)
    hits = 0
    for _ in range(150):
        found = estimate([noise.gauss(50, 3) for _ in range(25)])
        hits += found.low <= 50 <= found.high
    assert 0.86 <= hits / 150 <= 0.99


@pytest.mark.parametrize(
    ("values", "note"),
    [([5.0], "one sample"), ([5.0, 6.0], "2 samples: no interval"), ([5.0] * 10, "all samples equal")],
)
def test_an_interval_that_says_nothing_says_so(values: list[float], note: str) -> None:
    found = estimate(values)
    assert found.low == found.value == found.high
    assert found.note.startswith(note)


def test_a_ratio_of_medians_has_an_interval() -> None:
    above = [480.0, 481, 483, 479, 480.5, 482]
    below = [60.0, 61, 59.5, 60.2, 60.1, 60.3]
    found = ratio(above, below)
    assert found.value == pytest.approx(480.75 / 60.15)
    assert 7.8 < found.low < found.value < found.high < 8.1


def test_a_ratio_with_one_constant_side_still_varies_with_the_other() -> None:
    found = ratio([480.0, 490.0, 500.0, 485.0], [60.0] * 4)
    assert found.low < found.value < found.high


def test_a_ratio_to_zero_is_refused_and_one_near_it_has_no_interval() -> None:
    with pytest.raises(ValueError, match="zero"):
        ratio([1.0, 2, 3], [0.0, 0, 0])
    assert "above zero" in ratio([1.0, 2, 3], [0.0, 1, 2]).note


@pytest.mark.parametrize("name", STATISTICS)
def test_every_statistic_has_an_interval(name: str) -> None:
    values = [float(one) for one in range(1, 30)]
    found = estimate(values, name)
    assert found.low <= found.value <= found.high
    assert found.value == statistic(values, name)


@pytest.mark.parametrize("values", [[], [float("nan")], [1.0, float("inf")]])
def test_what_is_no_sample_is_refused(values: list[float]) -> None:
    with pytest.raises(ValueError):
        estimate(values)


def test_an_unknown_statistic_names_the_known_ones() -> None:
    with pytest.raises(ValueError, match="median, p5"):
        statistic([1.0], "average")


def test_a_difference_that_is_called_resolved_is_found_in_four_of_five_runs() -> None:
    """By the usual test of two medians at 5 %, on made-up runs whose arms are apart by just that much."""
    noise, found = random.Random(7), 0
    apart = resolved([[noise.gauss(0, 1) for _ in range(20_000)]])
    assert apart is not None
    apart *= (20_000 / 25) ** 0.5  # as with 25 repetitions
    error = (np.pi / 25) ** 0.5
    for _ in range(400):
        one, other = ([noise.gauss(middle, 1) for _ in range(25)] for middle in (0.0, apart))
        found += abs(median(other) - median(one)) > 1.96 * error
    assert 0.72 < found / 400 < 0.88


def test_two_samples_resolve_nothing() -> None:
    assert resolved([[1.0, 2.0], [3.0]]) is None
