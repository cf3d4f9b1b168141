"""Eviction: exact counts on fixed traces, and the capacity under any trace."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nodes.edge.lru import Lru


def misses(trace: str, capacity: int) -> int:
    cache, count = Lru(capacity), 0
    for key in trace:
        if key in cache:
            cache.touch(key)
        else:
            count += 1
            cache.put(key, 1)
    return count


@pytest.mark.parametrize(("capacity", "expected"), [(1, 20), (2, 18), (3, 15), (4, 10), (5, 8), (6, 7), (7, 7)])
def test_misses_on_the_textbook_reference_string(capacity: int, expected: int) -> None:
    """The 20 references of Silberschatz et al., page replacement, over pages 1 to 7."""
    assert misses("12342156212376321236", capacity) == expected


def test_the_least_recently_used_goes_first() -> None:
    cache = Lru(30)
    for key in "abc":
        assert cache.put(key, 10) == []
    cache.touch("a")
    assert cache.put("d", 15) == ["b", "c"]
    assert list(cache) == ["a", "d"]


def test_sizes_are_bytes_not_objects() -> None:
    cache = Lru(100)
    cache.put("big", 90)
    cache.put("small", 10)
    assert cache.used_bytes == 100
    assert cache.put("next", 1) == ["big"]


def test_what_is_larger_than_the_capacity_is_not_held_and_evicts_nothing() -> None:
    cache = Lru(10)
    cache.put("a", 5)
    assert cache.put("b", 11) is None
    assert list(cache) == ["a"]


def test_a_key_put_again_counts_once() -> None:
    cache = Lru(10)
    cache.put("a", 5)
    assert cache.put("a", 7) == []
    assert cache.used_bytes == 7


def test_a_reservation_makes_room_and_is_given_back() -> None:
    cache = Lru(10)
    cache.put("a", 6)
    assert cache.reserve(5) == ["a"]
    assert cache.reserve(6) is None
    cache.release(5)
    assert cache.reserve(10) == []
    with pytest.raises(ValueError, match="more is released"):
        cache.release(11)


@given(st.integers(1, 50), st.lists(st.tuples(st.sampled_from("pruk"), st.integers(0, 9), st.integers(0, 60))))
def test_no_trace_exceeds_the_capacity(capacity: int, trace: list[tuple[str, int, int]]) -> None:
    cache, sizes = Lru(capacity), dict[str, int]()
    for verb, number, size in trace:
        key = f"k{number}"
        evicted: list[str] | None = []
        if verb == "p":
            sizes.pop(key, None)
            evicted = cache.put(key, size)
            if evicted is not None:
                sizes[key] = size
        elif verb == "r":
            evicted = cache.reserve(size)
        elif verb == "k":
            cache.remove(key)
            sizes.pop(key, None)
        elif cache.reserved_bytes >= size:
            cache.release(size)
        for gone in evicted or []:
            del sizes[gone]
        assert cache.used_bytes + cache.reserved_bytes <= capacity
        assert cache.used_bytes == sum(sizes.values())
        assert set(cache) == set(sizes)
