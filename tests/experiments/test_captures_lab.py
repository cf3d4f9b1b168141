"""Captures of a real kernel over emulated links: retransmissions as TCP itself counts them, RTT samples as tshark's, one-way
delays and losses as the relay's own log has them."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import trustme

from experiments.harness.capture import Recorder
from experiments.harness.capture_plan import Plan
from experiments.harness.points import points
from results.captures import between, losses
from results.captures.columns import Packets
from results.captures.connection_table import Analysis, analyse
from results.captures.matching import identity, match
from results.captures.reader import read
from results.captures.survey import survey
from tests.labkit import in_sandbox
from tests.results.sharkkit import TSHARK, agrees
from topologies.emulator.lab import Lab
from topologies.two_hosts import TwoHosts

pytestmark = pytest.mark.lab

MERGECAP = shutil.which("mergecap")
SENT = 3_000_000
_SERVER = """
import json, socket, ssl, struct, sys, threading, time
many, size, chain = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
listening = socket.create_server(("::", 443), family=socket.AF_INET6, dualstack_ipv6=True, backlog=many)
print("ready", flush=True)
said = []
def serve(peer):
    if chain:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(chain)
        peer = context.wrap_socket(peer, server_side=True)
    peer.recv(4096)
    peer.sendall(b"HTTP/1.0 200 OK\\r\\n\\r\\n".ljust(size, b"x"))
    # Offsets of struct tcp_info: tcpi_unacked 24, tcpi_total_retrans 100, tcpi_dsack_dups 208 (Linux 4.19).
    while True:
        info = socket.socket.getsockopt(peer, socket.IPPROTO_TCP, socket.TCP_INFO, 240)
        if struct.unpack_from("I", info, 24)[0] == 0:
            break
        time.sleep(0.01)
    said.append({"retransmitted": struct.unpack_from("I", info, 100)[0], "dsack": struct.unpack_from("I", info, 208)[0]})
    peer.close()
threads = [threading.Thread(target=serve, args=listening.accept()[:1]) for _ in range(many)]
for one in threads: one.start()
for one in threads: one.join()
print(json.dumps({name: sum(one[name] for one in said) for name in said[0]}))
"""
_CLIENT = """
import socket, ssl, sys, threading
address, many, secure = sys.argv[1], int(sys.argv[2]), sys.argv[3]
peers = [socket.create_connection((address, 443)) for _ in range(many)]
def fetch(peer):
    if secure:
        context = ssl.create_default_context()  # which writes to SSLKEYLOGFILE
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        peer = context.wrap_socket(peer)
    peer.sendall(b"GET / HTTP/1.0\\r\\n\\r\\n")
    while peer.recv(1 << 16):
        pass
    peer.close()
threads = [threading.Thread(target=fetch, args=(peer,)) for peer in peers]
for one in threads: one.start()
for one in threads: one.join()
"""


@dataclass(frozen=True)
class Case:
    """One download, or several at once, over a link with a queue that holds all that is ever in flight: what is lost, the link
    was asked to lose."""

    name: str
    settings: dict[str, str] = field(default_factory=dict)
    connections: int = 1
    tls: bool = False
    ipv6: bool = False


CASES = [Case("clean"), Case("loss", {"loss": "1%"}), Case("reorder", {"changes": "server>client: reorder 0.5%"}),
         Case("several", {"loss": "0.5%"}, connections=4), Case("ipv6", {"loss": "0.5%"}, ipv6=True),
         Case("tls", tls=True)]  # fmt: skip


@dataclass(frozen=True)
class Taken:
    """What a case left: the kernel's own counts, and the captures."""

    case: Case
    folder: Path
    kernel: dict[str, int]
    problems: list[str]

    def packets(self, node: str) -> Packets:
        return read(self.folder / f"trial-0001.{node}.pcapng")[0]


