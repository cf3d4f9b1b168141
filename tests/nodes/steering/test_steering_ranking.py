"""The ranking as its specification: prefix, AS path, delay, health and content; and what is believed of reports."""

import ipaddress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nodes.steering.directory import Directory
from nodes.steering.files import MOST_CHANGED, Files
from nodes.steering.health import Limits
from nodes.steering.ranking import explain, rank
from nodes.steering.reports import ReportError, parse

NOW_S = 1_000_000.0
FILM = "/film"


def report(edge, site, *, at=NOW_S, **more):
    return parse({"edge": edge, "site": site, "url": f"http://{edge}:8080", "at": at, **more}, NOW_S)


def here(prefix="10.0.0.0/8", path=(64500,), rtt_ms=None):
    return {"prefix": prefix, "as_path": list(path), "rtt_ms": rtt_ms}


def world(**sites):
    """Each site by keyword: (routes, use of its one edge or None when it is silent, its files)."""
    made = Directory(sites)
    for site, (routes, used, files) in sites.items():
        more = {} if used is None else {"health": {"used": {"cpu": used}}}
        made.take(report(f"edge.{site}", site, routes=routes, files=list(files), **more))
    return made


def ranked(directory, title=FILM, now_s=NOW_S):
    decision = rank(directory, ipaddress.ip_address("10.1.2.3"), title, now_s)
    passed = [(one.rank, one.site, one.label) for one in decision.passed]
    return [(one.rank, one.edge.site) for one in decision.candidates], passed


@pytest.mark.parametrize(("sites", "order"), [
    ({"far": ([here("10.1.0.0/16", (1, 2, 3), 300)], 0.9, [FILM]), "near": ([here("10.0.0.0/8", (1,), 1)], 0.1, [FILM])},
     [(0, "far"), (1, "near")]),
    ({"long": ([here(path=(1, 2), rtt_ms=1)], 0.1, [FILM]), "short": ([here(path=(1,), rtt_ms=300)], 0.9, [FILM])},
     [(0, "short"), (1, "long")]),
    ({"slow": ([here(rtt_ms=201)], 0.1, [FILM]), "fast": ([here(rtt_ms=15)], 0.9, [FILM])}, [(0, "fast"), (1, "slow")]),
    ({"busy": ([here(rtt_ms=15)], 0.8, [FILM]), "idle": ([here(rtt_ms=15)], 0.2, [FILM])}, [(0, "idle"), (1, "busy")]),
    ({"several": ([here(), here("10.1.0.0/16", (1, 2, 3))], 0.1, [FILM]), "one": ([here()], 0.1, [FILM])},
     [(0, "several"), (1, "one")]),
])  # fmt: skip
def test_most_specific_prefix_then_as_path_then_delay_then_health(sites, order):
    assert ranked(world(**sites)) == (order, [])


@pytest.mark.parametrize(("used", "files", "label"), [
    (0.1, [], "content"), (0.95, [FILM], "health"), (None, [FILM], "health"), (1.5, [FILM], "health"), (None, [], "health"),
])  # fmt: skip
def test_a_nearer_site_that_cannot_serve_keeps_its_rank_and_is_passed_over_with_a_label(used, files, label):
    directory = world(near=([here(rtt_ms=5)], used, files), far=([here(rtt_ms=200)], 0.1, [FILM]))
    assert ranked(directory) == ([(1, "far")], [(0, "near", label)])
    assert rank(directory, ipaddress.ip_address("10.1.2.3"), FILM, NOW_S).miss == label


def test_among_sites_equally_near_the_one_that_can_serve_is_rank_0():
    assert ranked(world(a=([here()], 0.1, []), b=([here()], 0.9, [FILM]))) == ([(0, "b")], [(1, "a", "content")])


routes = st.builds(here, st.sampled_from(["0.0.0.0/0", "10.0.0.0/8", "10.1.0.0/16", "10.1.2.3/32", "11.0.0.0/8"]),
                   st.lists(st.integers(1, 3), max_size=3), st.sampled_from([None, 5, 200]))  # fmt: skip


@given(st.dictionaries(st.sampled_from("abcdef"), st.tuples(
    st.lists(routes, max_size=3), st.sampled_from([None, 0.1, 0.5, 0.95]), st.sampled_from([[], [FILM]])), min_size=1))
