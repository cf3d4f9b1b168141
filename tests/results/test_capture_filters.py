"""Display filters: what they let through is what tshark lets through; and what is no filter is said in words."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import Dot1Q

from results.captures.columns import Packets
from results.captures.filters import FIELDS, PROTOCOLS, FilterError, compiled
from results.captures.reader import read
from tests.results.test_capture_reader import Eth, pcap

_FRAMES = [
    Eth() / IP(src="10.1.0.1", dst="10.2.0.1", ttl=64, id=7) / TCP(sport=4000, dport=80, flags="S", window=1000),
    Eth() / IP(src="10.2.0.1", dst="10.1.0.1", ttl=60, id=8) / TCP(sport=80, dport=4000, flags="SA") / b"abc",
    Eth() / IP(src="10.9.0.1", dst="10.1.255.9", ttl=1, id=9) / UDP(sport=53, dport=9999) / b"xyz",
    Eth() / Dot1Q(vlan=5) / IP(src="10.1.0.1", dst="10.9.0.1", id=10) / ICMP(type=8),
    Eth() / IPv6(src="2001:db8::1", dst="2001:db8:1::2") / TCP(sport=443, dport=5000, flags="FA"),
    Eth() / IPv6(src="fe80::1", dst="2001:db8::1") / UDP(sport=1, dport=2),
    Eth(type=0x0806) / bytes(28),
]

FILTERS = [
    "ip.addr == 10.1.0.0/16 and tcp.port == 80", "ip.addr != 10.1.0.1", "!(tcp) || tcp.port in {443, 5000}", "tcp.port != 80",
    "ipv6.addr == 2001:db8::/48 or ipv6.src == fe80::1 && udp", "tcp.flags.syn == 1 and tcp.flags.ack == 0 or icmp.type == 8",
    "frame.number > 2 and frame.len ge 60 and not ip.ttl < 61", "vlan.id == 5 or tcp.dstport eq 0x50 or udp.length == 11",
]  # fmt: skip
"""Few, because each is a run of tshark: half of them hold two kinds of comparison."""


@pytest.fixture(scope="module")
def capture(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("filters") / "a.pcap"
    path.write_bytes(pcap([bytes(one) for one in _FRAMES]))
    return path


def passed(path: Path, text: str) -> list[int]:
    packets, _ = read(path)
    return [int(one) for one in packets.frame[compiled(text)(packets)]]


@pytest.mark.parametrize(("text", "frames"), [
    ("ip.addr == 10.1.0.0/16 and tcp.port == 80", [1, 2]), ("ip.addr != 10.1.0.1", [3]), ("tcp.port in {443 80}", [1, 2, 5]),
    ("ipv6.addr == 2001:db8::1", [5, 6]), ("not tcp and not udp", [4, 7]), ("tcp or udp and vlan", [1, 2, 5]),
    ("(tcp or udp) and vlan", []), ("tcp.port == 99999", []), ("tcp.port > -5", [1, 2, 5]),
])  # fmt: skip
def test_a_filter_lets_through_what_it_says(capture: Path, text: str, frames: list[int]) -> None:
    assert passed(capture, text) == frames


@pytest.mark.skipif(shutil.which("tshark") is None, reason="tshark, the oracle, is not installed")
def test_tshark_lets_the_same_packets_through(capture: Path) -> None:
    for text in FILTERS:
        said = subprocess.run(["tshark", "-r", str(capture), "-Y", text, "-T", "fields", "-e", "frame.number"], check=True,
                              capture_output=True, text=True).stdout.split()  # fmt: skip
        assert [int(one) for one in said] == passed(capture, text), text


@pytest.mark.parametrize(("text", "words"), [
    ("", "ends where a field should be"), ("tcp.prot == 80", r"there is no field 'tcp\.prot'; did you mean tcp\.port"),
    ("tcp.port == ", "'' is no number"), ("tcp.port == http", "'http' is no number"), ("ip.addr == 10.1", "is no address"),
    ("ip.addr == ::1", r"ip\.\* is IPv4"), ("ip.addr > 10.0.0.1", "addresses have no order"),
    ("(tcp", "parenthesis is not closed"), ("tcp udp", "'udp' follows a whole expression"),
    ("tcp.port in {80", "a set is not closed"), ("tcp.port in 80", "wants a set"),
    ("tcp = 80", "is no part of a filter"), ("(" * 200 + "tcp" + ")" * 200, "nested too deeply"),
])  # fmt: skip
def test_what_is_no_filter_is_said(text: str, words: str) -> None:
    with pytest.raises(FilterError, match=f"could not read the filter .*{words}"):
        compiled(text)


@given(st.lists(st.sampled_from(
    ["tcp", "udp", "and", "or", "not", "(", ")", "==", "tcp.port", "80", "ip.addr", "10.0.0.0/8", "in", "{", "}", "!", ","]
), max_size=12))  # fmt: skip
def test_any_words_are_a_filter_or_an_error(words: list[str]) -> None:
    try:
        test = compiled(" ".join(words))
    except FilterError:
        return
    assert test(Packets.zeros(3)).tolist() in ([True] * 3, [False] * 3)


def test_every_field_works_on_no_packets_and_on_some() -> None:
    for name, field in FIELDS.items():
        text = f"{name} == 2001:db8::1" if name.startswith("ipv6.") and field.is_address else \
            f"{name} == 10.0.0.1" if field.is_address else f"{name} == 1"  # fmt: skip
        for rows in (0, 2):
            assert compiled(text)(Packets.zeros(rows)).dtype == np.bool_


def test_the_manual_lists_every_field() -> None:
    manual = (Path(__file__).parents[2] / "docs" / "captures.md").read_text()
    assert [name for name in (*FIELDS, *PROTOCOLS) if f"`{name}`" not in manual] == []
