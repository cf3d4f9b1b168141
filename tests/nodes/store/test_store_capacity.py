"""The capacity counts every byte of files: bodies, metadata, and what is being written."""

import contextlib
import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from storekit import Cache, response

from nodes.edge.policies.machinery import catalogue
from nodes.edge.store.spool import Spool
from nodes.edge.stored import Stored


def on_disk(cache: Cache) -> int:
    return sum(path.stat().st_size for path in cache.files())


STEPS = st.lists(st.tuples(st.sampled_from(["begin", "write", "commit", "abandon", "hit", "remove", "update"]),
                           st.integers(0, 7), st.integers(0, 30_000), st.booleans()), max_size=60)  # fmt: skip


class Events:
    """What fetches and clients do with a store, in any order."""

    def __init__(self, cache: Cache) -> None:
        self.cache, self.spools = cache, dict[int, Spool]()

    def begin(self, number: int, size: int, told: bool) -> None:
        spool = None if number in self.spools else self.cache.store.begin(f"/{number}", size if told else None)
        if spool is not None:
            self.spools[number] = spool

    def write(self, number: int, size: int, told: bool) -> None:
        if number in self.spools:
            with contextlib.suppress(OSError):  # larger than the cache
                self.spools[number].write(b"x" * size)

    def commit(self, number: int, size: int, told: bool) -> None:
        if number in self.spools:
            self.cache.store.commit(self.spools.pop(number), response(f"/{number}", fields=(("X", "y" * (size // 4)),)))

    def abandon(self, number: int, size: int, told: bool) -> None:
        if number in self.spools:
            self.spools.pop(number).abandon()

    def hit(self, number: int, size: int, told: bool) -> None:
        self.cache.store.touch(f"/{number}")

    def remove(self, number: int, size: int, told: bool) -> None:
        self.cache.store.remove(f"/{number}")

    def update(self, number: int, size: int, told: bool) -> None:
        for stored in self.cache.store.find(f"/{number}"):
            self.cache.store.update(stored, response(f"/{number}", fields=(("X", "y" * size),)))


@settings(max_examples=100)
@given(policy=st.sampled_from(catalogue.policy_names(offline=False)), steps=STEPS)
def test_no_order_of_events_exceeds_it(tmp_path_factory: pytest.TempPathFactory, policy: str,
                                       steps: list[tuple[str, int, int, bool]]) -> None:  # fmt: skip
    cache = Cache(tmp_path_factory.mktemp("capacity"), 100_000, policy=policy)
    events, index = Events(cache), cache.store.index
    for verb, number, size, told in steps:
        getattr(events, verb)(number, size, told)
        assert on_disk(cache) <= index.used_bytes + index.reserved_bytes <= 100_000
        assert index.used_bytes == sum(path.stat().st_size for path in cache.files() if path.parent.name != "tmp")
    for number in list(events.spools):
        events.abandon(number, 0, True)
    assert index.reserved_bytes == 0
    cache.crash()
    assert cache.store.index.used_bytes == index.used_bytes == on_disk(cache)
    cache.store.close()


def test_it_is_used_to_within_one_percent(tmp_path: Path) -> None:
    cache = Cache(tmp_path, 1_000_000)
    for number in range(300):
        assert cache.put(f"/{number}", b"x" * 4000) is not None
    assert 990_000 <= on_disk(cache) <= 1_000_000
    assert cache.counted("evictions") == 300 - len(cache.store)
    assert cache.counted("evicted_bytes") == cache.counted("written_bytes") - on_disk(cache)


def test_metadata_longer_than_expected_finds_its_room_before_it_is_written(tmp_path: Path,
                                                                          monkeypatch: pytest.MonkeyPatch) -> None:  # fmt: skip
    cache = Cache(tmp_path, 20_000)
    for name in "abc":
        cache.put(f"/{name}", b"x" * 5_000)
    place, seen = cache.store._shelf.place, list[int]()

    def looked(temporary: Path, name: int) -> None:
        seen.append(on_disk(cache))
        place(temporary, name)

    monkeypatch.setattr(cache.store._shelf, "place", looked)
    assert cache.put("/d", b"x" * 1_000, fields=(("X", "y" * 9_000),)) is not None
    assert seen[0] <= 20_000
    assert cache.put("/e", b"x" * 1_000, fields=(("X", "y" * 30_000),)) is None
    assert len(seen) == 1
    assert cache.store.index.reserved_bytes == 0


def test_the_least_recently_used_goes_and_a_hit_keeps(tmp_path: Path) -> None:
    cache = Cache(tmp_path, 12_000)
    for name in "ab":
        cache.put(f"/{name}", b"x" * 4000)
    opened = cache.store.open(cache.store.find("/a")[0])
    assert opened is not None
    opened.touch()
    opened.close()
    cache.put("/c", b"x" * 4000)
    assert [cache.get(f"/{name}") is not None for name in "abc"] == [True, False, True]


@pytest.mark.parametrize("size", [10_000, 9_500])
def test_what_is_larger_than_the_cache_passes_through_and_evicts_nothing(tmp_path: Path, size: int) -> None:
    cache = Cache(tmp_path, 10_000)
    cache.put("/a", b"x" * 1000)
    assert cache.put("/b", b"x" * size) is None
    assert cache.get("/a") is not None
    assert cache.counted("too_large") == 1


def test_an_object_of_unknown_length_ends_at_the_capacity(tmp_path: Path) -> None:
    cache = Cache(tmp_path, 10_000)
    spool = cache.store.begin("/a", None)
    assert spool is not None
    spool.write(b"x" * 9_000)
    with pytest.raises(OSError, match="larger than the cache"):
        spool.write(b"x" * 1_001)
    assert spool.read(0, 20_000) == b"x" * 9_000
    spool.abandon()
    assert cache.store.index.reserved_bytes == 0
    assert cache.files() == []


def test_a_smaller_capacity_at_the_start_evicts_the_oldest(tmp_path: Path) -> None:
    before = Cache(tmp_path)
    paths = {}
    for number, name in enumerate("cab"):
        stored = before.put(f"/{name}", b"x" * 3000)
        assert stored is not None
        paths[name] = before.path(stored)
        os.utime(paths[name], (number, number))
    before.store.close()
    after = Cache(tmp_path, 8_000)
    assert [after.get(f"/{name}") is not None for name in "cab"] == [False, True, True]
    assert on_disk(after) <= 8_000


def test_admission_by_second_hit_stores_the_second_time(tmp_path: Path) -> None:
    cache = Cache(tmp_path, admission="second-hit")
    assert cache.put("/a", b"1") is None
    assert cache.counted("not_admitted") == 1
    assert cache.put("/a", b"2") is not None
    cache.store.find("/a")
    assert cache.put("/a", b"3") is not None, "what is held is renewed without asking"


def test_admission_by_size_judges_an_unknown_length_when_it_is_known(tmp_path: Path) -> None:
    cache = Cache(tmp_path, 10_000, admission="size-aware")

    def store(primary: str, size: int) -> Stored | None:
        spool = cache.store.begin(primary, None)
        assert spool is not None
        spool.write(b"x" * size)
        return cache.store.commit(spool, response(primary))

    assert all(store("/none", 0) is not None for _ in range(20))
    assert not any(store("/large", 8_000) for _ in range(20))  # exp(-80)
    assert cache.counted("not_admitted") == 20
    assert cache.store.index.reserved_bytes == 0
