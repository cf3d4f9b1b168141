"""The cache on disk, without a network: what is whole after what."""

from __future__ import annotations

import fcntl
import os
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nodes.edge.record import Record, RecordError, decode, encode
from nodes.edge.store import Store
from nodes.http.message import Fields
from nodes.http.metrics import Metrics

EXAMPLE = Record("k", "k", ("accept",), "ab/x.body", 3, None, (("ETag", '"é"'),), 1.5, 0.25, 60.0)


class Cache:
    """A store that can be closed and opened again as after a crash."""

    def __init__(self, folder: Path, capacity: int = 1000, fsync: bool = False) -> None:
        self.metrics = Metrics("test")
        self.store = Store(folder, capacity, fsync, self.metrics)

    def crash(self) -> None:
        fcntl.flock(self.store._lock, fcntl.LOCK_UN)

    def put(self, key: str, data: bytes, received_s: float = 0.0) -> bool:
        spool = self.store.begin(key, len(data))
        if spool is None:
            return False
        spool.write(data)
        return self.store.commit(spool, Record(key, key, (), spool.name, len(data), None, (), received_s, 0.0, 60.0))

    def get(self, key: str) -> bytes | None:
        record = self.store.find(key)
        file = self.store.open(record) if record else None
        if file is None:
            return None
        with file:
            return file.read()


@given(st.binary(min_size=0, max_size=3), st.integers(0, 10_000))
def test_a_record_that_is_not_exactly_as_written_is_refused(noise: bytes, place: int) -> None:
    data = encode(EXAMPLE)
    assert decode(data) == EXAMPLE
    place %= len(data)
    spoiled = data[:place] + noise + data[place + 1 :]
    if spoiled != data:
        with pytest.raises(RecordError):
            decode(spoiled)
    with pytest.raises(RecordError):
        decode(data[:place])


@pytest.mark.parametrize("fsync", [False, True])
def test_what_was_stored_is_there_after_a_crash(tmp_path: Path, fsync: bool) -> None:
    before = Cache(tmp_path, fsync=fsync)
    assert before.put("a", b"one")
    assert before.put("a", b"other")
    before.crash()
    after = Cache(tmp_path, fsync=fsync)
    assert after.get("a") == b"other"
    assert len(list(tmp_path.rglob("*.body"))) == 1


def test_a_crash_before_the_commit_leaves_nothing(tmp_path: Path) -> None:
    before = Cache(tmp_path)
    spool = before.store.begin("a", 10)
    assert spool is not None
    spool.write(b"half")
    before.crash()
    after = Cache(tmp_path)
    assert after.get("a") is None
    assert not list(tmp_path.rglob("*.body"))


@pytest.mark.parametrize("suffix", [".record", ".body"])
@pytest.mark.parametrize("harm", ["shorter", "empty", "gone", "longer"])
def test_the_start_drops_and_counts_what_is_not_whole(tmp_path: Path, suffix: str, harm: str) -> None:
    before = Cache(tmp_path)
    before.put("a", b"data")
    before.put("b", b"whole")
    before.crash()
    record = before.store.find("a")
    assert record is not None
    path = tmp_path / "objects" / record.body if suffix == ".body" else before.store._record_path("a")
    if harm == "gone":
        path.unlink()
    elif harm == "longer":
        path.write_bytes(path.read_bytes() + b"x")
    else:
        os.truncate(path, 0 if harm == "empty" else path.stat().st_size - 1)
    after = Cache(tmp_path)
    assert len(after.store) == 1
    assert (after.get("a"), after.get("b")) == (None, b"whole")
    counted = 0 if (suffix, harm) == (".record", "gone") else 1
    assert after.metrics.value("longhaul_cache_bad_objects_total") == counted
    assert len([*tmp_path.rglob("*.body"), *tmp_path.rglob("*.record")]) == 2


def test_a_smaller_capacity_at_the_start_evicts_the_oldest(tmp_path: Path) -> None:
    before = Cache(tmp_path)
    for number, key in enumerate("cab"):
        before.put(key, b"x" * 100, received_s=number)
    before.crash()
    after = Cache(tmp_path, capacity=200)
    assert [after.get(key) is not None for key in "cab"] == [False, True, True]


def test_a_clear_reaches_what_is_still_being_written(tmp_path: Path) -> None:
    cache = Cache(tmp_path)
    cache.put("a", b"data")
    spool = cache.store.begin("b", 3)
    assert spool is not None
    spool.write(b"new")
    assert cache.store.clear() == 1
    assert not cache.store.commit(spool, replace(EXAMPLE, key="b", primary="b", body=spool.name))
    assert cache.store.lru.reserved_bytes == 0
    assert not [*tmp_path.rglob("*.body"), *tmp_path.rglob("*.record")]


def test_an_object_of_unknown_length_ends_at_the_capacity(tmp_path: Path) -> None:
    cache = Cache(tmp_path, capacity=100)
    spool = cache.store.begin("a", None)
    assert spool is not None
    spool.write(b"x" * 90)
    with pytest.raises(OSError, match="larger than the cache"):
        spool.write(b"x" * 11)
    assert spool.size_bytes == 90
    spool.abandon()
    assert cache.store.lru.reserved_bytes == 0


def test_a_refresh_changes_the_record_and_not_the_bytes(tmp_path: Path) -> None:
    before = Cache(tmp_path)
    before.put("a", b"data")
    record = before.store.find("a")
    assert record is not None
    before.store.refresh(record, Fields([("X", "1")]), 99.0, 1.0, 7.0)
    before.crash()
    found = Cache(tmp_path).store.find("a")
    assert found is not None
    assert (found.fields, found.received_s, found.lifetime_s) == ((("X", "1"),), 99.0, 7.0)


def test_a_folder_that_cannot_be_made_is_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(Exception, match=r"could not use the cache .*: .*; choose another --cache"):
        Cache(tmp_path / "file")
