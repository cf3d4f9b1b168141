"""Nodes that die, hang, fail or are exchanged while clients keep asking: who notices, and for how long."""

from __future__ import annotations

import http.client
import signal
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import pytest

from tests.nodes.balancer.balancerkit import KNOWN_S, NO_CHECKS, QUICK, Balanced

LATE_S = 0.3
"""For a busy machine."""


class Seen(NamedTuple):
    """One request as its client saw it; times by the monotonic clock."""

    began_s: float
    ended_s: float
    status: int
    node: str


class Clients:
    """Each on a connection of its own that is kept, asking again 2 ms after each answer, until the block ends."""

    def __init__(self, made: Balanced, count: int = 4) -> None:
        self.seen: list[Seen] = []
        self._port, self._stop = made.daemon.port, threading.Event()
        self._threads = [threading.Thread(target=self._ask, daemon=True) for _ in range(count)]

    def __enter__(self) -> Clients:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(5)

    def _ask(self) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=5)
        while not self._stop.wait(0.002):
            began_s = time.monotonic()
            connection.request("GET", "/x")
            answer = connection.getresponse()
            self.seen.append(Seen(began_s, time.monotonic(), answer.status, answer.read().decode()))
        connection.close()

    def failed(self) -> list[Seen]:
        return [one for one in self.seen if one.status != 200]

    def since(self, moment_s: float) -> Counter[str]:
        """Which nodes answered what was asked after that."""
        return Counter(one.node for one in self.seen if one.began_s > moment_s)


def test_a_node_that_dies_with_requests_on_it_costs_none_and_gets_none_once_it_is_known(balanced):
    made = balanced(*QUICK, slow_s=0.003)
    with Clients(made) as clients:
        time.sleep(0.2)
        made.nodes["a1"].close()
        died_s = time.monotonic()
        time.sleep(KNOWN_S + LATE_S + 0.2)
    assert clients.failed() == []
    assert Counter(one.node for one in clients.seen if one.ended_s < died_s).keys() == {"a1", "a2"}
    assert "a1" not in clients.since(died_s)
    assert any(record["tries"] == 2 for record in made.records())
    ends_ns = [record["ts_ns"] for record in made.records() if record["tries"] == 2]
    assert max(ends_ns) - min(ends_ns) < (KNOWN_S + LATE_S) * 1e9, "then nobody is sent there any more"


def test_a_zone_that_dies_fails_no_request_once_its_nodes_are_known_to_be_down(balanced):
    made = balanced(*QUICK, slow_s=0.003)
    with Clients(made) as clients:
        time.sleep(0.2)
        died_s = time.monotonic()
        made.nodes["a1"].close()
        made.nodes["a2"].close()
        time.sleep(KNOWN_S + LATE_S + 0.2)
    known_s = died_s + KNOWN_S + LATE_S
    assert all(one.began_s < known_s for one in clients.failed())
    assert len(clients.failed()) <= 4, "one for each client at most: after two failures the second try leaves the zone"
    assert clients.since(known_s).keys() == {"b1", "b2"}


def test_of_nodes_that_fail_no_more_are_ejected_than_may_be(balanced):
    made = balanced(*NO_CHECKS, names=("a1", "a2", "a3"))
    for one in (made.scripts.a1, made.scripts.a2):
        one.status = "500 Internal Server Error"
    with Clients(made) as clients:
        time.sleep(0.4)
    health = made.health()
    assert sorted(health.values()) == ["ejected", "up", "up"]
    assert health["a3"] == "up"
    assert len(clients.failed()) > 10, "the other one goes on to get its share"
    ejected = min(health, key=health.get)
    assert getattr(made.scripts, ejected).requests <= 5 + 4  # and those that were on their way


def test_members_are_exchanged_between_two_requests_and_no_request_fails(balanced):
    made = balanced(*NO_CHECKS, slow_s=0.001)
    whole = made.data()
    sets = [{**whole, "nodes": {name: node for name, node in whole["nodes"].items() if name[0] == zone}} for zone in "ab"]
    holds: list[tuple[float, float, str]] = []
    with Clients(made) as clients:
        for number in range(20):
            assert made.change(sets[number % 2], method="PUT").status == 200
            began_s = time.monotonic()
            time.sleep(0.03)
            holds.append((began_s, time.monotonic(), "ab"[number % 2]))
    assert clients.failed() == []
    for began_s, ended_s, zone in holds:
        inside = [one for one in clients.seen if began_s < one.began_s and one.ended_s < ended_s]
        assert {one.node[0] for one in inside} <= {zone}
    assert {one.node[0] for one in clients.seen} == {"a", "b"}


@pytest.mark.parametrize("kept", [True, False])
def test_safe_requests_that_wait_for_a_node_leave_it_when_its_checks_fail_and_others_stay(balanced, kept):
    made = balanced(*QUICK, names=("a1", "a2"))
    if kept:
        made.chosen(2)
    made.scripts.a1.slow_s = made.scripts.a2.slow_s = 1.5
    with ThreadPoolExecutor() as threads:
        asked = []
        for method in ("GET", "GET", "POST", "POST"):  # so each node has one of both
            asked.append(threads.submit(made.daemon.get, "/x", method=method))
            time.sleep(0.03)
        made.scripts.a2.slow_s = 0.0
        made.scripts.a1.healthy = False
        answers = [one.result() for one in asked]
    assert [answer.status for answer in answers] == [200] * 4
    records = made.records()
    left = [record for record in records if record["tries"] == 2]
    assert [(record["method"], record["chosen_node"]) for record in left] == [("GET", "a2")]
    assert "its checks fail" in left[0]["failed"]
    assert left[0]["duration_ms"] < (0.12 + KNOWN_S + LATE_S) * 1e3
    assert sorted(record["chosen_node"] for record in records if record["method"] == "POST") == ["a1", "a2"]


def test_a_node_that_hangs_is_known_by_its_checks_and_its_safe_requests_go_elsewhere(start, tmp_path):
    nodes = {name: start("origin", "--listen", "127.0.0.1:0", "--name", name) for name in ("a1", "a2")}
    made = Balanced(start, tmp_path, nodes, *QUICK, "--node-timeout", "300ms")
    path = "/objects/1KiB/x"
    assert {made.daemon.get(path).status for _ in range(4)} == {200}  # a kept connection to each
    nodes["a1"].process.send_signal(signal.SIGSTOP)
    try:
        began_s = time.monotonic()
        assert [made.daemon.get(path).status for _ in range(2)] == [200, 200]
        assert time.monotonic() - began_s < 0.3 + LATE_S
        made.until("a1", "down", KNOWN_S + 0.04 * 3 + LATE_S)
        before = len(made.records())
        assert {made.daemon.get(path).status for _ in range(4)} == {200}
        assert {record["chosen_node"] for record in made.records()[before:]} == {"a2"}
    finally:
        nodes["a1"].process.send_signal(signal.SIGCONT)
    made.until("a1", "up", 1.0)
