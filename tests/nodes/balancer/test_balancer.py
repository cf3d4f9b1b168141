"""The balancer as a process: dialogues about dead, slow, flapping, draining and returning nodes, with stated times."""

from __future__ import annotations

import json
import signal
import socket
import time
from collections import Counter

import pytest

from tests.nodes.balancer.balancerkit import KNOWN_S, NO_CHECKS, QUICK, Balanced
from tests.nodes.wirekit import Answer, ScriptedOrigin, hear, listen, raw, request


def test_a_request_passes_with_its_fields_and_the_answer_says_zone_node_and_reason(balanced):
    made = balanced(*NO_CHECKS)
    answer = made.daemon.get("/x?y=1", "X-Some: thing", "Connection: x-hop", "X-Hop: 1")
    name = answer.body.decode()
    assert answer.fields["x-longhaul-route"] == f'bal;zone="a";node="{name}";reason="nearest";tries=1'
    assert answer.fields["server-timing"].startswith("bal;dur=")
    assert f'desc="{name}"' in answer.fields["server-timing"]
    assert answer.fields["via"] == "1.1 bal"
    head = made.nodes[name].heads[-1]
    assert head.startswith("GET /x?y=1 HTTP/1.1\r\nHost: test\r\n")
    assert "X-Some: thing" in head
    assert "CDN-Loop: bal" in head
    assert "Via: 1.1 bal" in head
    assert "X-Hop" not in head
    record = made.records()[0]
    assert {key: record[key] for key in ("zone", "chosen_node", "reason", "tries", "result", "status")} == \
        {"zone": "a", "chosen_node": name, "reason": "nearest", "tries": 1, "result": "PROXY", "status": 200}  # fmt: skip


def test_connections_to_nodes_are_kept(balanced):
    made = balanced(*NO_CHECKS)
    assert Counter(made.chosen(10)) == {"a1": 5, "a2": 5}
    assert made.nodes["a1"].connections == made.nodes["a2"].connections == 1


def test_content_streams_both_ways(start, balanced, tmp_path):
    def echo(head, sock):
        sock.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        while data := sock.recv(1000):
            sock.sendall(b"%x\r\n%b\r\n" % (len(data), data))
            if data.endswith(b"0\r\n\r\n"):
                sock.sendall(b"0\r\n\r\n")
                return

    node = ScriptedOrigin(echo)
    made = Balanced(start, tmp_path, {"a1": node}, *NO_CHECKS)
    with socket.create_connection(("127.0.0.1", made.daemon.port), timeout=5) as sock:
        sock.sendall(b"POST /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n5\r\nfirst\r\n")
        listen(sock, b"first")  # before the request is whole
        sock.sendall(b"4\r\nlast\r\n0\r\n\r\n")
        assert b"last" in hear(sock)
    node.close()


@pytest.mark.parametrize("status", [302, 307])
def test_it_redirects_when_told_to(balanced, status):
    made = balanced("--redirect", str(status), *NO_CHECKS)
    answer = made.daemon.get("/x?y=1")
    assert answer.status == status
    assert answer.fields["location"] in (made.nodes["a1"].url + "/x?y=1", made.nodes["a2"].url + "/x?y=1")
    assert 'reason="nearest"' in answer.fields["x-longhaul-route"]
    assert answer.fields["server-timing"].startswith("bal;desc=")
    assert made.records()[0]["result"] == "REDIRECT"
    assert made.nodes["a1"].connections == made.nodes["a2"].connections == 0


def test_a_dead_node_loses_no_safe_request_and_is_known_in_three_checks(balanced):
    made = balanced(*QUICK)
    made.nodes["a1"].close()
    assert "a1" not in made.chosen(4)  # retried meanwhile
    made.until("a1", "down", KNOWN_S + 0.3)  # the rest is for a busy machine
    before = len(made.records())
    assert set(made.chosen(6)) == {"a2"}
    assert all(record["tries"] == 1 for record in made.records()[before:])


