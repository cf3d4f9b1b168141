"""QUIC of Caddy and libcurl over emulated links, captured whole at both ends. What is seen from outside is held against tshark,
with the keys and without, and against the client's own clock."""

from __future__ import annotations

import struct
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from experiments.harness.capture import Recorder
from experiments.harness.capture_plan import WHOLE_BYTES, Plan
from experiments.harness.daemon import Daemon
from experiments.harness.points import points
from nodes.http.failure import Failure
from nodes.programs import program
from results.captures.reader import Capture
from results.captures.survey import survey
from tests.labkit import in_sandbox
from tests.results.sharkkit import needs_tshark
from topologies.emulator.lab import Lab
from topologies.two_hosts import TwoHosts

try:
    program("caddy", "caddy")
except Failure:
    pytest.skip("caddy is not here: sudo ./provision.sh --peers", allow_module_level=True)

pytestmark = [pytest.mark.lab, needs_tshark]

FETCHES, RTT_MS = 3, 40
FIELDS = ("frame.number", "frame.time_epoch", "udp.stream", "udp.dstport", "quic.header_form", "quic.long.packet_type",
          "quic.version")  # fmt: skip
PORT = 8443
INITIAL = 0


@dataclass(frozen=True)
class Taken:
    """What each fetch measured itself, and the captures."""

    folder: Path
    fetched: list[dict[str, Any]]
    problems: list[str]

    def capture(self, node: str) -> Path:
        return self.folder / f"trial-0001.{node}.pcapng"


@pytest.fixture(scope="module")
def taken(tmp_path_factory: pytest.TempPathFactory) -> Taken:
    folder = tmp_path_factory.mktemp("quic")

    def work() -> dict[str, Any]:
        lab = Lab(TwoHosts(rtt=f"{RTT_MS}ms", rate="50mbit"), "relay")
        host, authority = lab.address("server"), str(folder / "ca")
        secured = ["--listen", f"{host}:{PORT}", "--origin", f"http://{host}:80", "--name", "server",
                   "--tls-authority", authority]  # fmt: skip
        serving = [Daemon(lab, "server", "nodes.origin", ["--listen", f"{host}:80"], folder),
                   Daemon(lab, "server", "nodes.caddy", secured, folder)]  # fmt: skip
        for one in serving:
            one.wait_ready()
        client = Daemon(lab, "client", "nodes.client", ["--worker"], folder, {"SSLKEYLOGFILE": str(folder / "client.keys")})
        plan = Plan(points(lab.topology, ["*"]), frozenset(), WHOLE_BYTES, keys=True)
        order = {"url": f"https://{host}:{PORT}/objects/300KB/a", "http_version": "3", "cacert": str(folder / "ca" / "ca.pem")}
        fetched = []
        with Recorder(lab, plan, folder, "a-run", folder).trial(1) as captures:
            for _ in range(FETCHES):
                client.order(order, "fetch")
                fetched.append(client.read(20, "fetch"))
        for one in (client, *serving):
            one.kill()
        return {"fetched": fetched, "problems": captures.problems}

    return Taken(folder, **in_sandbox(work))


def shark(path: Path) -> list[dict[str, float]]:
    """Frames and times of each UDP stream with QUIC, as tshark tells packets apart: the client's first Initial, the server's
    first packet, the client's first short one behind it."""
    command = ["tshark", "-r", str(path), "-Y", "quic", "-T", "fields", *[x for name in FIELDS for x in ("-e", name)]]
    lines = subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()
    found: dict[str, dict[str, float]] = {}
    for number, at, stream, port, forms, kinds, versions in (line.split("\t") for line in lines):
        up, frame, moment = port == str(PORT), int(number), float(at) * 1e3
        one = found.setdefault(stream, {})
        if up and str(INITIAL) in kinds.split(","):
            one.setdefault("initial_frame", frame)
            one.setdefault("start", moment)
        if not up and "answer_frame" not in one:
            one |= {"answer_frame": frame, "answer_ms": moment - one["start"], "version": int(versions.split(",")[0], 16)}
        if up and "answer_frame" in one and "0" in forms.split(",") and "done_frame" not in one:
            one |= {"done_frame": frame, "handshake_ms": moment - one["start"]}
    return list(found.values())


def cut(path: Path, snap: int, target: Path) -> Path:
    """A copy of a capture as it were with another snap length."""
    rows = [struct.pack("<IHHiIII", 0xA1B23C4D, 2, 4, 0, 0, snap, 1)]
    for chunk in Capture(path).chunks():
        found = chunk.frames
        for at, size, time_ns in zip(found.at.tolist(), found.captured.tolist(), found.time_ns.tolist(), strict=True):
            kept = min(size, snap)
            rows.append(struct.pack("<IIII", *divmod(time_ns, 10**9), kept, size) + found.data[at : at + kept])
    target.write_bytes(b"".join(rows))
    return target


@pytest.mark.parametrize("node", ["client", "server"])
@pytest.mark.parametrize("snap", [WHOLE_BYTES, 160])
def test_tshark_names_the_same_frames_version_and_times(taken: Taken, node: str, snap: int, tmp_path: Path) -> None:
    assert taken.problems == []
    path = taken.capture(node) if snap == WHOLE_BYTES else cut(taken.capture(node), snap, tmp_path / "cut.pcap")
    ours, theirs = survey(path).quic, shark(path)
    assert len(ours["version"]) == len(theirs) == FETCHES
    for number, one in enumerate(theirs):
        assert ours["version"][number] == str(int(one["version"]))
        for name in ("initial_frame", "answer_frame", "done_frame"):
            assert int(ours[name][number]) == one[name], name
        for name in ("answer_ms", "handshake_ms"):
            assert float(ours[name][number]) == pytest.approx(one[name], abs=0.001)


def test_the_clients_own_clock_says_the_same(taken: Taken) -> None:
    found = survey(taken.capture("client")).quic
    for number, fetched in enumerate(taken.fetched):
        assert (fetched["ok"], fetched["http_version"]) == (True, "3"), fetched["error"]
        own = fetched["tls_ms"] - fetched["dns_ms"]
        assert float(found["handshake_ms"][number]) == pytest.approx(own, abs=5)
        assert RTT_MS <= float(found["answer_ms"][number]) <= float(found["handshake_ms"][number])


def test_with_its_keys_in_it_a_capture_is_decrypted_to_http_3(taken: Taken) -> None:
    command = ["tshark", "-r", str(taken.capture("client")), "-Y", "http3.frame_type == 1", "-T", "fields", "-e", "udp.stream"]
    said = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
    assert len(set(said)) == FETCHES
