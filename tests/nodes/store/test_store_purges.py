"""What was purged is not used again, in memory, on the disk, on its way, or after a restart."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from storekit import ORIGIN, Cache, response

from nodes.edge.caching.invalidation import member_of
from nodes.edge.store.purges import Purges, PurgesError, _checksum, origin_of
from nodes.edge.store.store import Store
from tests.nodes.growth import growth

GROUPS = (("Cache-Groups", '"news", "sport"'),)
PURGES: dict[str, Callable[[Store], int]] = {
    "uri": lambda store: store.purge_uri(f"{ORIGIN}/a/1"),
    "prefix": lambda store: store.purge_prefix(f"{ORIGIN}/a"),
    "group": lambda store: store.purge_group(ORIGIN, "sport"),
    "everything": lambda store: store.clear(),
}
OTHERS: dict[str, Callable[[Store], int]] = {
    "another uri": lambda store: store.purge_uri(f"{ORIGIN}/a"),
    "another prefix": lambda store: store.purge_prefix(f"{ORIGIN}/b"),
    "another group": lambda store: store.purge_group(ORIGIN, "new"),
    "another origin's group": lambda store: store.purge_group("http://other.example", "sport"),
}


def filled(folder: Path) -> Cache:
    cache = Cache(folder)
    cache.put("/a/1", b"de", vary=(("accept-language", "de"),), fields=GROUPS)
    cache.put("/a/1", b"en", vary=(("accept-language", "en"),), fields=GROUPS)
    return cache


@pytest.mark.parametrize("kind", PURGES)
@pytest.mark.parametrize("known", [True, False])
def test_a_purge_reaches_what_is_stored(tmp_path: Path, kind: str, known: bool) -> None:
    cache = filled(tmp_path)
    if known:
        assert len(cache.store.find("/a/1")) == 2
    count = PURGES[kind](cache.store)
    assert count == (2 if known or kind == "everything" else 0)
    assert cache.store.find("/a/1") == ()
    assert cache.counted("purged") == 2
    assert cache.files() == []
    cache.put("/a/1", b"new", fields=GROUPS)
    for _ in range(2):
        assert cache.get("/a/1") == b"new", "what came after it is not purged"
        cache.crash()


@pytest.mark.parametrize("kind", PURGES)
def test_a_purge_holds_after_a_crash(tmp_path: Path, kind: str) -> None:
    cache = filled(tmp_path)
    PURGES[kind](cache.store)
    cache.crash()
    assert cache.store.find("/a/1") == ()


BY_KEY: dict[str, Callable[[Store, str], int]] = {
    "uri": lambda store, start: store.purge_uri("http://b/a/1", [start]),
    "prefix": lambda store, start: store.purge_prefix("http://b/a", [start]),
    "group": lambda store, start: store.purge_group("http://b", "sport", [start]),
}


@pytest.mark.parametrize("crash", [True, False])
@pytest.mark.parametrize("start", ["http://backend", "http://backend:81", "http://backend b"])
@pytest.mark.parametrize("kind", BY_KEY)
def test_a_purge_by_key_reaches_what_was_asked_of_another_host(tmp_path: Path, kind: str, start: str, crash: bool) -> None:
    cache, mine = Cache(tmp_path), start == "http://backend"
    cache.put("http://backend/a/1 x-device=d", b"1", uri="http://a/a/1", fields=GROUPS)
    cache.put("http://backend/b", b"2", uri="http://a/b")
    cache.store.find("http://backend/a/1 x-device=d")
    assert BY_KEY[kind](cache.store, start) == (1 if mine else 0)
    if crash:
        cache.crash()
    assert len(cache.store.find("http://backend/a/1 x-device=d")) == (0 if mine else 1)
    assert len(cache.store.find("http://backend/b")) == 1


@pytest.mark.parametrize("kind", OTHERS)
def test_a_purge_reaches_nothing_else(tmp_path: Path, kind: str) -> None:
    cache = filled(tmp_path)
    cache.store.find("/a/1")
    assert OTHERS[kind](cache.store) == 0
    for _ in range(2):
        assert len(cache.store.find("/a/1")) == 2
        cache.crash()


@pytest.mark.parametrize("kind", PURGES)
def test_what_was_on_its_way_is_not_stored(tmp_path: Path, kind: str) -> None:
    cache = Cache(tmp_path)
    spool = cache.store.begin("/a/1", 3)
    assert spool is not None
    spool.write(b"old")
    PURGES[kind](cache.store)
    assert cache.store.commit(spool, response("/a/1", fields=GROUPS)) is None
    assert cache.store.index.reserved_bytes == 0
    assert cache.files() == []


def test_an_update_does_not_save_what_is_purged_later(tmp_path: Path) -> None:
    cache = Cache(tmp_path)
    stored = cache.put("/a/1", b"x")
    assert stored is not None
    cache.store.purge_uri("http://elsewhere/")
    stored = cache.store.update(stored, response("/a/1", received_s=9.0))
    cache.store.purge_uri(stored.uri)
    cache.crash()
    assert cache.store.find("/a/1") == ()


def test_a_damaged_list_of_purges_empties_the_cache(tmp_path: Path) -> None:
    cache = filled(tmp_path)
    cache.store.purge_uri("http://elsewhere/")
    path = tmp_path / "purges"
    data = bytearray(path.read_bytes())
    data[12] ^= 4
    path.write_bytes(data)
    cache.crash()
    assert cache.counted("bad_objects") == 1
    assert cache.store.find("/a/1") == ()
    assert len(cache.store) == 0
    cache.put("/a/1", b"new")
    cache.crash()
    assert cache.get("/a/1") == b"new"


def test_objects_without_their_list_of_purges_are_refused(tmp_path: Path) -> None:
    cache = Cache(tmp_path)
    cache.store.purge_uri("http://elsewhere/")
    cache.put("/a/1", b"x")
    (tmp_path / "purges").unlink()
    cache.crash()
    assert cache.store.find("/a/1") == ()
    assert cache.counted("bad_objects") == 1


@pytest.mark.parametrize(
    "line", [b"", b"[]", b"1", b"x", b"[" * 100_000, b'["uri","a",1]', b'["uri",1,1,0]', b'["uri","a","1",0]', b'[[],"a",1,0]',
             b'["other","a",1,0]', b'["uri","a",true,0]'],
)  # fmt: skip
def test_a_line_that_is_no_order_is_refused_though_its_checksum_is_right(line: bytes) -> None:
    with pytest.raises(PurgesError):
        Purges(member_of).read(_checksum(line) + b" " + line + b"\n")


@pytest.mark.parametrize("keyed", [False, True])
def test_of_long_urls_no_more_than_a_digest_is_remembered(keyed: bool) -> None:
    purges, urls = Purges(member_of), [f"/{number}{'x' * 8000}" for number in range(200)]
    for url in urls[:100]:
        purges.order("keyed-uri", f"http://o\t{url}", 1.0) if keyed else purges.order("uri", f"http://a{url}", 1.0)
    assert len(purges) == 100
    again = Purges(member_of)
    again.read(purges.lines(1.0))
    assert len(purges.lines(1.0)) < 100 * 200
    for known in (purges, again):
        reached = [known.reach(response(f"http://o{url}", uri=f"http://a{url}"), 0) for url in urls]
        assert reached == [True] * 100 + [False] * 100


@pytest.mark.parametrize("starts", [(), ("http://origin",)])
@pytest.mark.parametrize("crash", [True, False])
def test_more_orders_than_are_remembered_become_one_of_everything(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, starts: tuple[str, ...], crash: bool
) -> None:
    monkeypatch.setattr("nodes.edge.store.purges.MOST", 4)
    cache = filled(tmp_path)
    cache.put("/kept", b"x")
    for number in range(4 // (1 + len(starts))):
        cache.store.purge_uri(f"http://elsewhere/{number}", starts)
    assert len(cache.store.find("/a/1")) == 2, "four are remembered one by one"
    cache.store.purge_uri("http://elsewhere/one-more", starts)
    assert len(cache.store.purges) <= 4
    assert (tmp_path / "purges").read_bytes().count(b"\n") <= 4 + 2
    assert cache.counted("purges_coarser") == 1
    if crash:
        cache.crash()
    assert cache.store.find("/a/1") == cache.store.find("/kept") == ()
    cache.put("/kept", b"new")
    assert cache.get("/kept") == b"new"


@pytest.mark.parametrize("starts", [(), ("http://origin",)])
def test_a_purge_of_a_url_does_not_look_at_all_that_is_known(tmp_path: Path, starts: tuple[str, ...]) -> None:
    """Every unsafe request orders one."""
    def filled(count: int) -> Store:
        cache = Cache(tmp_path / str(count))
        for number in range(count):
            cache.put(f"/{number}", b"")
            cache.store.find(f"/{number}")
        return cache.store

    assert growth(filled, lambda store: [store.purge_uri("http://a/none", starts) for _ in range(10)], 100) < 3


@given(st.integers(0, 200))
def test_a_line_that_was_cut_is_as_if_not_ordered_and_nothing_else_is_lost(cut: int) -> None:
    purges = Purges(member_of)
    first = purges.order("uri", "http://a/é", 1.0)
    whole = first + purges.order("group", "http://a  news", 2.0)
    again = Purges(member_of)
    again.read(whole[: len(first) + cut % (len(whole) - len(first))])
    assert again.uris == {"http://a/é": 1}
    assert again.groups == {}


@given(st.lists(st.tuples(st.sampled_from(["uri", "prefix", "keyed-uri", "everything"]), st.text(max_size=8)), max_size=8),
       st.integers(0, 8))  # fmt: skip
def test_the_list_survives_its_file(orders: list[tuple[str, str]], forgotten: int) -> None:
    purges = Purges(member_of)
    lines = b"".join(purges.order(kind, "" if kind == "everything" else value, 1.0) for kind, value in orders)
    for data in (lines, purges.lines(2.0)):
        again = Purges(member_of)
        again.read(data)
        assert again == purges
    purges.forget(forgotten)
    again = Purges(member_of)
    again.read(purges.lines(3.0))
    assert again == purges


@given(st.integers(0, 10_000))
def test_a_flipped_bit_in_the_list_is_noticed_or_changes_nothing(bit: int) -> None:
    purges = Purges(member_of)
    data = bytearray(purges.order("uri", "http://a/", 1.0) + purges.order("prefix", "http://b/", 1.0))
    bit %= len(data) * 8
    data[bit // 8] ^= 1 << bit % 8
    again = Purges(member_of)
    try:
        again.read(bytes(data))
    except PurgesError:
        return
    assert bit // 8 == len(data) - 1, "only the last newline may go unnoticed: then the last order was not acknowledged"


def test_origins_compare_as_rfc_9875_says() -> None:
    assert origin_of("HTTP://Example.org/x?y") == "http://example.org"
    assert origin_of("http://Example.org") == "http://example.org"


@pytest.mark.parametrize("origin", ["http://[.]", "http://[1:2]", "http://[::1]:81"])
def test_every_origin_that_a_stored_uri_may_have_is_compared(origin: str) -> None:
    assert origin_of(f"{origin}/x?y=/") == origin


def test_a_sweep_frees_what_was_purged_and_shortens_the_list(tmp_path: Path) -> None:
    async def story() -> None:
        cache = filled(tmp_path)
        cache.put("/b", b"stays")
        cache.store.purge_prefix(f"{ORIGIN}/a")
        spool = cache.store.begin("/c", 1)
        assert spool is not None
        cache.store.purge_uri(f"{ORIGIN}/c")
        spool.write(b"c")
        assert len(cache.files()) == 3 + 1
        await cache.store._sweep.once()
        assert len(cache.files()) == 1 + 1
        assert len(cache.store.purges) == 1, "what is still being written must not outlive its purge"
        assert cache.store.commit(spool, response("/c")) is None
        await cache.store._sweep.once()
        assert len(cache.store.purges) == 0
        assert cache.get("/b") == b"stays"
        cache.crash()
        assert cache.get("/b") == b"stays"
        assert cache.put("/a/1", b"again") is not None
        cache.store.close()

    asyncio.run(story())


def test_a_sweep_is_not_ended_by_a_file_of_somebody_else_nor_by_the_emptying_of_the_cache(tmp_path: Path) -> None:
    async def story() -> None:
        cache = filled(tmp_path)
        (cache.folder / "objects" / ".somebody").touch()
        cache.store.purge_prefix(f"{ORIGIN}/a")
        await cache.store._sweep.once()
        assert len(cache.store.purges) == 0
        for number in range(5):
            cache.put(f"/b/{number}", b"x")
        cache.store.purge_uri(f"{ORIGIN}/b/0")
        sweeping = asyncio.create_task(cache.store._sweep.once())
        await asyncio.sleep(0)
        cache.store.clear()
        await sweeping
        cache.store.close()

    asyncio.run(story())


def test_a_large_cache_is_emptied_in_a_thread_and_its_room_is_free_when_that_is_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nodes.edge.store.purgeable.AT_ONCE", 0)

    async def story() -> None:
        cache = Cache(tmp_path, 100_000)
        for number in range(15):
            assert cache.put(f"/{number}", b"x" * 6_000) is not None
        used = cache.store.index.used_bytes
        assert cache.store.clear() == 15
        assert cache.store.find("/1") == ()
        assert (cache.store.index.used_bytes, cache.store.index.reserved_bytes) == (0, used)
        assert cache.put("/large", b"x" * 20_000) is None, "the disk still holds what is being deleted"
        while cache.store.index.reserved_bytes:
            await asyncio.sleep(0.001)
        assert cache.files() == []
        assert cache.put("/large", b"x" * 20_000) is not None
        cache.store.close()

    asyncio.run(story())
