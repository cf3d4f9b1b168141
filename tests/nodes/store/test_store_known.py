"""The metadata in memory: bounded in number and in bytes, and counted right whatever happens to it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from storekit import response

from nodes.edge.store.entry import Entry
from nodes.edge.store.known import Known
from nodes.edge.store.names import name_of


def entry(primary: str, length: int, *vary: tuple[str, str]) -> Entry:
    stored = response(primary, fields=(("X", "x" * length),), vary=vary)
    return Entry(name_of(stored.key), stored, 0, (1, 2, 3, 4))


def test_long_fields_are_forgotten_by_their_bytes() -> None:
    known = Known(limit_bytes=1_000_000)
    for number in range(100):
        known.learn(f"/{number}", [entry(f"/{number}", 100_000)])
    assert known.weight_bytes <= 1_000_000
    assert 5 <= len(known.entries()) <= 10
    assert known.find("/99") is not None
    assert known.find("/0") is None


def test_new_metadata_that_is_longer_counts_too() -> None:
    known = Known(limit_bytes=1_000_000)
    for number in range(9):
        known.learn(f"/{number}", [entry(f"/{number}", 100)])
        known.put(entry(f"/{number}", 300_000))
        assert known.find(f"/{number}") is not None
    assert known.weight_bytes <= 1_000_000
    assert len(known.entries()) == 3


def test_one_key_is_known_however_much_it_weighs() -> None:
    known = Known(limit_bytes=1000)
    assert known.learn("/a", [one := entry("/a", 5000)]) == (one.stored,)
    assert known.entry(one.name) is one


@pytest.mark.parametrize("limit_bytes", [2000, 10**9])
@given(st.lists(st.tuples(st.sampled_from(["learn", "put", "remove", "clear"]), st.integers(0, 5), st.integers(0, 900))))
def test_the_weight_is_that_of_what_is_known(limit_bytes: int, steps: list[tuple[str, int, int]]) -> None:
    known = Known(limit=4, limit_bytes=limit_bytes)
    for what, number, length in steps:
        one = entry(f"/{number}", length, ("accept", str(length % 3)))
        if what == "learn":
            known.learn(f"/{number}", [one])
        elif what == "put":
            known.put(one)
        elif what == "remove":
            known.remove(one.name)
        else:
            known.clear()
        found = {f"/{place}": known.find(f"/{place}") for place in range(6)}
        assert known.weight_bytes == sum(
            len(primary) + sum(one.weight_bytes for one in those)
            for primary, those in found.items()
            if those is not None
        )
        assert len(known.entries()) == sum(len(those or ()) for those in found.values())
        for primary, those in found.items():
            assert {one.stored for one in known.entries_at(primary)} == set(those or ())
