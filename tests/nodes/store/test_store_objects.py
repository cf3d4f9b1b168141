"""Stored, found, opened, renewed, joined: what the store gives back."""

import asyncio
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from storekit import Cache, response

from nodes.edge.store.combine import Piece, plan_of
from nodes.edge.store.digests import PART_BYTES
from nodes.edge.store.names import name_of
from nodes.edge.store.store import MAX_VARIANTS
from nodes.edge.stored import Part
from nodes.http.failure import Failure

BIG = os.urandom(2 * PART_BYTES + 5)


@pytest.mark.parametrize("fsync", [False, True])
@pytest.mark.parametrize("body", [b"", b"x", BIG])
def test_what_was_stored_is_there_as_it_was_also_after_a_crash(tmp_path: Path, fsync: bool, body: bytes) -> None:
    cache = Cache(tmp_path, fsync=fsync)
    stored = cache.put("/a", body)
    assert stored is not None
    assert stored.complete
    assert stored.size_bytes == len(body)
    for _ in range(2):
        assert cache.store.find("/a") == (stored,)
        assert cache.get("/a") == body
        assert len(cache.store) == 1
        cache.crash()


def test_a_second_response_replaces_the_first(tmp_path: Path) -> None:
    cache = Cache(tmp_path)
    first = cache.put("/a", b"first")
    assert first is not None
    opened = cache.store.open(first)
    assert opened is not None
    cache.put("/a", b"second!")
    assert cache.get("/a") == b"second!"
    assert not opened.alive
    assert cache.store.open(first) is None
    assert opened.read(0, 5) == b"first"  # who reads the old goes on reading the old
    opened.close()
    assert len(cache.files()) == 1
    assert cache.store.index.used_bytes == cache.files()[0].stat().st_size
    assert cache.counted("bad_objects") == 0


def test_variants_are_found_together_also_after_a_restart(tmp_path: Path) -> None:
    cache = Cache(tmp_path)
    for number, language in enumerate(("de", "en", "fr")):
        cache.put("/a", language.encode(), vary=(("accept-language", language),), received_s=float(number))
    cache.put("/b", b"other")
    for _ in range(2):
        assert [stored.vary[0][1] for stored in cache.store.find("/a")] == ["de", "en", "fr"]
        cache.crash()
    assert cache.store.remove(cache.store.find("/a")[1].key)
    assert [stored.vary[0][1] for stored in cache.store.find("/a")] == ["de", "fr"]


def test_no_more_variants_are_kept_than_a_lookup_can_bear(tmp_path: Path) -> None:
    cache = Cache(tmp_path)
    cache.store.find("/a")
    for number in range(MAX_VARIANTS + 3):
        cache.put("/a", b"x", vary=(("user-agent", str(number)),), received_s=float(number))
    assert [stored.vary[0][1] for stored in cache.store.find("/a")] == [str(n) for n in range(3, MAX_VARIANTS + 3)]
    assert len(cache.files()) == MAX_VARIANTS


@pytest.mark.parametrize("received_s", [9.0, 1234567890.123456])
def test_an_update_changes_the_metadata_and_not_the_bytes(tmp_path: Path, received_s: float) -> None:
    cache = Cache(tmp_path)
    stored = cache.put("/a", BIG)
    assert stored is not None
    inode = cache.path(stored).stat().st_ino
    updated = cache.store.update(stored, response("/a", fields=(("ETag", '"2"'),) * 200, received_s=received_s))
    assert updated.parts == stored.parts
    for _ in range(2):
        assert cache.store.find("/a") == (updated,)
        assert cache.get("/a") == BIG
        assert cache.store.index.used_bytes == cache.path(stored).stat().st_size
        cache.crash()
    assert cache.path(stored).stat().st_ino == inode
    shorter = cache.store.update(updated, response("/a", fields=()))
    assert cache.store.index.used_bytes == cache.path(stored).stat().st_size
    cache.crash()
    assert cache.store.find("/a") == (shorter,)