def test_a_dead_zone_moves_to_the_next_and_its_requests_in_flight_are_retried_there(balanced):
    made = balanced(*QUICK)
    assert set(made.chosen(4)) == {"a1", "a2"}
    made.nodes["a1"].close()
    made.nodes["a2"].close()
    first = made.daemon.get("/x")  # tried at both nodes of the zone at most: it may fail before anything is known
    assert first.status in (200, 502)
    assert set(made.chosen(4)) <= {"b1", "b2"}
    made.until("a1", "down", KNOWN_S + 0.3)
    made.until("a2", "down", KNOWN_S + 0.3)
    before = len(made.records())
    assert set(made.chosen(6)) == {"b1", "b2"}
    assert all(record["tries"] == 1 for record in made.records()[before:])


def test_a_safe_request_is_retried_once_elsewhere_and_an_unsafe_one_never(balanced):
    made = balanced(*NO_CHECKS, names=("a1", "a2", "a3"))
    made.scripts.a1.breaks = made.scripts.a2.breaks = True
    statuses = [made.daemon.get("/x").status for _ in range(3)]
    records = made.records()
    assert all(record["tries"] <= 2 for record in records)
    assert [record["status"] for record in records] == statuses
    assert 502 in statuses or made.scripts.a3.requests == 3
    asked = sum(one.requests for one in (made.scripts.a1, made.scripts.a2, made.scripts.a3))
    assert asked == sum(record["tries"] for record in records)
    made.scripts.a3.breaks = True
    for method in ("POST", "PUT", "DELETE"):
        answer = made.daemon.get("/x", method=method)
        assert (answer.status, answer.fields["x-longhaul-route"].endswith("tries=1")) == (502, True)
    assert sum(one.requests for one in (made.scripts.a1, made.scripts.a2, made.scripts.a3)) == asked + 3
    assert "a1" in made.records()[-1]["failed"] + made.records()[-2]["failed"] + made.records()[-3]["failed"]
    assert 'longhaul_node_errors_total{node="bal",member="a1",phase="first-byte"} ' in made.daemon.metrics()


def test_five_failures_in_a_row_eject_a_node_for_the_time_that_is_said(balanced):
    made = balanced("--outlier-time", "400ms", *NO_CHECKS, names=("a1", "a2"))
    made.scripts.a1.status = "500 Internal Server Error"
    statuses = Counter(made.daemon.get("/x").status for _ in range(20))
    assert statuses == {200: 15, 500: 5}
    assert made.health()["a1"] == "ejected"
    made.scripts.a1.status = "200 OK"
    assert made.until("a1", "ejected", 0.1) < 0.1
    made.until("a1", "up", 0.4 + 0.3)  # without a request
    assert set(made.chosen(4)) == {"a1", "a2"}


def test_a_slow_node_is_left_by_rules_that_see_load(balanced):
    made = balanced("--node-rule", "peak-ewma", *NO_CHECKS, names=("a1", "a2"))
    made.scripts.a1.slow_s = 0.05
    assert Counter(made.chosen(20))["a1"] <= 3


def test_a_node_that_does_not_answer_in_time_is_given_up_and_the_request_goes_elsewhere(balanced):
    made = balanced("--node-timeout", "100ms", *NO_CHECKS, names=("a1", "a2"))
    made.scripts.a1.slow_s = 2.0
    began = time.monotonic()
    assert set(made.chosen(2)) == {"a2"}
    assert 0.1 <= time.monotonic() - began < 0.6
    assert any("within 0.1 s" in record.get("failed", "") for record in made.records())


def test_a_flapping_node_is_neither_up_nor_down_by_one_check(balanced):
    made = balanced(*QUICK, "--rise", "4")
    made.scripts.a1.healthy = False
    made.until("a1", "down", KNOWN_S + 0.3)
    for _ in range(3):
        made.scripts.a1.healthy = True
        time.sleep(0.07)
        made.scripts.a1.healthy = False
        time.sleep(0.07)
        assert made.health()["a1"] == "down"
    made.scripts.a1.healthy = True
    made.until("a1", "up", 4 * 0.05 + 0.4)


