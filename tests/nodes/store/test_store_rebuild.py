"""What the disk holds is taken up by a start, while the store is used; afterwards the index is as the disk."""

import asyncio
import os
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from storekit import Cache

from nodes.edge.policies.lru import Lru
from nodes.edge.store import index as index_module
from nodes.edge.store import rebuild, scan
from nodes.edge.store.index import Index
from nodes.edge.store.populate import populate, primary_key

ORIGIN = "http://127.0.0.1:9000"
COUNT = 1000


@pytest.fixture
def filled(tmp_path: Path) -> Path:
    populate(tmp_path, COUNT, b"x" * 100)
    return tmp_path


@pytest.fixture
def in_background(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rebuild, "AT_ONCE_S", 0.0)


def test_what_populate_makes_is_what_a_store_would_have(filled: Path) -> None:
    cache = Cache(filled)
    assert cache.store.index.ready
    assert len(cache.store) == COUNT
    assert cache.store.index.used_bytes == sum(path.stat().st_size for path in cache.files())
    assert cache.get(primary_key(ORIGIN, 7)) == b"x" * 100
    assert cache.counted("bad_objects") == 0
    cache.store.close()


@pytest.mark.usefixtures("in_background")
def test_it_serves_and_stores_while_it_takes_up(filled: Path) -> None:
    async def story() -> None:
        cache = Cache(filled, 100_000_000)
        assert not cache.store.index.ready
        assert cache.get(primary_key(ORIGIN, 5)) == b"x" * 100
        new = cache.put("/new", b"new")
        assert new is not None
        assert cache.store.remove(primary_key(ORIGIN, 6))
        replaced = cache.put(primary_key(ORIGIN, 8), b"replaced")
        assert replaced is not None
        await asyncio.wait_for(cache.store.ready(), 20)
        assert cache.store.index.ready
        assert len(cache.store) == COUNT
        assert cache.store.index.used_bytes == sum(path.stat().st_size for path in cache.files())
        assert cache.get("/new") == b"new"
        assert cache.get(primary_key(ORIGIN, 8)) == b"replaced"
        cache.store.close()

    asyncio.run(story())


@pytest.mark.usefixtures("in_background")
def test_until_it_knows_what_it_holds_it_writes_no_more_than_half_a_percent(filled: Path) -> None:
    async def story() -> None:
        cache = Cache(filled, 500_000)
        assert cache.put("/large", b"x" * 2_500) is None
        await asyncio.wait_for(cache.store.ready(), 20)
        assert cache.store.index.used_bytes <= 500_000
        assert sum(path.stat().st_size for path in cache.files()) == cache.store.index.used_bytes
        assert cache.put("/large", b"x" * 2_500) is not None
        cache.store.close()

    asyncio.run(story())


@pytest.mark.usefixtures("in_background")
def test_a_clear_while_it_takes_up_leaves_nothing(filled: Path) -> None:
    async def story() -> None:
        cache = Cache(filled, 100_000_000)
        cache.store.clear()
        await asyncio.wait_for(cache.store.ready(), 20)
        assert len(cache.store) == 0
        assert cache.get(primary_key(ORIGIN, 5)) is None
        assert cache.put("/a", b"x") is not None
        assert cache.get("/a") == b"x"
        cache.store.close()

    asyncio.run(story())


@pytest.mark.usefixtures("in_background")
def test_without_a_scanner_it_lists_by_itself(filled: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def story() -> None:
        monkeypatch.setattr(rebuild.sys, "executable", "/bin/false")
        cache = Cache(filled, 100_000_000)
        await asyncio.wait_for(cache.store.ready(), 20)
        assert len(cache.store) == COUNT
        cache.store.close()

    asyncio.run(story())


def test_the_scanner_says_what_a_listing_says(filled: Path) -> None:
    folders = sorted(str(path) for path in (filled / "objects").iterdir())
    objects, bad = scan.unpack(scan.pack(folders))
    found = list(objects)
    assert len(found) == COUNT
    assert bad == []
    assert found == sorted(found, key=lambda one: one[0])
    for changed_ns, name, size in found[:50]:
        status = os.stat(filled / "objects" / f"{name:032x}"[:2] / f"{name:032x}"[2:4] / f"{name:032x}")
        assert (status.st_mtime_ns, status.st_size) == (changed_ns, size)


def test_what_came_anew_while_the_disk_was_read_does_not_go_in_the_place_of_what_was_found() -> None:
    index = Index(partial(Lru, 1000))
    original, index_module.BATCH = index_module.BATCH, 112
    try:
        adoption = index.adopt(iter([(1, 1), *((name, 9) for name in range(2, 113))]))  # 1000 bytes
        assert next(adoption) == []
        assert index.insert(1, 1) == []  # stored again
        assert index.reserve(1) == []
        assert list(adoption) == [[2]]
    finally:
        index_module.BATCH = original
    assert len(index) == 111


EVENTS = st.lists(st.tuples(st.sampled_from(["insert", "remove", "touch", "reserve", "release"]), st.integers(0, 15),
                            st.integers(1, 40)), max_size=40)  # fmt: skip


@given(st.lists(st.tuples(st.integers(0, 15), st.integers(1, 40)), unique_by=lambda one: one[0]), EVENTS, st.data())
def test_events_between_the_batches_leave_the_index_as_the_disk(
    found: list[tuple[int, int]], events: list[tuple[str, int, int]], data: st.DataObject
) -> None:  # fmt: skip
    """The disk is a dict here; every name that the index gives up is taken from it."""
    index, disk, reserved = Index(partial(Lru, 300)), dict(found), 0

    def happen(event: tuple[str, int, int]) -> None:
        nonlocal reserved
        verb, name, size = event
        if verb == "insert":
            evicted = index.reserve(size)
            for gone in evicted or ():
                disk.pop(gone, None)
            if evicted is not None:
                index.release(size)
                disk[name] = size
                for gone in _given_up(index.insert(name, size), name):
                    disk.pop(gone, None)
        elif verb == "remove":
            disk.pop(name, None)
            index.remove(name)
        elif verb == "touch":
            index.touch(name)
        elif verb == "reserve":
            evicted = index.reserve(size)
            if evicted is not None:
                reserved += size
            for gone in evicted or ():
                disk.pop(gone, None)
        elif reserved >= size:
            index.release(size)
            reserved -= size

    rest = iter(events)
    original, headroom = index_module.BATCH, index_module.HEADROOM
    index_module.BATCH, index_module.HEADROOM = 2, 2
    try:
        for evicted in index.adopt(iter(found)):
            for gone in evicted:
                disk.pop(gone, None)
            if not index.ready:
                for event in _some(rest, data.draw(st.integers(0, 8))):
                    happen(event)
        for event in rest:
            happen(event)
    finally:
        index_module.BATCH, index_module.HEADROOM = original, headroom
    assert index.ready
    assert len(index) == len(disk)
    assert index.used_bytes == sum(disk.values())
    assert index.reserved_bytes == reserved
    assert index.used_bytes + index.reserved_bytes <= 300


def _given_up(evicted: list[int] | None, name: int) -> list[int]:
    return [name] if evicted is None else evicted


def _some(events: Iterator[tuple[str, int, int]], count: int) -> Iterator[tuple[str, int, int]]:
    for _ in range(count):
        event = next(events, None)
        if event is None:
            return
        yield event
