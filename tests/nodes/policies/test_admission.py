"""Admission: which of the objects that missed are stored."""

from __future__ import annotations

import math

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from nodes.edge.policies.admission import second_hit
from nodes.edge.policies.admission.second_hit import SecondHit
from nodes.edge.policies.admission.size_aware import SizeAware
from nodes.edge.simulator.requests import Chunk
from nodes.edge.simulator.simulation import simulate


@given(st.lists(st.integers(0, (1 << 128) - 1), max_size=30))
@example([0, 1 << 44])
def test_second_hit_admits_what_it_has_seen_and_nothing_else(keys: list[int]) -> None:
    rule, seen = SecondHit(1), set[int]()
    for key in keys:
        assert rule.admit(key, 1) == (key in seen)
        seen.add(key)


def test_second_hit_forgets_after_two_generations(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(second_hit, "GENERATION", 10)
    rule = SecondHit(1)
    rule.admit(1, 1)
    assert [rule.admit(key, 1) for key in range(2, 15)] == [False] * 13
    assert rule.admit(1, 1), "it is in the older generation"
    for key in range(100, 125):
        rule.admit(key, 1)
    assert not rule.admit(1, 1)


def test_second_hit_rarely_takes_one_for_another() -> None:
    rule = SecondHit(1)
    for key in range(200_000):
        rule.admit(key * 0x9E3779B97F4A7C15 % (1 << 64), 1)
    strange = sum(rule.admit(key * 0xD6E8FEB86659FD93 % (1 << 64) | 1 << 70, 1) for key in range(20_000))
    assert strange < 20


@pytest.mark.parametrize("size", [1, 1000, 10_000, 30_000])
def test_size_aware_admits_with_the_probability_of_the_size(size: int) -> None:
    rule = SizeAware(1_000_000)
    share = sum(rule.admit(key, size) for key in range(20_000)) / 20_000
    assert share == pytest.approx(math.exp(-size / 10_000), abs=0.01)


def test_what_is_not_admitted_is_not_written() -> None:
    keys = [1, 2, 3, 1, 2, 3, 1]
    result = simulate([Chunk(keys, [10] * 7)], "lru", 100, "second-hit")
    assert (result.tally.hits, result.tally.stored, result.tally.stored_bytes, result.objects) == (1, 3, 30, 3)
