"""QUIC handshakes from outside: packets made by hand as RFC 9000 and RFC 9369 lay them out, tshark as the oracle."""

from __future__ import annotations

import math
import subprocess
from pathlib import Path

import pytest
from scapy.layers.inet import IP, UDP
from scapy.layers.l2 import Ether
from scapy.utils import wrpcap

from results.captures import quic
from results.captures.quic import HANDSHAKE, INITIAL, RETRY, V1, V2, ZERO_RTT
from results.captures.survey import survey
from tests.results.sharkkit import needs_tshark

SHORT_PACKET = b"\x40" + bytes(range(1, 40))


def long(kind: int, version: int = V1, size: int = 1150, token: bytes = b"") -> bytes:
    """A long-header packet whose protected part is nonsense."""
    code = (kind + (version == V2)) % 4
    ids = bytes([8, *range(8), 4, *range(4)])
    head = bytes([0xC0 | code << 4]) + version.to_bytes(4, "big") + ids
    if kind == RETRY:
        return head + token + bytes(16)
    return head + (bytes([len(token)]) + token if kind == INITIAL else b"") + (0x4000 | size).to_bytes(2, "big") + bytes(size)


CODES = {INITIAL: 0, ZERO_RTT: 1, HANDSHAKE: 2, RETRY: 3}


def conversation(path: Path, *said: tuple[float, bool, bytes], port: int = 50_000, snap: int = 0) -> Path:
    packets = []
    for at_ms, up, data in said:
        ends = ("10.0.0.1", "10.0.1.1") if up else ("10.0.1.1", "10.0.0.1")
        ports = (port, 443) if up else (443, port)
        packet = Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02") / IP(src=ends[0], dst=ends[1]) / UDP(
            sport=ports[0], dport=ports[1]) / data  # fmt: skip
        whole = Ether(bytes(packet))
        packet = Ether(bytes(packet)[:snap]) if snap else whole
        packet.time, packet.wirelen = 1_790_000_000 + at_ms / 1e3, len(whole)
        packets.append(packet)
    wrpcap(str(path), packets)
    return path


@pytest.mark.parametrize(("version", "name"), [(V1, "1"), (V2, "2"), (0xFF00001D, "draft-29")])
def test_a_handshake_lasts_from_the_initial_to_the_clients_first_short_packet(tmp_path: Path, version: int, name: str) -> None:
    path = conversation(
        tmp_path / "a.pcap", (0, True, long(INITIAL, version)),
        (40, False, long(INITIAL, version, 100) + long(HANDSHAKE, version, 900)),
        (41, False, SHORT_PACKET), (42, True, long(INITIAL, version, 60) + long(HANDSHAKE, version, 80) + SHORT_PACKET),
        (90, True, SHORT_PACKET))  # fmt: skip
    table = survey(path).quic
    assert table["version"] == [name]
    assert (table["client"], table["client_port"].tolist(), table["server_port"].tolist()) == (["10.0.0.1"], [50_000], [443])
    assert [int(table[column][0]) for column in ("initial_frame", "answer_frame", "done_frame")] == [1, 2, 4]
    assert [float(table[column][0]) for column in ("answer_ms", "handshake_ms")] == pytest.approx([40, 42], abs=2e-3)
    assert [int(table[column][0]) for column in ("retry", "zero_rtt", "version_negotiation")] == [0, 0, 0]


def test_retry_early_data_and_a_version_that_the_server_refused_are_told(tmp_path: Path) -> None:
    path = conversation(
        tmp_path / "a.pcap", (0, True, long(INITIAL) + long(ZERO_RTT, size=90)), (20, False, long(RETRY, token=b"t" * 30)),
        (21, True, long(INITIAL, token=b"t" * 30)), (40, False, long(INITIAL, V2, 200)))  # fmt: skip
    found = survey(path).quic
    assert [int(found[column][0]) for column in ("retry", "zero_rtt", "version_negotiation")] == [1, 1, 0]
    assert found["version"] == ["2"]
    assert math.isnan(found["handshake_ms"][0])
    refused = bytes([0x80]) + bytes(4) + bytes([4, *range(4), 8, *range(8)]) + V1.to_bytes(4, "big")
    path = conversation(tmp_path / "b.pcap", (0, True, long(INITIAL)), (20, False, refused))
    assert survey(path).quic["version_negotiation"].tolist() == [1]


def test_what_only_looks_like_quic_is_none(tmp_path: Path) -> None:
    path = conversation(tmp_path / "a.pcap", (0, True, SHORT_PACKET), (1, False, SHORT_PACKET), (2, True, long(HANDSHAKE)),
                        (3, True, b"\xc3" + b"\x12\x34\x56\x78" + bytes(60)))  # fmt: skip
    assert survey(path).quic["version"] == []


def test_of_headers_alone_what_follows_in_a_datagram_is_not_seen(tmp_path: Path) -> None:
    said = ((0.0, True, long(INITIAL)), (40.0, False, long(INITIAL, size=100) + long(HANDSHAKE, size=900)),
            (42.0, True, long(INITIAL, size=600) + SHORT_PACKET), (60.0, True, SHORT_PACKET))  # fmt: skip
    assert survey(conversation(tmp_path / "whole.pcap", *said)).quic["done_frame"].tolist() == [3]


def test_nonsense_ends(tmp_path: Path) -> None:
    for data in (b"", b"\xc0", b"\xc0" + V1.to_bytes(4, "big"), b"\xc0" + V1.to_bytes(4, "big") + b"\xff" * 9,
                 long(INITIAL)[:16], long(INITIAL)[:23]):  # fmt: skip
        assert len(list(quic.kinds_of(data))) <= 1


@needs_tshark
@pytest.mark.parametrize("version", [V1, V2])
def test_tshark_reads_the_same_packets(tmp_path: Path, version: int) -> None:
    both = long(INITIAL, version, 100) + long(HANDSHAKE, version, 900)
    datagrams = [long(INITIAL, version), both, long(ZERO_RTT, version, 50)]
    path = conversation(tmp_path / "a.pcap", *((float(n), n != 1, data) for n, data in enumerate(datagrams)))
    said = subprocess.run(["tshark", "-r", str(path), "-d", "udp.port==443,quic", "-T", "fields", "-e", "quic.long.packet_type",
                           "-e", "quic.long.packet_type_v2", "-e", "quic.version"], check=True, capture_output=True,
                          text=True).stdout.splitlines()  # fmt: skip
    for data, line in zip(datagrams, said, strict=True):
        kinds = [kind for kind, _ in quic.kinds_of(data)]
        types, types_2, versions = line.split("\t")
        shift = 1 if version == V2 else 0
        assert [(CODES[kind] + shift) % 4 for kind in kinds] == [int(one, 0) for one in (types or types_2).split(",")]
        assert {int(one, 16) for one in versions.split(",")} == {version}


