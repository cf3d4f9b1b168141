"""Bulk flows of a stage, ping and what they are read for. Workers and lab are stand-ins; nothing is sent."""

from types import SimpleNamespace

import pytest

from experiments.harness import pinging
from experiments.harness.daemon import StageError
from experiments.harness.flows import Flow, Flows, failed, goodput_mbps
from topologies.dumbbell import Dumbbell


class Worker:
    """Answers sinks with a port and flows with what it is told to."""

    def __init__(self, node, log):
        self.node, self.log, self.answers = node, log, []

    def order(self, order, attempt):
        self.log.append((self.node, order))
        sample = [[0.0, 0], [1.0, 1_250_000]]
        self.answers.append({"ok": True, "port": 7000 + len(self.log)} if "sink" in order else
                            {"ok": True, "sample": ["t_s", "acked_bytes"],
                             "flows": [{"name": flow["name"], "ok": True, "error": "", "congestion_control": "cubic",
                                        "samples": sample} for flow in order["flows"]]})  # fmt: skip

    def read(self, within_s, attempt, trouble):
        return self.answers.pop(0)


@pytest.fixture
def bench():
    """Flows over a dumbbell, the orders that workers got, and what was kept."""
    world, log, kept = Dumbbell(rtts="0ms", queue="3KB"), [], []
    workers = {}
    lab = SimpleNamespace(topology=world, specs=world.specs, address=lambda node: world.plans[node].address)
    flows = Flows(lab, lambda node: workers.setdefault(node, Worker(node, log)), str, lambda *row: kept.append(row))
    return flows, log, kept


def test_each_sender_is_told_once_and_all_begin_at_the_same_moment(bench):
    flows, log, kept = bench
    running = flows.begin([Flow("sender1", "receiver1", seconds=0.1, congestion_control="bbr"),
                           Flow("sender1", "receiver2", seconds=0.1, start_s=0.5), Flow("sender2", "receiver1", seconds=0.1)])
    sinks = [node for node, order in log if "sink" in order]
    sending = {node: order for node, order in log if "flows" in order}
    assert sinks == ["receiver1", "receiver2"], "a sink is opened once for all that need such a one"
    assert {node: len(order["flows"]) for node, order in sending.items()} == {"sender1": 2, "sender2": 1}
    assert len({order["begin_ns"] for order in sending.values()}) == 1
    assert sending["sender1"]["flows"][0]["congestion_control"] == "bbr"
    results = running.results()
    assert [one["name"] for one in results] == ["1.sender1-receiver1", "2.sender1-receiver2", "3.sender2-receiver1"]
    assert kept[0][0] == "flows"
    assert kept[0][1][0]["goodput_mbps"] == 10.0


def test_a_sink_with_another_window_is_another_sink(bench):
    flows, log, _ = bench
    for window in (None, 16384, 16384):
        flows.begin([Flow("sender1", "receiver1", seconds=0.1, window_bytes=window)])
    assert len([1 for _, order in log if "sink" in order]) == 2


def test_a_worker_that_refuses_ends_the_run(bench):
    flows, _, _ = bench
    flows._worker("sender1").read = lambda *_: {"ok": False, "error": "unknown field"}
    with pytest.raises(StageError, match="could not send from sender1: unknown field"):
        flows.begin([Flow("sender1", "receiver1", seconds=0.1)]).results()


def test_the_next_trial_waits_until_queue_and_path_are_empty(bench):
    flows, _, _ = bench
    spec = flows.lab.specs["left-right"].a_to_b
    queue_s = spec.queue_bytes * 8 / spec.rate_bps
    assert flows.drained_s(Flow("sender1", "receiver1", seconds=1)) >= queue_s


SAMPLES = {"samples": [{"t_s": t / 10, "acked_bytes": 125_000 * t if t < 20 else 2_500_000} for t in range(41)]}


@pytest.mark.parametrize(("begin_s", "end_s", "mbps"), [(0, 2, 10.0), (2, 4, 0.0), (1, 3, 5.0), (3.95, 3.99, None)])
def test_goodput_between_two_moments(begin_s, end_s, mbps):
    assert goodput_mbps(SAMPLES, begin_s, end_s) == (None if mbps is None else pytest.approx(mbps))


def test_a_failed_flow_is_named():
    broken = {"ok": False, "name": "two", "error": "the connection broke"}
    assert failed([{"ok": True}, broken]) == "flow two: the connection broke"


PING = """PING 10.0.0.1 (10.0.0.1) 56(84) bytes of data.
[1790000000.080500] 64 bytes from 10.0.0.1: icmp_seq=1 ttl=64 time=80.4 ms
[1790000000.181000] 64 bytes from 10.0.0.1: icmp_seq=2 ttl=64 time=80.9 ms
[1790000000.181100] 64 bytes from 10.0.0.1: icmp_seq=2 ttl=64 time=81.0 ms (DUP!)

--- 10.0.0.1 ping statistics ---
3 packets transmitted, 2 received, +1 duplicates, 33.3333% packet loss, time 201ms
"""


def test_ping_is_read_echo_by_echo():
    first, second, third = pinging.parse(PING)
    assert (first["rtt_ms"], second["rtt_ms"], third["rtt_ms"]) == (80.4, 80.9, None)
    assert first["at_s"] == pytest.approx(1790000000.0001)
    with pytest.raises(ValueError, match="no summary"):
        pinging.parse("ping: connect: Network is unreachable")
