"""Bulk flows over loopback: what the kernel is asked for, and what it says of them."""

import asyncio
import json
import socket
import subprocess
import sys

import pytest

from nodes.flow.order import Flow, Sending, Sink
from nodes.flow.sending import SAMPLE, carry_out
from nodes.flow.sink import Listening
from tests.nodes.wirekit import ENV


def sent(*flows, sink=None, sample_ms=20.0):
    """The results of flows to a sink of their own."""

    async def run():
        listening = Listening(sink or Sink("127.0.0.1"), asyncio.get_running_loop())
        ready = tuple(Flow(**{"host": "127.0.0.1", "port": listening.port, **flow}) for flow in flows)
        return await carry_out(Sending(ready, sample_ms=sample_ms))

    return asyncio.run(run())


def test_flows_begin_and_end_at_their_moments_each_with_its_congestion_control():
    first, second = sent({"seconds": 0.4, "congestion_control": "reno", "pace_bps": 8_000_000},
                         {"seconds": 0.2, "start_s": 0.2, "pace_bps": 8_000_000})  # fmt: skip
    assert (first["ok"], second["ok"], first["congestion_control"]) == (True, True, "reno")
    assert first["connected_s"] < 0.1
    assert 0.2 <= second["connected_s"] < 0.3
    assert first["ended_s"] == pytest.approx(0.4, abs=0.1)
    times = [sample[SAMPLE.index("t_s")] for sample in first["samples"]]
    acked = [sample[SAMPLE.index("acked_bytes")] for sample in first["samples"]]
    assert len(times) > 10
    assert acked == sorted(acked)
    assert acked[-1] <= first["acked_bytes"]


def test_a_sized_flow_ends_when_the_other_end_has_everything():
    (flow,) = sent({"size_bytes": 3_000_000})
    assert flow["ok"], flow["error"]
    assert flow["acked_bytes"] == pytest.approx(3_000_000, abs=2)


def test_a_window_is_never_exceeded():
    (flow,) = sent({"seconds": 0.3}, sink=Sink("127.0.0.1", window_bytes=20_000), sample_ms=5)
    unacked = [sample[SAMPLE.index("unacked")] for sample in flow["samples"]]
    assert max(unacked) * min(flow["mss"], 20_000) <= 2 * 20_000, "a segment of loopback may be as large as the window"
    assert sent({"seconds": 0.3})[0]["goodput_mbps"] > 2 * flow["goodput_mbps"]


def test_what_goes_wrong_is_a_result_with_the_reason():
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    refused, unknown = sent({"port": port, "seconds": 0.1}, {"seconds": 0.1, "congestion_control": "carrier-pigeon"})
    assert (refused["ok"], refused["error"]) == (False, "could not connect: Connection refused")
    assert "carrier-pigeon" in unknown["error"]


def test_a_sink_that_goes_away_is_no_success():
    async def run():
        with socket.create_server(("127.0.0.1", 0)) as server:
            server.setblocking(False)
            sending = asyncio.create_task(carry_out(Sending((Flow("127.0.0.1", server.getsockname()[1], seconds=5),))))
            taken, _ = await asyncio.get_running_loop().sock_accept(server)
            taken.close()
            return await asyncio.wait_for(sending, 3)

    (flow,) = asyncio.run(run())
    assert not flow["ok"]
    assert "the connection broke" in flow["error"] or "closed" in flow["error"]


def test_the_worker_answers_every_line():
    orders = ['{"sink": {"host": "127.0.0.1"}}', "nonsense", '{"sink": {"host": "192.0.2.1"}}']
    done = subprocess.run([sys.executable, "-m", "nodes.flow", "--worker"], input="\n".join(orders) + "\n", text=True, env=ENV,
                          capture_output=True, timeout=10, check=True)  # fmt: skip
    ready, opened, nonsense, nowhere = map(json.loads, done.stdout.splitlines())
    assert ready == {"event": "ready"}
    assert opened["port"] > 0
    assert "not JSON" in nonsense["error"]
    assert "could not open the sink" in nowhere["error"]