def test_an_update_of_what_is_gone_brings_nothing_back(tmp_path: Path) -> None:
    cache = Cache(tmp_path)
    stored = cache.put("/a", b"x")
    assert stored is not None
    cache.store.remove(stored.key)
    cache.store.update(stored, response("/a"))
    assert cache.store.find("/a") == ()
    assert cache.files() == []


def test_every_change_is_told_at_once(tmp_path: Path) -> None:
    cache, told = Cache(tmp_path, 30_000), list[int | None]()
    cache.store.on_change = told.append
    a = cache.put("/a", b"x" * 10_000)
    assert a is not None
    cache.store.find("/a")
    told.clear()
    a = cache.store.update(a, response("/a", received_s=8.0))
    assert told == [name_of("/a")]
    opened = cache.store.open(a)
    assert opened is not None
    cache.put("/b", b"x" * 10_000)
    told.clear()
    cache.put("/c", b"x" * 10_000)  # evicts /a
    assert name_of("/a") in told
    assert not opened.alive
    opened.close()
    cache.store.clear()
    assert told[-1] is None


def test_a_part_is_kept_as_a_part(tmp_path: Path) -> None:
    cache = Cache(tmp_path)
    stored = cache.put_part("/a", 50, b"b" * 100, 200)
    assert stored is not None
    assert not stored.complete
    assert [(part.start, part.length) for part in stored.parts] == [(50, 100)]
    opened = cache.store.open(stored)
    assert opened is not None
    assert opened.read(60, 5) == b"bbbbb"
    assert opened.offset(50) == 0
    for start, length in ((0, 1), (49, 2), (149, 2), (150, 1)):
        with pytest.raises(ValueError, match="is not kept"):
            opened.check(start, length)
    opened.close()


@pytest.mark.parametrize(("start", "body", "size_bytes"), [(150, b"x" * 51, 200), (0, b"", 200)])
def test_a_part_that_cannot_be_one_is_not_stored(tmp_path: Path, start: int, body: bytes, size_bytes: int) -> None:
    cache = Cache(tmp_path)
    assert cache.put_part("/a", start, body, size_bytes) is None
    assert cache.files() == []
    assert cache.store.index.reserved_bytes == 0


def test_a_response_of_another_length_than_it_said_is_not_stored(tmp_path: Path) -> None:
    cache = Cache(tmp_path)
    assert cache.put("/a", b"12345", size_bytes=6) is None
    assert cache.files() == []


SPANS = st.tuples(st.integers(0, 60), st.integers(1, 40))


@given(st.lists(SPANS, min_size=1, max_size=6))
def test_joined_parts_hold_for_each_byte_what_came_last(tmp_path_factory: pytest.TempPathFactory,
                                                         spans: list[tuple[int, int]]) -> None:  # fmt: skip
    async def story() -> None:
        cache = Cache(tmp_path_factory.mktemp("join"))
        expected: dict[int, int] = {}
        stored = None
        for number, (start, length) in enumerate(spans):
            body = bytes([number]) * length
            expected |= dict.fromkeys(range(start, start + length), number)
            if stored is None:
                stored = cache.put_part("/a", start, body, 100)
            else:
                spool = cache.store.begin("/a", length)
                assert spool is not None
                spool.at(start)
                spool.write(body)
                stored = await cache.store.combine(stored, spool, response("/a", status=206, size_bytes=100))
            assert stored is not None
        opened = cache.store.open(stored)
        assert opened is not None
        held = {part.start + n: byte for part in stored.parts for n, byte in enumerate(opened.read(part.start, part.length))}
        assert held == expected
        assert stored.complete == (len(expected) == 100)
        assert len(cache.files()) == 1
        assert cache.store.index.reserved_bytes == 0
        opened.close()
        cache.store.close()

    asyncio.run(story())