def test_all_who_can_serve_are_ranked_by_their_best_route_and_every_nearer_site_is_accounted_for(sites):
    nearest = {}
    for site, (announced, _, _) in sites.items():
        for one in announced:
            network = ipaddress.ip_network(one["prefix"])
            if ipaddress.ip_address("10.1.2.3") in network:
                rtt_ms = float("inf") if one["rtt_ms"] is None else one["rtt_ms"]
                way = (-network.prefixlen, len(one["as_path"]), rtt_ms)
                nearest[site] = min(way, nearest.get(site, way))
    able = {site for site, (_, used, files) in sites.items() if files and used is not None and used < Limits.full_at}
    decision = rank(world(**sites), ipaddress.ip_address("10.1.2.3"), FILM, NOW_S, most=len(sites))
    candidates, passed = [one.edge.site for one in decision.candidates], [one.site for one in decision.passed]
    assert set(candidates) == able & nearest.keys()
    assert len(set(candidates)) == len(candidates)
    assert [nearest[site] for site in candidates] == sorted(nearest[site] for site in candidates)
    assert bool(decision.refused) == (not candidates)
    assert not able & set(passed)
    if any(files for _, _, files in sites.values()):
        assert {*candidates, *passed} == nearest.keys()
        assert sorted(one.rank for one in (*decision.candidates, *decision.passed)) == list(range(len(nearest)))


def test_a_client_that_nobody_knows_is_told_so():
    decision = rank(world(a=([here("11.0.0.0/8")], 0.1, [FILM])), ipaddress.ip_address("10.1.2.3"), FILM, NOW_S)
    assert decision.refused.startswith("no site has learned a route to 10.1.2.3;")


def test_a_file_that_no_one_has_is_told_so():
    decision = rank(world(a=([here()], 0.1, [FILM])), ipaddress.ip_address("10.1.2.3"), "/other", NOW_S)
    assert decision.refused.startswith("no edge has /other;")


def test_when_all_who_have_it_are_down_that_is_told():
    decision = rank(world(a=([here()], None, [FILM])), ipaddress.ip_address("10.1.2.3"), FILM, NOW_S)
    assert decision.refused.startswith("none of the 1 sites with a route to 10.1.2.3 can serve /film now;")
    assert decision.passed[0].why == "edge.a is down: has never said how it is"


def test_all_edges_of_a_site_have_its_rank_the_least_used_first():
    directory = world(a=([here(rtt_ms=5)], 0.5, [FILM]), b=([here(rtt_ms=9)], 0.1, [FILM]))
    for edge, used, files in (("edge2", 0.3, [FILM]), ("edge3", 0.1, [])):
        directory.take(report(edge, "a", health={"used": {"cpu": used, "disk": 0.0}}, files=files))
    decision = rank(directory, ipaddress.ip_address("10.1.2.3"), FILM, NOW_S)
    assert [(one.rank, one.edge.name) for one in decision.candidates] == [(0, "edge2"), (0, "edge.a"), (1, "edge.b")]


def test_the_reasons_say_each_step():
    directory = world(a=([here("10.1.0.0/16", (64500, 64501), 15)], 0.25, [FILM]), b=([here(path=())], 0.96, [FILM]))
    directory.take(report("edge.a", "a", at=NOW_S, stale="BIRD does not answer"))
    said = explain(rank(directory, ipaddress.ip_address("10.1.2.3"), FILM, NOW_S))
    assert said["urls"] == [{
        "url": "http://edge.a:8080/film", "rank": 0, "site": "a", "edge": "edge.a",
        "reason": "10.1.0.0/16 is announced to a; AS path of 2: 64500 64501; round trip 15 ms (measured); up: cpu 25% in use; "
                  "has the file; its routes are stale: BIRD does not answer"}]  # fmt: skip
    assert said["passed_over"] == [{"rank": 1, "site": "b", "label": "health", "why": "edge.b is full: cpu 96% in use"}]


def test_a_silent_edge_is_down_and_comes_back_with_its_next_word():
    directory = world(a=([here(rtt_ms=5)], 0.1, [FILM]), b=([here(rtt_ms=9)], 0.1, [FILM]))
    directory.take(report("edge.b", "b", at=NOW_S + 4, health={"used": {"cpu": 0.1}}))
    silent_s = Limits().silent_s
    assert ranked(directory, now_s=NOW_S + silent_s)[0] == [(0, "a"), (1, "b")]
    directory.take(parse({"edge": "edge.b", "site": "b", "url": "http://edge.b:8080", "at": NOW_S + silent_s,
                          "health": {"used": {"cpu": 0.1}}}, NOW_S + silent_s))  # fmt: skip
    assert ranked(directory, now_s=NOW_S + silent_s + 1) == ([(1, "b")], [(0, "a", "health")])


def test_the_fullest_bottleneck_is_the_health_of_an_edge():
    directory = world(a=([here()], 0.1, [FILM]))
    directory.take(report("edge.a", "a", health={"used": {"cpu": 0.1, "disk": 0.97, "network": 0.5}}))
    assert rank(directory, ipaddress.ip_address("10.1.2.3"), FILM, NOW_S).passed[0].why == "edge.a is full: disk 97% in use"


