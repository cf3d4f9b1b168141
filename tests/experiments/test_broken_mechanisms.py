"""Experiments on faults fail when what they are about does not work: the same measurement over a network, or a balancer, that
is sound or broken in one way. Both are a few lines that keep the times of the real ones, and no more.
"""

from types import SimpleNamespace

import pytest

from experiments import bgp_withdraw
from experiments.bgp_withdraw import BgpWithdraw
from experiments.harness.generators import Load, judged
from experiments.zone_outage import CUT_S, HEALED_S, TIME_S, ZoneOutage
from tests.experiments.verdictkit import outside, verdict
from topologies.internet import Internet
from topologies.open_connect import OpenConnect


class Net:
    """A clock, BGP and a client's fetches, 200 ms each. `broken` is what does not work."""

    def __init__(self, broken=""):
        self.now_s, self.broken, self.ended_s, self.silent = 0.0, broken, float("inf"), False
        self.routing = self

    def withdraw(self, *_):
        if self.broken != "the session is not withdrawn":
            self.ended_s = self.now_s + 0.1

    def signal(self, router, number):
        if number == bgp_withdraw.signal.SIGCONT:
            self.announce()
        elif self.broken == "a session ends as soon as it is silent":
            self.ended_s = self.now_s + 0.1
        elif self.broken != "the hold timer does not run":
            self.ended_s = self.now_s + 2.6

    def announce(self, *_):
        self.ended_s = float("inf")

    def url(self, title):
        return title

    def fetch(self, node, url, ranked=False, within_s=0):
        told_s = self.ended_s + (float("inf") if ranked and self.broken == "steering does not hear of it" else 0.9 * ranked)
        away = self.now_s >= told_s
        lost = away and self.broken == "packets go on to the old site" and not ranked
        self.now_s += within_s if lost else 0.2
        site = ("mumbai" if ranked else "london") if not away else ("london" if ranked else "mumbai")
        return {"ok": not lost, "headers": {"cache-status": f"edge.{site}; hit"}}

    def verdict(self, monkeypatch):
        monkeypatch.setattr(bgp_withdraw, "time", SimpleNamespace(monotonic=lambda: self.now_s))
        experiment = BgpWithdraw(Internet(), {})
        experiment.plane = self
        return verdict(experiment, [(arm, experiment.measure(self, arm, 1)) for arm in experiment.arms()])


def test_bgp_withdraw_holds_where_routes_follow_their_sessions(monkeypatch):
    assert Net().verdict(monkeypatch).outcome == "holds"


@pytest.mark.parametrize(("broken", "claims"), [
    ("the session is not withdrawn", {"moves: anycast, withdrawn", "moves: ranked, withdrawn"}),
    ("the hold timer does not run", {"moves: anycast, silent"}),
    ("a session ends as soon as it is silent", {"not before: anycast, silent"}),
    ("steering does not hear of it", {"moves: ranked, withdrawn"}),
    ("packets go on to the old site", {"moves: anycast, withdrawn", "lost: anycast, withdrawn"}),
])  # fmt: skip
def test_bgp_withdraw_fails_where_they_do_not(monkeypatch, broken, claims):
    found = Net(broken).verdict(monkeypatch)
    assert found.outcome == "fails"
    assert claims <= outside(found)
    if broken.startswith("a session"):
        assert outside(found) == claims


def zone_outage(broken=""):
    """The verdict on a load through a balancer of which one thing is `broken`."""
    world = OpenConnect(**ZoneOutage.topology_settings)
    experiment = ZoneOutage(world, {})
    (_, near), (_, far) = experiment.zones()
    client, balancer = world.first("client").name, f"balancer.{experiment.place()}"
    first_ms, near_ms, far_ms = (world.path(*ends)[0] for ends in ((client, balancer), (balancer, near[0]), (balancer, far[0])))
    cut_ms, healed_ms, patience_ms = CUT_S * 1e3, HEALED_S * 1e3, experiment.patience
    noticed_ms, back_ms = {
        "the zone is not cut": (0.0, 0.0),
        "checks and ejection are off": (healed_ms, healed_ms),
        "the zone is never taken back": (cut_ms + 900.0, TIME_S * 1e3),
    }.get(broken, (cut_ms + 900.0, healed_ms + 1500.0))

    def row(due_ms):
        to_far = noticed_ms <= due_ms < back_ms
        waited = cut_ms <= due_ms < min(noticed_ms, healed_ms)
        failed = waited and broken == "nothing is sent twice"
        took_ms = first_ms + (far_ms if to_far or waited else near_ms) + patience_ms * waited
        took_ms += 20.0 * (to_far and broken == "connections to the other zone are not kept")
        return {"due_ms": due_ms, "late_ms": 0.1, "last_byte_ms": due_ms + took_ms, "latency_ms": None if failed else took_ms,
                "error": "504" if failed else "", "tries": 1 + waited,
                "node": (far if to_far or waited else near)[0]}  # fmt: skip

    rows = [row(number * 1e3 / experiment.rate) for number in range(int(TIME_S * experiment.rate))]
    experiment.balancer = balancer
    experiment.load = lambda *_: Load(judged(rows), rows)
    return verdict(experiment, [({"fault": "cut"}, experiment.measure(None, {"fault": "cut"}, 1))])


def test_zone_outage_holds_where_the_balancer_notices_and_sends_once_more():
    found = zone_outage()
    assert (found.outcome, outside(found)) == ("holds", set())


@pytest.mark.parametrize(("broken", "claims"), [
    ("the zone is not cut", {"nobody is sent there after", "the longest wait", "what the farther zone costs"}),
    ("checks and ejection are off", {"nobody is sent there after", "what the farther zone costs"}),
    ("nothing is sent twice", {"no safe request fails at all"}),
    ("the zone is never taken back", {"back"}),
    ("connections to the other zone are not kept", {"what the farther zone costs"}),
])  # fmt: skip
def test_zone_outage_fails_where_it_does_not(broken, claims):
    found = zone_outage(broken)
    assert found.outcome == "fails"
    assert claims <= outside(found)
