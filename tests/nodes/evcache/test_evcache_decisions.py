"""The cache's decisions as tables: node list, keys, policies, order, lifetimes, versions, packing."""

import asyncio
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from uhashring import HashRing

from nodes.evcache import packing
from nodes.evcache.keys import BadKey, Keys
from nodes.evcache.lifetime import LONGEST_S, lifetime_s
from nodes.evcache.node_list import Address, parse
from nodes.evcache.read_order import ReadOrder
from nodes.evcache.replica import Replica
from nodes.evcache.settings import Settings
from nodes.evcache.version import Versions, at_us
from nodes.evcache.write_policy import POLICIES, needed


def test_a_node_list_in_evcaches_form() -> None:
    found = parse("APP-NODES=zone0=10.0.0.1:11211,[::1]:11212;zone1=cache:1;")
    assert found.app == "APP"
    assert found.zones == {"zone0": (Address("10.0.0.1", 11211), Address("::1", 11212)), "zone1": (Address("cache", 1),)}
    assert found.zones["zone0"][0].label == "10.0.0.1/10.0.0.1:11211"


def test_keys_go_to_nodes_by_the_ketama_of_host_ip_and_port() -> None:
    nodes = parse("APP-NODES=a=10.0.0.1:11211,10.0.0.2:11211,10.0.0.3:11212").zones["a"]
    theirs = HashRing(["10.0.0.1/10.0.0.1:11211", "10.0.0.2/10.0.0.2:11211", "10.0.0.3/10.0.0.3:11212"], hash_fn="ketama")

    async def main() -> None:
        replica = Replica("a", nodes, Settings())
        for wire in (b"ns:%d" % number for number in range(500)):
            host, _, port = theirs.get_node(wire.decode()).partition("/")[2].partition(":")
            assert replica._write(wire).where == f"{host}:{port}"
        replica.close()

    asyncio.run(main())


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "APP-NODES="),
        ("APP=zone0=h:1", "APP-NODES="),
        ("APP-NODES=", "not ZONE="),
        ("APP-NODES=zone0=", "zone zone0 is empty"),
        ("APP-NODES=zone0=h:1;zone1=", "zone zone1 is empty"),
        ("APP-NODES=zone0=h:1;;zone1=h:2", "not ZONE="),
        ("APP-NODES=zone0=h:1;zone0=h:2", "zone0 stands twice"),
        ("APP-NODES=zone0=h:1,h:1", "h:1 stands twice, in zone zone0"),
        ("APP-NODES=zone0=h:1;zone1=h:1", "h:1 stands twice, in zones zone0 and zone1"),
        ("APP-NODES=zone0=h:1,", "'' in zone zone0"),
        ("APP-NODES=zone0=h", "'h' in zone zone0"),
        ("APP-NODES=zone0=h:0", "'h:0'"),
        ("APP-NODES=zone0=h:65536", "65535"),
        ("APP-NODES=zone0=::1:11211", "HOST:PORT"),
    ],
)
def test_a_wrong_node_list_says_what_is_wrong(text: str, words: str) -> None:
    with pytest.raises(ValueError, match=words.replace("[", r"\[")):
        parse(text)


@pytest.mark.parametrize(
    ("key", "words"),
    [("", "empty"), ("a b", "0x20"), ("a\n", "0x0a"), ("\x7f", "0x7f"), ("x" * 256, "256 bytes"), ("é" * 128, "256 bytes"),
     ("#a", "#"), ("\ud800", "Unicode")],
)  # fmt: skip
def test_keys_that_cannot_be(key: str, words: str) -> None:
    with pytest.raises(BadKey, match=words):
        Keys("ns").wire(key)


def test_keys_carry_their_namespace_and_fit_memcached() -> None:
    assert Keys("ns").wire("é") == b"ns:\xc3\xa9"
    long, longer = Keys("ns").wire("x" * 255), Keys("ns").wire("x" * 254)
    assert long != longer
    assert long.startswith(b"ns:#")
    assert len(long) <= 250
    assert Keys("ns").wire("x" * 247) == b"ns:" + b"x" * 247
    assert Keys("ns").chunk("x" * 255, 2**62, 63).startswith(b"ns:#")
    for wrong in ("", "a b", "x" * 65, "a:b"):
        with pytest.raises(ValueError, match="namespace"):
            Keys(wrong)


@pytest.mark.parametrize(
    ("copies", "none", "one", "quorum", "all_minus_1", "every"),
    [(0, 0, 0, 0, 0, 0), (1, 0, 1, 1, 1, 1), (2, 0, 1, 2, 1, 2), (3, 0, 1, 2, 2, 3), (4, 0, 1, 3, 3, 4), (5, 0, 1, 3, 4, 5)],
)
def test_how_many_copies_each_policy_waits_for(
    copies: int, none: int, one: int, quorum: int, all_minus_1: int, every: int
) -> None:
    assert [needed(policy, copies) for policy in POLICIES] == [none, one, quorum, all_minus_1, every]


