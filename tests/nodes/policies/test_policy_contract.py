"""What every policy keeps to, whatever is asked of it."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nodes.edge.policies.machinery import catalogue
from nodes.edge.policies.machinery.tally import Tally

POLICIES = catalogue.policy_names()
LIVE = catalogue.policy_names(offline=False)

EVENTS = st.lists(st.tuples(st.sampled_from(["insert", "touch", "remove", "reserve", "release"]), st.integers(0, 9),
                            st.integers(0, 60)), max_size=80)  # fmt: skip


def test_the_policies_are_those_that_are_promised() -> None:
    promised = ("lru", "fifo", "clock", "sieve", "s3fifo", "slru", "w-tinylfu", "gdsf", "belady")
    assert sorted(POLICIES) == sorted(promised)
    assert set(POLICIES) - set(LIVE) == {"belady"}
    assert catalogue.admission_names() == ["always", "never", "second-hit", "size-aware"]


def test_a_name_that_does_not_exist_is_told_with_those_that_do() -> None:
    with pytest.raises(ValueError, match="there is no eviction policy 'lur'; choose one of belady, clock"):
        catalogue.policy("lur")
    with pytest.raises(ValueError, match="there is no admission rule 'machinery'; choose one of always"):
        catalogue.admission_rule("machinery")


@settings(max_examples=200)
@given(policy=st.sampled_from(POLICIES), capacity=st.integers(1, 150), events=EVENTS)
def test_bytes_are_conserved_and_the_capacity_is_never_exceeded(policy: str, capacity: int,
                                                                events: list[tuple[str, int, int]]) -> None:  # fmt: skip
    cache, held, evicted_bytes = catalogue.policy(policy)(capacity), dict[int, int](), 0
    for verb, key, size in events:
        evicted: list[int] | None = []
        if verb == "insert":
            fits = cache.reserved_bytes + size <= capacity
            evicted = cache.insert(key, size)
            assert (evicted is not None) == fits
            held.pop(key, None)
            if fits:
                held[key] = size
        elif verb == "touch":
            cache.touch(key)
        elif verb == "remove":
            assert cache.remove(key) == (held.pop(key, None) is not None)
        elif verb == "reserve":
            fits = cache.reserved_bytes + size <= capacity
            evicted = cache.reserve(size)
            assert (evicted is not None) == fits
        elif cache.reserved_bytes >= size:
            cache.release(size)
        for gone in evicted or ():
            evicted_bytes += held.pop(gone)  # only what is held can go, and only once
        assert [key in cache for key in range(10)] == [key in held for key in range(10)]
        assert len(cache) == len(held)
        assert cache.used_bytes == sum(held.values())
        assert cache.used_bytes + cache.reserved_bytes <= capacity
        assert cache.evicted_bytes == evicted_bytes


@settings(max_examples=200)
@given(policy=st.sampled_from(LIVE), capacity=st.integers(1, 100),
       keys=st.lists(st.tuples(st.integers(0, 9), st.integers(1, 40)), max_size=80))  # fmt: skip
def test_a_replay_decides_as_the_live_store_does(policy: str, capacity: int, keys: list[tuple[int, int]]) -> None:
    """The store reserves, releases and inserts; the simulator replays, some policies in a loop of their own."""
    live, offline, tally = catalogue.policy(policy)(capacity), catalogue.policy(policy)(capacity), Tally()
    hits = stored = evicted = 0
    for key, size in keys:
        if key in live:
            hits += 1
            live.touch(key)
            continue
        gone = live.reserve(size)
        if gone is not None:
            live.release(size)
            gone += live.insert(key, size) or []
            stored, evicted = stored + 1, evicted + len(gone)
    offline.replay([key for key, _ in keys], [size for _, size in keys], tally, None)
    assert (tally.hits, tally.stored, tally.evicted) == (hits, stored, evicted)
    assert [key in offline for key in range(10)] == [key in live for key in range(10)]
    assert offline.used_bytes == live.used_bytes


@pytest.mark.parametrize("policy", POLICIES)
def test_what_is_too_large_evicts_nothing(policy: str) -> None:
    cache = catalogue.policy(policy)(10)
    cache.insert(1, 5)
    assert cache.insert(2, 11) is None
    assert cache.reserve(11) is None
    assert 1 in cache


@pytest.mark.parametrize("policy", POLICIES)
def test_a_release_of_more_than_was_reserved_is_an_error(policy: str) -> None:
    cache = catalogue.policy(policy)(10)
    assert cache.reserve(4) == []
    with pytest.raises(ValueError, match="more is released than was reserved"):
        cache.release(5)


@pytest.mark.parametrize("policy", POLICIES)
def test_a_capacity_of_nothing_is_an_error(policy: str) -> None:
    with pytest.raises(ValueError, match="above zero"):
        catalogue.policy(policy)(0)


@pytest.mark.parametrize("policy", POLICIES)
def test_keys_of_128_bits_are_keys_as_others(policy: str) -> None:
    cache, first = catalogue.policy(policy)(100), (1 << 127) + 3
    for number in range(300):
        cache.insert(first + number * (1 << 64), 1)
    assert len(cache) <= 100
    assert cache.used_bytes == len(cache)
