"""What capturing costs: a flow and round trips over a relay's link with captures at both its ends, beside the same without.

The captures are those of a trial: 160 bytes of each packet. The relay's own log is measured on top.
"""

from __future__ import annotations

import re
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import Any

from experiments.harness.bench import Row
from experiments.harness.benches.lab import column, timed
from experiments.harness.capture import Recorder, overhead
from experiments.harness.capture_plan import Plan
from experiments.harness.points import points
from topologies.emulator.lab import Lab
from topologies.two_hosts import TwoHosts

RATE = "500mbit"
BYTES = 150_000_000
PINGS = 200
_SEND = """
import socket, sys
with socket.create_connection((sys.argv[1], 9000)) as peer:
    peer.sendall(bytes(int(sys.argv[2])))
    peer.shutdown(1)
    peer.recv(1)
"""
_TAKE = """
import socket, time
peer, _ = socket.create_server(("", 9000)).accept()
began, got = 0, 0
while data := peer.recv(1 << 18):
    began, got = began or time.monotonic(), got + len(data)
print(got * 8 / (time.monotonic() - began) / 1e6)
"""


def measure(repetitions: int) -> list[Row]:
    """Goodput, round trips and processor time, with and without."""
    found: dict[str, list[dict[str, float]]] = {"none": [], "captures": [], "log": []}
    for _ in range(repetitions):
        for how, runs in found.items():
            runs.append(timed(partial(_measured, how)))
    return [
        Row(f"goodput at {RATE}, captured at both ends", "Mbit/s", column(found["captures"], "goodput"), None,
            "not captured", column(found["none"], "goodput"), ratio_at_least=0.99),
        Row("the same, with the relay's log too", "Mbit/s", column(found["log"], "goodput"), None,
            "not captured", column(found["none"], "goodput"), ratio_at_least=0.99),
        Row("round trip of 20 ms, captured at both ends", "ms", column(found["captures"], "rtt"), None,
            "not captured", column(found["none"], "rtt"), ratio_at_most=1.005),
        Row("processor time of capturing a packet at a point", "us", column(found["captures"], "cpu_us")),
        Row("packets that captures dropped", "", column(found["captures"], "dropped"), 0),
    ]  # fmt: skip


def _measured(how: str, _began: float) -> dict[str, float]:
    lab = Lab(TwoHosts(rtt="20ms", rate=RATE, queue="4MiB"), "relay")
    with tempfile.TemporaryDirectory(prefix="longhaul-bench-") as name:
        where = points(lab.topology, ["*"]) if how != "none" else ()
        recorder = Recorder(lab, Plan(where, frozenset(), relay=how == "log"), Path(name), "bench", Path(name))
        began = time.monotonic()
        with recorder.trial(1) as captures:
            goodput, rtt = _flow(lab), _ping(lab)
        took = overhead(captures.outcomes, time.monotonic() - began)
        return {"goodput": goodput, "rtt": rtt, "dropped": took.drops,
                "cpu_us": took.cpu_s * 1e6 / max(1, took.packets)}  # fmt: skip


def _flow(lab: Lab) -> float:
    taking: Any = lab.node("client").popen(["python3", "-c", _TAKE], text=True)
    time.sleep(0.3)
    lab.node("server").popen(["python3", "-c", _SEND, lab.address("client"), str(BYTES)]).wait(60)
    return float(taking.communicate(timeout=60)[0])


def _ping(lab: Lab) -> float:
    said = lab.node("client").cmd(f"ping -q -i 0.01 -c {PINGS} {lab.address('server')}")
    found = re.search(r"= [\d.]+/([\d.]+)/", said)
    if not found:
        raise RuntimeError(f"could not ping: {said.strip()}")
    return float(found[1])
