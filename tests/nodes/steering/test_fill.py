"""Fill as its specification: popularity, the nightly plan, sources, placement; and fill beside LRU in one simulation."""

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nodes.edge.simulator.drifting import drifting
from nodes.edge.simulator.requests import Chunk
from nodes.edge.simulator.simulation import simulate
from nodes.steering.fill.errors import FillError
from nodes.steering.fill.placement import Edge, place, replicas
from nodes.steering.fill.plan import BETTER_BY, Limits, plan
from nodes.steering.fill.popularity import Popularity
from nodes.steering.fill.replay import replay
from nodes.steering.fill.sources import Copy, Site, copies, master

DAY = Limits(disk_bytes=100, rate_bps=8.0, window_s=1000)
SIZES = dict.fromkeys("abcdefgh", 10)


def test_popularity_is_bytes_over_size():
    popularity = Popularity()
    popularity.day({"large": 500, "small": 50}, {"large": 100, "small": 10})
    assert popularity.all() == pytest.approx({"large": 5, "small": 5})


def test_half_of_it_is_left_after_the_half_life_and_the_first_day_counts_in_full():
    popularity = Popularity(half_life_days=2)
    for _ in range(20):
        popularity.day({"a": 100}, {"a": 10})
        assert popularity.of("a") == pytest.approx(10)
    for _ in range(2):
        popularity.day({}, {})
    assert popularity.of("a") == pytest.approx(5, rel=0.01)
    for _ in range(60):
        popularity.day({}, {})
    assert popularity.all() == {}, "forgotten"


@pytest.mark.parametrize(("streamed", "sizes"), [({"a": 1}, {}), ({"a": 1}, {"a": 0}), ({"a": -1}, {"a": 1})])
def test_a_file_without_a_size_is_refused_and_nothing_changes(streamed, sizes):
    popularity = Popularity()
    popularity.day({"b": 10}, {"b": 10})
    with pytest.raises(FillError, match="could not count"):
        popularity.day({**streamed, "b": 10}, {**sizes, "b": 10})
    assert popularity.all() == pytest.approx({"b": 1})


@pytest.mark.parametrize(("popularity", "held", "limits", "come", "go", "left_off"), [
    ({"a": 3, "b": 2, "c": 1}, "", Limits(20, 8, 1000), "ab", "", ""),
    ({"a": 3, "b": 2, "c": 1}, "", Limits(100, 8, 20), "ab", "", "c"),
    ({"a": 3, "b": 1}, "b", Limits(10, 8, 1000), "a", "b", ""),
    ({"a": BETTER_BY, "b": 1}, "b", Limits(10, 8, 1000), "", "", ""),
    ({"a": BETTER_BY + 0.01, "b": 1}, "b", Limits(10, 8, 1000), "a", "b", ""),
    ({"a": 3, "b": 1}, "b", Limits(10, 8, 9), "", "", "a"),
    ({"a": 3, "b": 1}, "ab", Limits(10, 8, 1000), "", "b", ""),
    ({"a": 0}, "", Limits(100, 8, 1000), "", "", ""),
    ({}, "ab", Limits(100, 8, 1000), "", "", ""),
])  # fmt: skip
def test_the_most_popular_that_fit_with_the_least_change(popularity, held, limits, come, go, left_off):
    found = plan(popularity, SIZES, held, limits)
    assert ("".join(found.come), "".join(found.go), "".join(found.left_off)) == (come, go, left_off)


titles = st.sampled_from([f"t{n}" for n in range(12)])


@settings(max_examples=150)
@given(st.dictionaries(titles, st.floats(0, 1000)), st.dictionaries(titles, st.integers(1, 40)), st.sets(titles),
       st.integers(0, 200), st.integers(0, 200))  # fmt: skip
def test_a_plan_keeps_its_limits(popularity, sizes, held, disk_bytes, fill_bytes):
    sizes = {f"t{n}": 10 for n in range(12)} | sizes
    found = plan(popularity, sizes, held, Limits(disk_bytes, 8.0, fill_bytes))
    after = (held - set(found.go)) | set(found.come)
    assert sum(sizes[title] for title in after) <= disk_bytes
    assert sum(sizes[title] for title in found.come) <= fill_bytes
    assert set(found.go) <= held
    assert not set(found.come) & held
    assert len(set(found.come)) == len(found.come)
    assert len(set(found.go)) == len(found.go)


def test_a_plan_for_a_file_without_size_or_a_limit_below_zero_is_refused():
    with pytest.raises(FillError, match="could not plan x: its size is unknown"):
        plan({"x": 1}, SIZES, [], DAY)
    with pytest.raises(FillError, match="below zero"):
        plan({"a": 1}, SIZES, [], Limits(-1, 8, 8))


SITES = {name: Site(name, region, tiers) for name, region, tiers in (
    ("mumbai1", "india", ("singapore",)), ("mumbai2", "india", ("singapore",)), ("chennai", "india", ()),
    ("singapore", "asia", ()), ("tokyo", "asia", ()))}  # fmt: skip


def crossing(found):
    return [copy for copy in found if copy.kind != "peer"]