def test_a_stored_part_that_is_damaged_is_not_joined(tmp_path: Path) -> None:
    async def story() -> None:
        cache = Cache(tmp_path)
        stored = cache.put_part("/a", 0, b"a" * 50, 100)
        assert stored is not None
        with open(cache.path(stored), "r+b") as file:
            file.write(b"b")
        spool = cache.store.begin("/a", 50)
        assert spool is not None
        spool.at(50)
        spool.write(b"c" * 50)
        assert await cache.store.combine(stored, spool, response("/a", size_bytes=100)) is None
        assert cache.store.find("/a") == ()
        assert cache.counted("bad_objects") == 1
        assert cache.files() == []

    asyncio.run(story())


def test_what_was_removed_while_it_was_joined_stays_removed(tmp_path: Path) -> None:
    async def story() -> None:
        cache = Cache(tmp_path)
        stored = cache.put_part("/a", 0, BIG, 2 * len(BIG))
        assert stored is not None
        spool = cache.store.begin("/a", len(BIG))
        assert spool is not None
        spool.at(len(BIG))
        spool.write(BIG)
        joining = asyncio.create_task(cache.store.combine(stored, spool, response("/a", size_bytes=2 * len(BIG))))
        await asyncio.sleep(0)
        cache.store.remove(stored.key)
        assert await joining is None
        assert cache.files() == []
        assert cache.store.index.reserved_bytes == 0

    asyncio.run(story())


def test_a_part_that_was_asked_for_before_a_purge_is_not_joined_to_what_came_after_it(tmp_path: Path) -> None:
    async def story() -> None:
        cache = Cache(tmp_path)
        cache.put_part("/a", 0, b"a" * 50, 100)
        spool = cache.store.begin("/a", 50)
        assert spool is not None
        assert len(cache.store.find("/a")) == 1
        assert cache.store.purge_uri(response("/a").uri) == 1
        newer = cache.put_part("/a", 0, b"n" * 50, 100)
        assert newer is not None
        spool.at(50)
        spool.write(b"o" * 50)
        assert await cache.store.combine(newer, spool, response("/a", size_bytes=100)) is None
        assert cache.get("/a") == b"n" * 50
        cache.store.close()

    asyncio.run(story())


def test_the_plan_of_a_join_keeps_what_the_new_bytes_do_not_cover() -> None:
    kept = [Part(0, 10, b""), Part(10, 10, b""), Part(40, 10, b"")]
    assert plan_of(kept, [Part(15, 30, b"")]) == [Piece(0, 10, False), Piece(10, 5, False), Piece(15, 30, True),
                                                  Piece(45, 5, False)]  # fmt: skip
    assert plan_of(kept, []) == []


def test_two_edges_cannot_use_one_folder(tmp_path: Path) -> None:
    cache = Cache(tmp_path)
    with pytest.raises(Failure, match=r"could not use the cache .*: another edge uses it; choose another --cache"):
        Cache(tmp_path)
    cache.store.close()
    Cache(tmp_path)


def test_a_folder_that_cannot_be_made_is_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(Failure, match=r"could not use the cache .*: .*; choose another --cache"):
        Cache(tmp_path / "file")


def test_a_policy_that_must_know_the_future_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="'belady' must know the future; choose one of clock, fifo"):
        Cache(tmp_path, policy="belady")


def test_what_memory_forgets_is_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache = Cache(tmp_path)
    monkeypatch.setattr(cache.store._known, "_limit", 2)
    stored = {name: cache.put(f"/{name}", name.encode()) for name in "abcd"}
    for _ in range(2):
        for name in "abcd":
            assert cache.store.find(f"/{name}") == (stored[name],)
            assert cache.get(f"/{name}") == name.encode()
            assert len(cache.store._known.entries()) <= 2
    old = stored["a"]
    assert old is not None
    assert cache.store.update(old, response("/a", received_s=5.0)) == cache.store.find("/a")[0]