def test_an_unknown_policy_names_those_that_are() -> None:
    with pytest.raises(ValueError, match="'two' is no write policy; choose one of none, one, quorum, all-minus-1, all"):
        needed("two", 3)


def test_reads_go_to_the_local_zone_first_and_then_evenly() -> None:
    order = ReadOrder(["a", "b", "c", "d"], "b")
    seen = [order.next() for _ in range(300)]
    assert {one[0] for one in seen} == {"b"}
    assert all(sorted(one) == ["a", "b", "c", "d"] for one in seen)
    for place in (1, 2, 3):
        assert [sum(one[place] == zone for one in seen) for zone in "acd"] == [100, 100, 100]
    assert ReadOrder(["a"], "a").next() == ("a",)
    assert ReadOrder([], None).next() == ()
    with pytest.raises(ValueError, match="'x' is none"):
        ReadOrder(["a"], "x")


@given(st.floats(1, 1e9), st.integers(1, 10**7), st.floats(0, 0.5), st.floats(0, 1))
def test_a_lifetime_is_never_above_what_was_asked_or_the_bound(asked: float, bound: int, jitter: float, chance: float) -> None:
    found = lifetime_s(asked, bound, jitter, chance)
    assert 1 <= found <= max(1, min(asked, bound, LONGEST_S))
    assert found >= min(asked, bound, LONGEST_S) * (1 - jitter) - 1


def test_a_lifetime_below_a_second_is_refused() -> None:
    assert lifetime_s(None, 60, 0.1, 1.0) == 54
    for wrong in (0, -1, 0.9, float("nan")):
        with pytest.raises(ValueError, match="time to live"):
            lifetime_s(wrong, 60, 0, 0)


@given(st.lists(st.integers(0, 2**51), max_size=50))
def test_versions_grow_however_the_clock_jumps(clock: list[int]) -> None:
    mine, other = Versions(1), Versions(2)
    given_out = []
    for now_us in clock:
        given_out.append(mine.next(now_us))
        other.saw(given_out[-1])
        given_out.append(other.next(now_us - 10))
        mine.saw(given_out[-1])
    assert given_out == sorted(set(given_out))
    assert all(version < 2**63 for version in given_out)


def test_a_clock_that_had_jumped_ahead_is_forgotten_when_its_version_is_refused() -> None:
    one = Versions(1)
    one.saw(one.next(1_000))
    far = one.next(10**12)
    assert one.next(2_000) > far, "it only grows"
    one.refused()
    assert at_us(one.next(2_000)) == 2_000
    one.saw(Versions(2).next(5_000))
    one.refused()
    assert at_us(one.next(2_000)) == 5_001, "above what stands"


def test_a_version_says_when_it_was_made() -> None:
    assert at_us(Versions(5).next(1_700_000_000_000_000)) == 1_700_000_000_000_000


@given(st.binary(max_size=3000) | st.none(), st.integers(0, 2**63 - 1), st.integers(0, 4000))
def test_what_is_packed_is_unpacked(value: bytes | None, version: int, above: int) -> None:
    item, chunks = packing.pack(value, version, above)
    assert not chunks
    assert packing.unpack(item) == packing.Copy(version, value, durable=False)
    assert packing.unpack(item + packing.SEAL) == packing.Copy(version, value, durable=True)
    for wrong in (item + b"?", item + 2 * packing.SEAL):
        with pytest.raises(packing.BadCopy):
            packing.unpack(wrong)


def test_a_large_value_goes_in_chunks_and_none_may_be_missing_or_changed() -> None:
    value = b"".join(zlib.compress(b"%d" % number) for number in range(160_000))
    item, chunks = packing.pack(value, 7, len(value))
    copy = packing.unpack(item)
    assert copy.chunks == len(chunks) == 3
    assert max(map(len, chunks)) + 300 < 2**20
    assert not copy.durable
    assert packing.joined(packing.unpack(item + packing.SEAL), chunks) == packing.Copy(7, value)
    for wrong in (chunks[:-1], [chunks[1], chunks[0], *chunks[2:]], [*chunks[:-1], chunks[-1][:-1] + b"?"]):
        with pytest.raises(packing.BadCopy):
            packing.joined(copy, wrong)
    with pytest.raises(ValueError, match="above 67108864"):
        packing.pack(bytes(2**26 + 1), 1, 0)


def test_compression_is_used_where_it_helps() -> None:
    assert len(packing.pack(bytes(5000), 1, 1000)[0]) < 100
    assert len(packing.pack(bytes(5000), 1, 5000)[0]) > 5000
    assert not packing.pack(bytes(5_000_000), 1, 1000)[1]


@given(st.binary(max_size=60))
def test_any_bytes_are_a_copy_or_refused(item: bytes) -> None:
    for one in (item, packing.MARK + item, packing.pack(b"x" * 50, 3, 10)[0][:-1] + item):
        try:
            packing.unpack(one)
        except packing.BadCopy:
            continue
