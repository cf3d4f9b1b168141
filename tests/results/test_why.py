"""One request's way from made-up logs: who placed it, what each hop did and when, and what no log tells."""

import json

import pytest

from results.rundir import RunError
from results.why import why
from tests.results import runs

CLIENT, EDGE, ORIGIN, STEERING, RESOLVER = "10.0.0.3", "10.0.0.2", "10.0.0.1", "10.0.0.4", "10.0.0.5"
BEGAN = 1_790_000_000 * 10**9
FILM = "/objects/64KiB/film"
DECISION = {"client": CLIENT, "urls": [
    {"url": f"http://{EDGE}{FILM}", "rank": 1, "site": "mumbai", "edge": "edge", "reason": "up; has the file"}],
    "passed_over": [{"rank": 0, "site": "chennai", "label": "content", "why": "none of its edges has the file"}]}  # fmt: skip


def fetch(**more):
    return {"url": f"http://{EDGE}{FILM}", "ok": True, "http_status": 200, "size_bytes": 65536, "dns_ms": 0.0,
            "connect_ms": 30.0, "first_byte_ms": 61.0, "total_ms": 90.0, "local_port": 40001, "remote": f"{EDGE}:80",
            "started_ns": BEGAN,
            "error": None, **more}  # fmt: skip


def at(ms):
    return BEGAN + round(ms * 1e6)


def served(node, client, end_ms, took_ms, **more):
    return {"node": node, "ts_ns": at(end_ms), "client": client, "target": FILM, "status": 200, "duration_ms": took_ms,
            "bytes": 65536, "result": "TCP_HIT", "cache_status": f"{node}; hit", "upstream_ms": None, **more}  # fmt: skip


RANKED = {"rank": 1, "site": "mumbai", "miss": "content", "list_ms": 40.0, "list_port": 40000,
          "list_url": f"http://steering/steer{FILM}", "tries": [{"url": f"http://{EDGE}{FILM}", "rank": 1, "site": "mumbai",
                                                               "error": None, "total_ms": 90.0}]}  # fmt: skip
EDGES = served("edge", f"{CLIENT}:40001", 89, 28)


def explained(tmp_path, record, *others, request="7"):
    nodes = [{"name": name, "role": "host", "address": address} for name, address in (
        ("client", CLIENT), ("edge", EDGE), ("origin", ORIGIN), ("steering", STEERING), ("resolver", RESOLVER))]  # fmt: skip
    run = runs.save(tmp_path / "run", change=lambda told: told["topology"].update(nodes=nodes))
    (run / "logs").mkdir()
    first = {"node": "client", "ts_ns": at(95), "request_id": "7.1", "fetch": record}
    for number, one in enumerate((first, *others)):
        (run / "logs" / f"{number}.jsonl").write_text(json.dumps(one) + "\n")
    return why(run, request)


def shown(way):
    return [(step.at_ms, step.node, step.what.split(":")[0]) for step in way.steps]


def test_a_ranked_fetch_with_its_candidates(tmp_path):
    listing = {"node": "steering", "ts_ns": at(-19), "client": f"{CLIENT}:40000", "target": f"/steer{FILM}",
               "duration_ms": 1.0, "decision": DECISION}  # fmt: skip
    way = explained(tmp_path, fetch(ranked=RANKED), listing, EDGES)
    assert shown(way) == [(0.0, "client", "asks for a ranked list"), (20.0, "steering", f"ranks the edges for {CLIENT}"),
                          (40.0, "client", "fetches http"), (101.0, "edge", "answers 200")]  # fmt: skip
    assert way.steps[1].details == (
        "rank 1: edge at mumbai: up; has the file",
        "rank 0: chennai passed over (content): none of its edges has the file")  # fmt: skip
    assert way.outcome == "200, 65,536 bytes by rank 1 (mumbai), rank 0 was missed for content"
    assert way.missing == []


