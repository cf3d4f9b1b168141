"""Studies in a real lab, short: bulk flows of several congestion controls, windows, and what is judged."""

import csv
import json
import socket
import subprocess
import sys

import pytest

from tests.labkit import ROOT, in_sandbox, longhaul, manifest, rows
from topologies.emulator.lab import Lab, environment
from topologies.emulator.links.netns import socket_in
from topologies.two_hosts import TwoHosts

pytestmark = pytest.mark.lab


def test_a_window_limits_a_flow_in_a_lab(tmp_path):
    """Without the receiver's fixed buffer, the kernel's tuning would lift the limit within a second."""
    out = tmp_path / "run"
    longhaul("run", "window-limited", "--set", "paths=20KiB 40ms 50mbit", "--set", "over=2s", "--repetitions", "1",
             "--out", out, check=0)  # fmt: skip
    assert manifest(out)["study"]["mode"] == "other"
    (row,) = rows(out)
    assert float(row["goodput_mbps"]) == pytest.approx(14 * 1448 * 8e-3 / 40, rel=0.05)


def test_flows_side_by_side_are_a_row_each_with_their_samples(tmp_path):
    """Loss is on the data direction alone, and draws for each path by itself."""
    out = tmp_path / "run"
    longhaul("run", "loss-throughput", "--set", "losses=2%", "--set", "congestions=reno,cubic", "--set", "time=2s",
             "--set", "pairs=2", "--set", "rate=20mbit", "--set", "rtt=20ms", "--out", out, check=0)  # fmt: skip
    found = rows(out)
    assert [(row["trial"], row["repetition"]) for row in found] == [("1", "1"), ("1", "2"), ("2", "1"), ("2", "2")]
    assert len({row["goodput_mbps"] for row in found}) == 4
    assert all(0.3 < float(row["goodput_mbps"]) < 19 for row in found)
    samples = list(csv.DictReader((out / "series" / "flows.csv").open(newline="")))
    assert {row["congestion_control"] for row in samples} == {"reno", "cubic"}
    links = {row["name"]: row["during"] for row in json.loads((out / "links.json").read_text())["links"]}
    assert links["client1-hub"]["b_to_a"]["lost"] > 0
    assert links["client1-hub"]["a_to_b"]["lost"] == 0


def test_what_the_machine_cannot_is_unsupported_before_anything_is_built(tmp_path):
    done = longhaul("run", "loss-throughput", "--set", "congestions=pigeon", "--out", tmp_path / "run", check=127)
    assert "has no congestion control pigeon" in done.stdout
    assert rows(tmp_path / "run") == []


def test_a_daemon_keeps_its_congestion_control_where_the_route_names_another():
    """Routes of a lab name cubic, and a connection takes that of its route when it is made."""

    def work():
        lab = Lab(TwoHosts(rtt="2ms"))
        server, address = lab.node("server"), lab.address("server")
        command = [sys.executable, "-m", "nodes.origin", "--listen", f"{address}:80", "--congestion-control", "reno"]
        origin = server.start(command, stdout=subprocess.PIPE, env=environment(ROOT), text=True)
        origin.stdout.readline()
        with socket_in(lab.node("client").pid, socket.AF_INET, socket.SOCK_STREAM) as client:
            client.connect((address, 80))
            client.sendall(b"GET /objects/10B/a HTTP/1.1\r\nHost: a\r\n\r\n")
            client.recv(1000)
            return server.cmd("ss -Htin state established")

    said = in_sandbox(work)
    assert "reno" in said
    assert "cubic" not in said