def test_withdrawn_routes_move_clients_and_stale_ones_do_not():
    directory = world(a=([here(rtt_ms=5)], 0.1, [FILM]), b=([here(rtt_ms=9)], 0.1, [FILM]))
    directory.take(report("edge.a", "a", stale="BIRD does not answer"))
    assert ranked(directory)[0] == [(0, "a"), (1, "b")]
    directory.take(report("edge.a", "a", routes=[]))
    assert ranked(directory)[0] == [(0, "b")]
    assert directory.stale == {}


@pytest.mark.parametrize(("changed", "cause"), [
    ({"at": NOW_S + 60}, "60 s from the future; set the clock of edge.a"),
    ({"at": NOW_S - 1, "health": {"used": {"cpu": 0.9}}}, "older than what edge.a said last of its health"),
    ({"at": NOW_S - 1, "files": []}, "older than what edge.a said last of its files"),
    ({"at": NOW_S - 1, "routes": []}, "older than the last routes of edge.a"),
    ({"site": "bb"}, "there is no site 'bb'; did you mean b"),
    ({"site": "b"}, "is of the site a, not of b"),
    ({"at": "now"}, "not a time"),
    ({"at": float("nan")}, "not a time"),
    ({"url": "edge.a:8080"}, "is not that of an edge"),
    ({"url": "http://edge.a/path"}, "is not that of an edge"),
    ({"edge": ""}, "edge '' is not a text"),
    ({"colour": "red"}, "unknown field 'colour'"),
    ({"health": {"used": {}}}, "says nothing of `used`"),
    ({"health": {"used": {"cpu": -0.1}}}, "not a fraction"),
    ({"health": {"used": {"cpu": 0.1}, "draining": 1}}, "neither true nor false"),
    ({"files": ["film"]}, "a file is named by its path"),
    ({"files": [], "added": ["/x"]}, "all files and a change"),
    ({"routes": [], "stale": "x"}, "routes and says that they are stale"),
    ({"files": [], "routes": [{"prefix": "10.0.0.0/8"}, {"prefix": "nowhere"}]}, "is not a prefix"),
    ({"edge": "edge.new", "speaker": "edge.a", "site": "b", "routes": []}, "the speaker edge.a is of the site a"),
])  # fmt: skip
def test_a_wrong_report_is_refused_and_the_last_good_state_stays(changed, cause):
    directory = world(a=([here(rtt_ms=5)], 0.1, [FILM]), b=([here(rtt_ms=9)], 0.1, [FILM]))
    before = explain(rank(directory, ipaddress.ip_address("10.1.2.3"), FILM, NOW_S))
    with pytest.raises(ReportError, match=cause):
        directory.take(parse({"edge": "edge.a", "site": "a", "url": "http://edge.a:8080", "at": NOW_S, **changed}, NOW_S))
    assert explain(rank(directory, ipaddress.ip_address("10.1.2.3"), FILM, NOW_S)) == before
    assert set(directory.edges) == {"edge.a", "edge.b"}


@pytest.mark.parametrize("value", [None, [], "report", 7, {}])
def test_what_is_no_report_is_refused(value):
    with pytest.raises(ReportError):
        parse(value, NOW_S)


changes = st.tuples(st.integers(0, MOST_CHANGED + 8), st.sampled_from(["replace", "change"]),
                    st.sets(st.sampled_from("abcdef")), st.sets(st.sampled_from("abcdef")))  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(st.lists(changes, max_size=60))
def test_files_are_the_sets_that_they_are_told(told):
    files, sets = Files(), {}
    for number, (edge, verb, some, others) in enumerate(told):
        name = str(edge)
        if verb == "replace":
            files.replace(name, some)
            sets[name] = some
        else:
            files.change(name, some, others)
            sets[name] = (sets.get(name, set()) - others) | some
        if number % 7 == 0:
            assert files.holders("a") == {edge for edge, held in sets.items() if "a" in held}
    for title in "abcdef":
        assert files.holders(title) == {edge for edge, held in sets.items() if title in held}
    assert len(files) == sum(map(len, sets.values()))


def test_files_of_many_edges_are_found_through_the_common_index():
    files = Files()
    for edge in range(3 * MOST_CHANGED):
        files.replace(f"edge{edge}", [f"/{edge % 7}", "/all"])
    assert len(files.holders("/all")) == 3 * MOST_CHANGED
    assert files.holders("/3") == {f"edge{edge}" for edge in range(3 * MOST_CHANGED) if edge % 7 == 3}
    files.replace("edge3", ["/all"])
    assert "edge3" not in files.holders("/3")
    assert files.holders("/none") == set()
