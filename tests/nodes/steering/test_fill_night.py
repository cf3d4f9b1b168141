"""A night of fill as its specification: windows in local time on short days, the rate, and who gets what from whom."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nodes.steering.fill.errors import FillError
from nodes.steering.fill.night import ORIGIN, FillSite, night
from nodes.steering.fill.pace import Pace
from nodes.steering.fill.placement import Edge
from nodes.steering.fill.plan import Limits
from nodes.steering.fill.sources import Site
from nodes.steering.fill.window import Days, Window

REAL = Days(86_400)
HOUR = 3600


@pytest.mark.parametrize(("window", "hour_utc", "open_"), [
    (Window(2, 6), 1.99, False), (Window(2, 6), 2, True), (Window(2, 6), 5.99, True), (Window(2, 6), 6, False),
    (Window(2, 6, offset_h=5.5), 20.4, False), (Window(2, 6, offset_h=5.5), 20.5, True),
    (Window(2, 6, offset_h=5.5), 0.4, True),
    (Window(22, 4), 23, True), (Window(22, 4), 3.9, True), (Window(22, 4), 4, False), (Window(0, 0), 13, True),
    (Window(2, 6, offset_h=-8), 10, True),
])  # fmt: skip
def test_a_window_is_in_the_local_time_of_its_site(window, hour_utc, open_):
    for day in (0, 3):
        assert window.open(REAL, (24 * day + hour_utc) * HOUR) == open_


def test_a_short_day_has_a_short_window():
    days, window = Days(60, zero_s=1000), Window(2, 6)
    assert window.open(days, 1005) and not window.open(days, 1004.9)  # noqa: PT018
    assert window.left_s(days, 1005) == pytest.approx(10)
    assert window.left_s(days, 1020) == 0
    assert [window.night(days, 1000 + t) for t in (4, 5, 30, 64, 65)] == [-1, 0, 0, 0, 1]


quarters = st.integers(0, 95).map(lambda number: number / 4)


@given(quarters, quarters, st.integers(-48, 56).map(lambda number: number / 4), st.integers(0, 10**6))
def test_each_day_has_one_night_and_what_is_open_closes_within_its_length(begins, ends, offset, now_s):
    days, window = Days(600), Window(begins, ends, offset)
    assert window.night(days, now_s + 600) == window.night(days, now_s) + 1
    assert window.open(days, now_s) == (window.left_s(days, now_s) > 0)
    assert window.left_s(days, now_s) <= days.seconds(window.length_h) + 1e-6


@pytest.mark.parametrize("wrong", [lambda: Days(0), lambda: Window(24, 3), lambda: Window(1, -1), lambda: Window(1, 2, 99)])
def test_times_that_cannot_be_are_refused(wrong):
    with pytest.raises(FillError):
        wrong()


def test_a_copy_begins_when_the_one_before_has_taken_its_time_and_unused_rate_is_lost():
    pace = Pace(8000, 0.0)  # 1000 bytes a second
    assert pace.due_s(0.0) == 0.0
    pace.copied(500, 0.0)
    assert pace.due_s(0.1) == 0.5
    pace.copied(1000, 0.5)
    assert pace.due_s(5.0) == 5.0
    pace.copied(1000, 5.0)
    assert pace.due_s(5.0) == 6.0


def site(name, region, *edges, tiers=(), disk=1000, rate_bps=8e6, window_s=100.0):
    return FillSite(Site(name, region, tiers), edges or (Edge(f"{name}1", 1, disk),), Limits(disk, rate_bps, window_s))


SITES = {one.site.name: one for one in (site("mumbai", "india", tiers=("singapore",)), site("chennai", "india"),
                                        site("singapore", "asia"))}  # fmt: skip
SIZES = {"/a": 100, "/b": 100, "/c": 100}
POPULAR = {"india": {"/a": 3.0, "/b": 2.0}, "asia": {"/a": 1.0}}


def jobs(made, name):
    return [(job.title, job.edge, job.source, job.kind, job.waits) for job in made.jobs[name]]


def test_one_site_of_a_region_fetches_from_afar_and_its_siblings_from_it():
    made = night(["mumbai", "chennai"], SITES, {}, POPULAR, SIZES, 10)
    for title in ("/a", "/b"):
        found = [job for name in made.jobs for job in made.jobs[name] if job.title == title]
        (master,) = [job for job in found if job.source == ORIGIN]
        (sibling,) = [job for job in found if job.source != ORIGIN]
        assert (sibling.source, sibling.kind, sibling.waits, master.waits) == (master.edge, "peer", True, False)


def test_what_a_tier_has_comes_from_there_and_what_goes_goes_first():
    made = night(["mumbai"], SITES, {"singapore1": {"/a"}, "mumbai1": {"/c"}},
                 {"india": {"/a": 3.0}}, {**SIZES, "/c": 950}, 10)  # fmt: skip
    assert jobs(made, "mumbai") == [("/a", "mumbai1", "singapore1", "tier", False)]
    assert made.go["mumbai"] == [("mumbai1", "/c")]


def test_hot_files_have_replicas_at_a_site_that_are_copied_within_it():
    edges = tuple(Edge(f"e{n}", 100, 500) for n in range(3))
    made = night(["x"], {"x": site("x", "r", *edges, disk=1500)}, {}, {"r": {"/a": 25.0, "/b": 1.0}}, SIZES, 10)
    hot = [job for job in made.jobs["x"] if job.title == "/a"]
    assert len({job.edge for job in hot}) == 3
    assert [job.source for job in hot] == [ORIGIN, hot[0].edge, hot[0].edge]
    assert sum(job.title == "/b" for job in made.jobs["x"]) == 1


def test_an_edge_never_gets_more_than_it_can_store():
    edges = (Edge("small", 1, 100), Edge("large", 1, 1000))
    sizes = {f"/{n}": 100 for n in range(11)}
    made = night(["x"], {"x": site("x", "r", *edges, disk=1100)}, {}, {"r": dict.fromkeys(sizes, 1.0)}, sizes, 10)
    assert sorted(job.edge for job in made.jobs["x"]) == ["large"] * 10 + ["small"]


def test_a_file_that_no_one_has_is_refused_whole():
    with pytest.raises(FillError, match="could not plan /lost: its size is unknown"):
        night(["mumbai"], SITES, {}, {"india": {"/lost": 9.0}}, SIZES, 10)
    with pytest.raises(FillError, match="there is no such site"):
        night(["atlantis"], SITES, {}, POPULAR, SIZES, 10)


names = st.sampled_from([f"/{number}" for number in range(10)])
REGIONS = {"m": "india", "c": "india", "s": "asia"}


@given(st.dictionaries(names, st.floats(0.1, 40)), st.dictionaries(st.sampled_from(["m1", "m2", "c1", "s1"]), st.sets(names)),
       st.integers(1, 8), st.sets(st.sampled_from("mcs"), min_size=1), st.floats(1, 30))  # fmt: skip
def test_no_edge_is_overfilled_one_copy_comes_from_afar_and_every_source_has_the_file(plays, held, slots, opening, per_replica):
    sizes = {f"/{number}": 10 for number in range(10)}
    room = dict.fromkeys(("m1", "m2", "c1", "s1"), 10.0 * slots)
    edges = {"m": ("m1", "m2"), "c": ("c1",), "s": ("s1",)}
    sites = {name: site(name, REGIONS[name], *(Edge(edge, 1, room[edge]) for edge in edges[name]),
                        disk=10 * slots * len(edges[name])) for name in edges}  # fmt: skip
    made = night(sorted(opening), sites, held, dict.fromkeys(set(REGIONS.values()), plays), sizes, per_replica)
    has = {edge: set(held.get(edge, ())) for edge in room}
    for name in opening:
        for edge, title in made.go[name]:
            has[edge].discard(title)
    all_jobs = [job for name in opening for job in made.jobs[name]]
    for region in set(REGIONS.values()):
        afar = [job.title for job in all_jobs if REGIONS[job.site] == region and job.kind != "peer"]
        assert len(afar) == len(set(afar)), "one copy for a region"
    for job in sorted(all_jobs, key=lambda one: one.waits):  # what waits is done when the others are
        assert job.edge in edges[job.site]
        assert job.title not in has[job.edge]
        has[job.edge].add(job.title)
    for job in all_jobs:
        assert job.source == ORIGIN or job.title in has[job.source]
    for edge, titles in has.items():
        before = len(held.get(edge, ()))
        assert len(titles) <= max(slots, before), "an edge that was too full gets nothing more"