def test_one_copy_crosses_the_ocean_and_siblings_wait_for_it():
    found = copies({site: ["film"] for site in SITES}, {}, SITES, "virginia", {"film"})
    assert len(found) == len(SITES)
    assert {SITES[copy.site].region for copy in crossing(found)} == {"india", "asia"}
    assert len(crossing(found)) == 2
    masters = {SITES[copy.site].region: copy.site for copy in crossing(found)}
    for copy in found[2:]:
        assert copy == Copy("film", copy.site, masters[SITES[copy.site].region], "peer", after_master=True)


def test_sources_in_order_peer_tier_origin():
    def source(*holders):
        (found,) = copies({"mumbai1": ["film"]}, {"film": holders}, SITES, "virginia", {"film"})
        return found.source, found.kind

    assert source("singapore", "chennai") == ("chennai", "peer")
    assert source("singapore", "tokyo") == ("singapore", "tier")
    assert source("tokyo") == ("virginia", "origin")
    assert copies({"mumbai1": ["film"]}, {"film": ["mumbai1"]}, SITES, "virginia", {"film"}) == [], "it is there"


def test_a_manifest_for_a_file_that_no_one_has_is_refused():
    with pytest.raises(FillError, match="could not fill tokyo with lost: no peer, tier or origin has it"):
        copies({"tokyo": ["lost"]}, {}, SITES, "virginia", {"film"})
    with pytest.raises(FillError, match="there is no such site"):
        copies({"atlantis": ["film"]}, {}, SITES, "virginia", {"film"})


def test_elections_are_spread_and_a_site_that_goes_changes_no_other():
    names = ["a", "b", "c", "d"]
    before = {f"t{n}": master(f"t{n}", names) for n in range(4000)}
    assert all(900 < count < 1100 for count in Counter(before.values()).values())
    for title, elected in before.items():
        if elected != "d":
            assert master(title, names[:3]) == elected


EDGES = [Edge("flash", throughput_bps=300, storage_bytes=100), Edge("disk1", 100, 300), Edge("disk2", 100, 300)]


@pytest.mark.parametrize(("plays", "count"), [(0, 1), (1, 1), (100, 1), (101, 2), (250, 3), (10_000, 3)])
def test_hotter_files_have_more_replicas(plays, count):
    assert replicas(plays, 100, 3) == count == len(set(place("film", plays, EDGES, 100)))


def test_hot_files_go_by_throughput_and_the_tail_by_storage():
    tail = Counter(place(f"t{n}", 1, EDGES, 100)[0] for n in range(7000))
    hot = Counter(place(f"t{n}", 150, EDGES, 100)[0] for n in range(5000))
    assert tail["flash"] / 7000 == pytest.approx(1 / 7, abs=0.015)
    assert hot["flash"] / 5000 == pytest.approx(3 / 5, abs=0.02)


def test_an_edge_that_goes_moves_only_what_was_on_it():
    for n in range(1000):
        before = place(f"t{n}", 1, EDGES, 100)
        if before != ["disk2"]:
            assert place(f"t{n}", 1, EDGES[:2], 100) == before


@pytest.mark.parametrize(("edges", "per_replica", "cause"), [
    ([], 1, "no edge can take it"), ([Edge("a", 0, 0)], 1, "no edge can take it"), ([Edge("a", 1, -1)], 1, "weight of a"),
    (EDGES, 0, "is not above zero"),
])  # fmt: skip
def test_what_cannot_be_placed_is_refused(edges, per_replica, cause):
    with pytest.raises(FillError, match=cause):
        place("film", 1, edges, per_replica)


FILES, DAYS, PLAYS_A_DAY, NEW_A_DAY, UNTIL_COUNTED = 20_000, 8, 100_000, 20, 4
"""The report states neither the size of its catalogue nor how fast it changes. Measured here: LRU reaches 65 % of 10,000 titles
and 69 % of 20,000; fill, of these, 77 % when nothing changes, 74 % with 20 changes a day, 70 % with 40, 62 % with 60."""


def test_nightly_fill_beside_lru_on_demand_on_the_same_requests():
    """Reported of Open Connect for Zipf 1.1 and a disk of 3 % of the catalogue: about 69 % for LRU on demand, 70 to 75 % for
    nightly fill, and disk writes three orders of magnitude apart."""
    size, requests = 1000, list(drifting(FILES, PLAYS_A_DAY, DAYS, NEW_A_DAY))
    capacity = FILES * size * 3 // 100
    lru = simulate([Chunk(keys, [size] * len(keys)) for keys in requests], "lru", capacity,
                   warm_up=UNTIL_COUNTED * PLAYS_A_DAY).tally  # fmt: skip
    fill = replay([list(map(str, keys)) for keys in requests], {str(number): size for number in range(FILES)},
                  Limits(capacity, capacity * 8, 1), 4, UNTIL_COUNTED)  # fmt: skip
    lru_ratio, fill_ratio = lru.hits / lru.requests, fill.hits / fill.requests
    lru_writes_a_day = (lru.requests - lru.hits) / (DAYS - UNTIL_COUNTED)
    fill_writes_a_day = fill.written / fill.nights
    assert lru_ratio == pytest.approx(0.69, abs=0.01)
    assert 0.70 <= fill_ratio <= 0.75
    assert lru_writes_a_day > 1000 * fill_writes_a_day > 0