def test_a_look_up_with_the_resolver_between(tmp_path):
    looked = {"resolver": f"{RESOLVER}:53", "addresses": [EDGE], "rcode": "NOERROR", "took_ms": 20.0}
    asked = {"node": "resolver", "ts_ns": at(15), "resolved": "A", "name": "cdn.test.", "client": CLIENT, "known_from": "asked",
             "server": f"{STEERING}:53", "subnet": None, "duration_ms": 10.0}  # fmt: skip
    told = {"node": "steering", "ts_ns": at(10), "dns": "A", "name": "cdn.test.", "asked_by": RESOLVER, "client": RESOLVER,
            "duration_ms": 0.2, "decision": DECISION}  # fmt: skip
    record = fetch(url=f"http://cdn.test{FILM}", dns_ms=20.0, lookup=looked)
    way = explained(tmp_path, record, asked, told, EDGES)
    assert [(step.node, step.what) for step in way.steps][:3] == [
        ("client", f"looks up cdn.test at {RESOLVER}:53"),
        ("resolver", f"asks {STEERING}:53 without a word of the client"),
        ("steering", f"ranks the sites for {RESOLVER}, which is not the client")]  # fmt: skip
    assert way.missing == []


def test_the_way_goes_on_behind_the_first_server(tmp_path):
    miss = served("edge", f"{CLIENT}:40001", 89, 60, upstream_ms=20.0, result="TCP_MISS")
    behind = served("origin", f"{EDGE}:55555", 60, 1)
    way = explained(tmp_path, fetch(), miss, behind, served("origin", f"{EDGE}:55555", 300, 1))
    assert shown(way)[-2:] == [(29.0, "edge", "answers 200"), (59.0, "origin", "answers 200")]
    way = explained(tmp_path / "b", fetch(), miss)
    assert way.missing == [f"no log has what edge asked for {FILM}"]
    way = explained(tmp_path / "c", fetch(), miss, behind, served("origin", f"{EDGE}:55556", 61, 1))
    assert way.missing == [f"2 records fit what edge asked for {FILM}; the first is shown"]


def test_a_balancers_choice_is_followed_to_that_node(tmp_path):
    placed = served("edge", f"{CLIENT}:40001", 89, 60, zone="az1", chosen_node="origin", reason="nearest", cache_status="-")
    way = explained(tmp_path, fetch(), placed, served("resolver", f"{EDGE}:1", 60, 1), served("origin", f"{EDGE}:2", 61, 1))
    assert [step.what for step in way.steps][1:] == ["places it in zone az1 at node origin: nearest", "answers 200: TCP_HIT"]
    assert way.missing == []


def test_two_tiers_of_balancers_are_followed_one_after_the_other(tmp_path):
    region = served("edge", f"{CLIENT}:40001", 89, 60, zone="az1", chosen_node="resolver", reason="nearest", cache_status="-")
    zone = served("resolver", f"{EDGE}:1", 88, 58, zone="az1", chosen_node="origin", reason="turn", cache_status="-")
    way = explained(tmp_path, fetch(), region, zone, served("origin", f"{RESOLVER}:2", 87, 1))
    assert [(step.node, step.what) for step in way.steps][1:] == [
        ("edge", "places it in zone az1 at node resolver: nearest"), ("resolver", "places it in zone az1 at node origin: turn"),
        ("origin", "answers 200: TCP_HIT")]  # fmt: skip
    assert way.missing == []


def test_what_no_log_tells_is_said(tmp_path):
    way = explained(tmp_path, fetch(ok=False, error="timed out", remote=None), {"ts_ns": "no", "node": "x"})
    assert way.outcome == "failed: timed out"
    assert way.missing == ["lines of 1.jsonl that are no records: 1"]


@pytest.mark.parametrize("record", [None, [], {}, {"started_ns": "x"}, {"started_ns": 1, "ranked": 5}])
def test_a_damaged_record_is_an_error_that_says_so(tmp_path, record):
    with pytest.raises(RunError, match=r"could not explain the request 7 of .*: a record of it is damaged"):
        explained(tmp_path, record)


@pytest.mark.parametrize(("request_id", "cause"), [
    ("8", "there are 7.1; give a trial's number"), ("", "could not find the request"),
    ("7.2", "could not find the request 7.2"),
])  # fmt: skip
def test_a_request_that_is_not_there_is_an_error(tmp_path, request_id, cause):
    with pytest.raises(RunError, match=cause):
        explained(tmp_path, fetch(), request=request_id)


def test_a_trial_with_several_fetches_wants_one_named(tmp_path):
    more = {"node": "client", "ts_ns": at(95), "request_id": "7.2", "fetch": fetch()}
    with pytest.raises(RunError, match=r"that trial made 2; name one of 7\.1, 7\.2"):
        explained(tmp_path, fetch(), more)
    assert explained(tmp_path / "b", fetch(), more, request="7.2").request == "7.2"
