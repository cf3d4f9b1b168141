"""Captures of a real kernel over emulated links: retransmissions as TCP itself counts them, one-way delays as specified."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from results.captures import between, losses
from results.captures.connection_table import analyse
from tests.labkit import in_sandbox
from tests.results.sharkkit import TSHARK, agrees
from topologies.emulator.lab import Lab
from topologies.two_hosts import TwoHosts

pytestmark = pytest.mark.lab

SENT = 3_000_000
_SERVER = """
import json, socket, struct, sys
listening = socket.create_server(("0.0.0.0", 8080))
print("ready", flush=True)
peer, _ = listening.accept()
peer.sendall(bytes(int(sys.argv[1])))
peer.shutdown(socket.SHUT_WR)
peer.recv(1)
info = peer.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 240)
# Offsets of struct tcp_info: tcpi_total_retrans 100, tcpi_dsack_dups 208 (Linux 4.19).
print(json.dumps({"retransmitted": struct.unpack_from("I", info, 100)[0], "dsack": struct.unpack_from("I", info, 208)[0]}))
"""
_CLIENT = """
import socket, sys
with socket.create_connection((sys.argv[1], 8080)) as peer:
    while peer.recv(1 << 16):
        pass
"""


def fetched(folder: Path, **settings: str) -> dict[str, int]:
    """Captures of one download at both ends, and what the sender's kernel says of it."""

    def work() -> dict[str, int]:
        lab = Lab(TwoHosts(**settings), "relay")
        client, server = lab.node("client"), lab.node("server")
        command = ["tcpdump", "-s", "128", "-U", "-Z", "root", "-w", "-", "--immediate-mode", "--time-stamp-precision=nano"]
        taps = [node.popen([*command, "-i", node.defaultIntf().name, "tcp"], stderr=subprocess.PIPE,
                           stdout=(folder / f"{node.name}.pcap").open("wb")) for node in (client, server)]  # fmt: skip
        for tap in taps:
            while b"listening on" not in tap.stderr.readline():
                assert tap.poll() is None
        serving = server.popen([sys.executable, "-c", _SERVER, str(SENT)], stdout=subprocess.PIPE, text=True)
        serving.stdout.readline()
        client.popen([sys.executable, "-c", _CLIENT, lab.address("server")]).wait(timeout=60)
        said: dict[str, int] = json.loads(serving.communicate(timeout=30)[0])
        time.sleep(0.3)
        for tap in taps:
            tap.send_signal(signal.SIGINT)
            tap.communicate(timeout=10)
        return said

    found: dict[str, int] = in_sandbox(work)
    return found


@pytest.mark.parametrize("link", ["loss=1%", "clean"])
def test_the_kernels_own_count_and_the_specified_delay_are_found(tmp_path: Path, link: str) -> None:
    # A queue that holds all that is ever in flight: the only losses are those that the link was asked for.
    settings = {"rtt": "20ms", "rate": "50mbit", "queue": "8MiB"} | ({"loss": "1%"} if link != "clean" else {})
    kernel = fetched(tmp_path, **settings)
    here, there = between.load(tmp_path / "server.pcap", None), between.load(tmp_path / "client.pcap", None)
    found = analyse(here.packets)
    table = found.table
    assert int(table["new_bytes_down"].sum()) == SENT
    assert int(table["missing_down"].sum()) == 0
    again = int(table["retransmissions_down"].sum())
    assert abs(again - kernel["retransmitted"]) <= max(1, 0.01 * kernel["retransmitted"])
    assert (again > 5) == (link != "clean")
    assert int(table["spurious"].sum()) <= kernel["dsack"]
    # Where every packet is seen twice, the receiver's capture tells the same.
    arrived = analyse(there.packets)
    assert int(arrived.table["new_bytes_down"].sum()) == SENT
    if TSHARK:
        assert agrees(tmp_path / "server.pcap", here.packets, found) > 100
        assert agrees(tmp_path / "client.pcap", there.packets, arrived) > 3
    forth, back = between.ways(here, there)
    assert len(forth.way.lost) + len(forth.way.sent) == int(((here.packets.source_port == 8080)).sum())
    assert abs(len(forth.way.lost) - again) <= max(2, 0.1 * again) or link == "clean"
    assert (len(forth.way.lost) == 0) == (link == "clean")
    for way in (forth.way, back.way):
        assert 10 <= np.min(way.delay_ns) / 1e6 < 11
    assert (found.losses.kind == losses.FAST).sum() >= 0.5 * again