def test_a_draining_node_finishes_what_it_has_and_gets_nothing_new(balanced):
    made = balanced(*NO_CHECKS, names=("a1", "a2"))
    made.scripts.a1.slow_s = made.scripts.a2.slow_s = 0.2
    with socket.create_connection(("127.0.0.1", made.daemon.port), timeout=5) as one, \
            socket.create_connection(("127.0.0.1", made.daemon.port), timeout=5) as two:  # fmt: skip
        for sock in (one, two):
            sock.sendall(request("GET", "/x"))
        time.sleep(0.08)
        made.scripts.a1.slow_s = made.scripts.a2.slow_s = 0.0
        assert made.change({"nodes": {"a1": {"drain": True}}}).status == 200
        assert made.health()["a1"] == "draining"
        assert set(made.chosen(4)) == {"a2"}
        assert {Answer(hear(one)).body, Answer(hear(two)).body} == {b"a1", b"a2"}
    assert made.change({"nodes": {"a2": {"drain": True}}}).status == 200
    assert made.daemon.get("/x").status == 503


def test_a_returning_node_starts_slowly(balanced):
    made = balanced(*QUICK, "--slow-start", "600ms", names=("a1", "a2"))
    made.scripts.a1.healthy = False
    made.until("a1", "down", KNOWN_S + 0.3)
    made.scripts.a1.healthy = True
    made.until("a1", "slow-start", 0.6)
    assert Counter(made.chosen(30))["a1"] < 12
    made.until("a1", "slow-start", 0.1)
    made.until("a1", "up", 0.6 + 0.3)  # without a request
    assert Counter(made.chosen(10))["a1"] == 5


def test_when_all_are_down_all_are_tried(balanced):
    made = balanced(*QUICK, names=("a1", "b1"))
    made.scripts.a1.healthy = made.scripts.b1.healthy = False
    for name in ("a1", "b1"):
        made.until(name, "down", KNOWN_S + 0.3)
    answer = made.daemon.get("/x")
    assert (answer.status, 'reason="all down"' in answer.fields["x-longhaul-route"]) == (200, True)


@pytest.mark.parametrize(
    ("change", "words"),
    [({"nodes": {"a1": {"zone": "q"}}}, "zone 'q', which is not there"), ({"nodes": {"a1": {"weight": 0}}}, "weight 0"),
     ({"nodes": {"a1": {"weight": -2}}}, "weight -2"), ({"nodes": {"a1": None, "a2": None}}, "there is no node"),
     (7, "a change is")],
)  # fmt: skip
def test_members_that_cannot_be_are_told_and_the_old_ones_hold(balanced, change, words):
    made = balanced(*NO_CHECKS, names=("a1", "a2"))
    answer = made.change(change)
    assert answer.status == 400
    assert words in answer.body.decode()
    assert "the old members hold" in answer.body.decode()
    assert set(made.chosen(4)) == {"a1", "a2"}


def test_members_are_read_replaced_and_changed_while_it_runs(balanced):
    made = balanced(*NO_CHECKS)
    before = made.daemon.get("/-/members")
    whole = json.loads(before.body)
    assert made.change(whole, method="PUT").fields["etag"] == before.fields["etag"]
    twice = json.dumps(whole).replace('"a2"', '"a1"').encode()
    assert b"'a1' stands twice" in made.daemon.get("/-/members", method="PUT", body=twice).body
    assert made.change({"nodes": {"a2": {"weight": 3}}}, f"If-Match: {before.fields['etag']}").status == 200
    assert Counter(made.chosen(8)) == {"a1": 2, "a2": 6}
    assert made.change({"nodes": {"a2": {"weight": 9}}}, f"If-Match: {before.fields['etag']}").status == 412
    del whole["nodes"]["a1"]
    assert made.change(whole, method="PUT").status == 200
    assert set(made.chosen(4)) == {"a2"}
    assert made.daemon.get("/-/members", method="DELETE").status == 405