@pytest.fixture(scope="module", params=CASES, ids=lambda case: case.name)
def taken(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Taken:
    case, folder = request.param, tmp_path_factory.mktemp(request.param.name)
    chain = folder / "chain.pem"
    if case.tls:
        leaf = trustme.CA().issue_cert("server")
        chain.write_bytes(leaf.private_key_and_cert_chain_pem.bytes())

    def work() -> dict[str, Any]:
        lab = Lab(TwoHosts(rtt="20ms", rate="50mbit", queue="8MiB", **case.settings), "relay")
        client, server, address = lab.node("client"), lab.node("server"), lab.address("server")
        if case.ipv6:
            address = "fd00::2"
            for number, node in enumerate((client, server), 1):
                node.cmd("sysctl -w net.ipv6.conf.eth0.disable_ipv6=0")
                node.cmd(f"ip addr add fd00::{number}/64 dev eth0 nodad")
        snap_bytes = 262_144 if case.tls else 160
        plan = Plan(points(lab.topology, ["*"]), frozenset(), snap_bytes, merged=bool(MERGECAP), relay=True, keys=case.tls)
        recorder, many = Recorder(lab, plan, folder, "a-run", folder), str(case.connections)
        with recorder.trial(1) as captures:
            command = [sys.executable, "-c", _SERVER, many, str(SENT // case.connections), str(chain) if case.tls else ""]
            serving = server.popen(command, stdout=subprocess.PIPE, text=True)
            serving.stdout.readline()
            client.popen([sys.executable, "-c", _CLIENT, address, many, "yes" if case.tls else ""],
                         env={"SSLKEYLOGFILE": str(folder / "client.keys")}).wait(timeout=60)  # fmt: skip
            said = serving.communicate(timeout=30)[0]
        return {"kernel": json.loads(said), "problems": captures.problems}

    return Taken(case, folder, **in_sandbox(work))


def _again(found: Analysis) -> int:
    return int(found.table["retransmissions_down"].sum())


def test_the_kernels_own_count_is_found_at_both_ends(taken: Taken) -> None:
    assert taken.problems == []
    sent, arrived = (analyse(taken.packets(node)) for node in ("server", "client"))
    again, kernel = _again(sent), taken.kernel["retransmitted"]
    assert abs(again - kernel) <= max(1, 0.01 * kernel)
    assert again > 5 or "loss" not in taken.case.settings
    assert again == 0 or taken.case.settings
    assert int(sent.table["spurious"].sum()) <= taken.kernel["dsack"]
    for found in (sent, arrived):
        assert len(found.table["stream"]) == taken.case.connections
        assert int(found.table["missing_down"].sum()) == 0
        if not taken.case.tls:
            assert int(found.table["new_bytes_down"].sum()) == SENT // taken.case.connections * taken.case.connections
    if "loss" in taken.case.settings:
        assert (sent.losses.kind == losses.FAST).sum() >= 0.5 * again


@pytest.mark.skipif(TSHARK is None, reason="tshark, the oracle, is not installed")
def test_tshark_says_the_same(taken: Taken) -> None:
    for node, least in (("server", 100), ("client", 3)):
        path = taken.folder / f"{node}.tcp.pcapng"
        whole = taken.folder / f"trial-0001.{node}.pcapng"
        subprocess.run(["tshark", "-r", str(whole), "-Y", "tcp", "-w", str(path)], check=True)
        packets = read(path)[0]
        assert agrees(path, packets, analyse(packets)) > least


def _logged(taken: Taken) -> dict[str, Packets]:
    return {point.name: point.packets for point in between.load(taken.folder / "trial-0001.relay.pcapng")}


@pytest.mark.parametrize(("begin", "end"), [("server", "client"), ("client", "server")])
def test_one_way_delays_and_losses_are_those_of_the_relays_own_log(taken: Taken, begin: str, end: str) -> None:
    logged = _logged(taken)
    queued, released = (logged[f"{begin}>{end} {what}"] for what in ("queued", "released"))
    seen, _ = match(taken.packets(begin), taken.packets(end))
    own, _ = match(queued, released)
    first, second = (dict(zip(identity(packets)[way.sent].tolist(), way.delay_ns.tolist(), strict=True))
                     for packets, way in ((taken.packets(begin), seen), (queued, own)))  # fmt: skip
    both = sorted(first.keys() & second.keys())
    assert len(both) >= 0.98 * len(second)
    apart_us = np.abs(np.array([first[key] - second[key] for key in both])) / 1e3
    assert np.median(apart_us) < 50, np.percentile(apart_us, [50, 90, 99, 100])
    assert np.percentile(apart_us, 90) < 200, np.percentile(apart_us, [50, 90, 99, 100])
    if taken.case.name != "reorder":
        assert 10 <= np.min(seen.delay_ns) / 1e6 < 11
    dropped = logged.get(f"{begin}>{end} dropped")
    lost = Counter(identity(taken.packets(begin))[seen.lost].tolist())
    gone = Counter(identity(dropped).tolist() if dropped is not None else [])
    assert lost <= gone
    assert (gone - lost).total() <= 1  # of the last ones captures cannot tell whether they were still to come


def test_why_a_packet_is_gone_stands_beside_it(taken: Taken) -> None:
    comments = set(read(taken.folder / "trial-0001.relay.pcapng")[1].records.packet_comments.values())
    assert comments == ({"lost on the wire, as specified"} if {"loss"} & set(taken.case.settings) else set())


@pytest.mark.skipif(MERGECAP is None, reason="mergecap is not installed")
def test_one_file_holds_the_packets_of_all_points_in_order(taken: Taken) -> None:
    packets, capture = read(taken.folder / "trial-0001.pcapng")
    assert not capture.records.problem
    assert not any(str(taken.folder) in comment for comment in capture.records.comments)
    # Packets that two processors handed over at once may stand the wrong way round in a capture by that much.
    assert np.diff(packets.time_ns).min() > -1_000_000
    names = {one.name for one in capture.records.interfaces}
    assert {"client:eth0", "server:eth0", "server>client released"} <= names
    assert len(packets) == sum(len(read(path)[0]) for path in taken.folder.glob("trial-0001.*.pcapng"))


@pytest.mark.skipif(TSHARK is None, reason="tshark, the oracle, is not installed")
def test_with_its_keys_in_it_a_capture_is_decrypted(taken: Taken) -> None:
    if taken.case.name not in ("clean", "tls"):
        return  # one without keys tells as much as five
    for path in (taken.folder / f"trial-0001.{kind}pcapng" for kind in ("client.", "")[: 1 + bool(MERGECAP)]):
        command = ["tshark", "-r", str(path), "-Y", "tls && http.request", "-T", "fields", "-e", "http.request.uri"]
        said = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
        assert ("/" in said) == taken.case.tls


@pytest.mark.skipif(TSHARK is None, reason="tshark, the oracle, is not installed")
def test_of_a_tls_connection_tshark_names_the_same_frames(taken: Taken) -> None:
    if not taken.case.tls:
        return
    path = taken.folder / "trial-0001.client.pcapng"
    found = survey(path)

    def frames(wanted: str) -> list[int]:
        command = ["tshark", "-r", str(path), "-Y", wanted, "-T", "fields", "-e", "frame.number"]
        return [int(one) for one in subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()]

    assert found.handshakes["version"] == ["TLS 1.3"]
    for column, wanted in (("client_hello_frame", 1), ("server_hello_frame", 2)):
        assert found.handshakes[column].tolist() == frames(f"tls.handshake.type == {wanted}")
    # With the keys tshark sees which encrypted exchange is the request: its packets are in it, and the whole response.
    (asked,) = frames("tls && http.request")
    spans = zip(found.requests["request_frame"].tolist(), found.requests["sent_frame"].tolist(), strict=True)
    (row,) = [row for row, (first, last) in enumerate(spans) if first <= asked <= last]
    assert found.requests["encrypted"][row] == 1
    assert SENT < found.requests["response_bytes"][row] < 1.01 * SENT
    # The first byte comes a round trip after the request, the last when the link of 50 Mbit/s has carried all.
    assert 20 <= found.requests["wait_ms"][row] < found.requests["transfer_ms"][row]
    assert found.requests["transfer_ms"][row] > 0.9 * 8 * SENT / 50e3