def test_the_file_is_read_again_on_sighup_and_a_wrong_one_is_told(balanced):
    made = balanced(*NO_CHECKS)
    made.write({"zones": {}, "nodes": {}})
    made.daemon.process.send_signal(signal.SIGHUP)
    assert "there is no node" in made.daemon.process.stderr.readline()
    assert set(made.chosen(4)) == {"a1", "a2"}
    made.write(made.data(a1={"drain": True}))
    made.daemon.process.send_signal(signal.SIGHUP)
    made.until("a1", "draining", 1.0)
    assert set(made.chosen(2)) == {"a2"}


def test_two_tiers_and_a_loop_between_balancers(start, balanced, tmp_path):
    lower = balanced(*NO_CHECKS)
    data = {"zones": {"v": {}}, "nodes": {"bal": {"zone": "v", "url": lower.daemon.url}}}
    (tmp_path / "upper.json").write_text(json.dumps(data))
    upper = start("balancer", "--members", str(tmp_path / "upper.json"), "--name", "top", *NO_CHECKS)
    ways = upper.get("/x").fields["x-longhaul-route"].split(", ")
    assert [way.partition(";")[0] for way in ways] == ["bal", "top"]
    data["nodes"] = {"top": {"zone": "v", "url": upper.url}}
    assert lower.change(data, method="PUT").status == 200
    assert upper.get("/x").status == 508
    assert lower.daemon.get("/x").status == 508


def test_a_node_that_reports_itself_full_is_passed_over(balanced):
    made = balanced("--node-rule", "choice-of-two", *NO_CHECKS, names=("a1", "a2"))
    made.scripts.a1.fields.append("X-Netflix.server.utilization: 99, target=90")
    made.scripts.a2.fields.append("X-Netflix.server.utilization: 10, target=90")
    assert set(made.chosen(12)[4:]) == {"a2"}
    nodes = json.loads(made.daemon.get("/-/status").body)["nodes"]
    assert (nodes["a1"]["utilisation"], nodes["a2"]["utilisation"]) == (1.1, pytest.approx(1 / 9))


def test_several_workers_take_the_same_members(balanced):
    made = balanced("--workers", "2", *NO_CHECKS)
    assert made.change({"nodes": {"a1": {"drain": True}}}).status == 200
    assert set(made.chosen(12)) == {"a2"}


@pytest.mark.parametrize(
    ("content", "words"),
    [("{", "not JSON"),
     ('{"zones": {}, "nodes": {"a": {"zone": "z", "url": "http://h:1"}}}', "in zone 'z', which is not there"),
     (None, "no such file")],
)  # fmt: skip
def test_it_does_not_start_with_members_that_cannot_be(start, tmp_path, content, words):
    file = tmp_path / "wrong.json"
    if content is not None:
        file.write_text(content)
    with pytest.raises(AssertionError, match=f"longhaul: could not read the members {file}: .*{words}"):
        start("balancer", "--members", str(file))


def test_the_example_members_are_right():
    from nodes.balancer.main import EXAMPLE_MEMBERS, _members

    assert len(_members(EXAMPLE_MEMBERS).nodes) == 3


def test_an_answer_that_breaks_off_is_cut_for_the_client_too(start, tmp_path):
    def half(head, sock):
        sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf")
        return False

    node = ScriptedOrigin(half)
    made = Balanced(start, tmp_path, {"a1": node}, *NO_CHECKS)
    assert not Answer(raw(made.daemon.port, request("GET", "/x"))).whole
    assert "closed the connection before the response was whole" in made.records()[0]["upstream_error"]
    assert 'longhaul_node_cut_total{node="bal",member="a1"} 1\n' in made.daemon.metrics()
    node.close()
