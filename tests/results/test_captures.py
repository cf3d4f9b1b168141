"""Reading captures: what a fetch looked like on the wire."""

from __future__ import annotations

import shutil
import struct
import subprocess
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from results.captures.columns import TCP, Packets
from results.captures.connection_table import analyse
from results.captures.errors import CaptureError, TruncatedCapture
from results.captures.exchanges import exchanges
from results.captures.formats import ACK, SYN
from results.captures.reader import read
from results.captures.transfer import Transfer, agreement, follow, transfer
from tests.results.dialogue import START_NS, Dialogue, page

needs_tshark = pytest.mark.skipif(shutil.which("tshark") is None, reason="tshark, the oracle, is not installed")


def test_a_fetch_on_a_new_connection_is_timed_from_its_syn(tmp_path: Path) -> None:
    found = transfer(page(4000).save(tmp_path / "a.pcap"), 40_000)
    assert found.connect_ms == pytest.approx(80.0)
    assert found.request_ms == pytest.approx(80.1)
    assert found.first_byte_ms == pytest.approx(160.1)
    assert found.last_byte_ms == pytest.approx(160.1 + 2896 / 1448)
    assert (found.payload_bytes, found.retransmissions, found.missing_bytes) == (4000, 0, 0)
    assert found.began_ns == START_NS
    assert found.closed


def test_a_capture_of_headers_only_counts_the_bytes_on_the_wire(tmp_path: Path) -> None:
    whole = transfer(page().save(tmp_path / "whole.pcap"), 40_000)
    assert transfer(page().save(tmp_path / "snap.pcap", snap_bytes=96), 40_000) == whole


def test_a_capture_cut_within_the_headers_says_which_snap_length_it_wants(tmp_path: Path) -> None:
    with pytest.raises(CaptureError, match="snap length of at least 128"):
        transfer(page().save(tmp_path / "a.pcap", snap_bytes=40), 40_000)


def test_microsecond_captures_are_read_too(tmp_path: Path) -> None:
    found = transfer(page().save(tmp_path / "a.pcap", nano=False), 40_000)
    assert found.connect_ms == pytest.approx(80.0, abs=0.001)


def test_sequence_numbers_may_wrap_within_a_response(tmp_path: Path) -> None:
    found = transfer(page(4000, server_seq=2**32 - 2000).save(tmp_path / "a.pcap"), 40_000)
    assert (found.payload_bytes, found.missing_bytes, found.retransmissions) == (4000, 0, 0)


def test_a_segment_seen_before_is_a_retransmission_and_ends_nothing(tmp_path: Path) -> None:
    talk = Dialogue().handshake().client(80.1, "PA", 100).server(160, payload=1000).server(161, payload=500, seq=1001)
    talk.server(300, payload=1000)
    found = transfer(talk.save(tmp_path / "a.pcap"), 40_000)
    assert found.retransmissions == 1
    assert found.last_byte_ms == pytest.approx(161)
    assert found.payload_bytes == 1500


@pytest.mark.parametrize(("filled_ms", "again"), [(320, 1), (170, 0)])
def test_a_hole_filled_later_than_a_round_trip_was_sent_again_and_sooner_merely_overtaken(
    tmp_path: Path, filled_ms: float, again: int
) -> None:
    talk = Dialogue().handshake().client(80.1, "PA", 100).server(160, payload=1000)
    talk.server(161, payload=1000, seq=2001).server(filled_ms, payload=1000, seq=1001)
    found = transfer(talk.save(tmp_path / "a.pcap"), 40_000)
    assert (found.retransmissions, found.out_of_order, found.missing_bytes) == (again, 1 - again, 0)
    assert found.last_byte_ms == pytest.approx(filled_ms)


def test_a_hole_never_filled_is_reported(tmp_path: Path) -> None:
    talk = Dialogue().handshake().client(80.1, "PA", 100).server(160, payload=1000).server(161, payload=1000, seq=2001)
    assert transfer(talk.save(tmp_path / "a.pcap"), 40_000).missing_bytes == 1000


def test_what_a_syn_brings_begins_behind_it(tmp_path: Path) -> None:
    talk = Dialogue().client(0, "S", payload=536, seq=0).server(80, "SA", seq=0).client(80.1, "PA", payload=100, seq=537)
    talk.server(160, payload=500).client(160.1, "FA", seq=637)
    found = transfer(talk.save(tmp_path / "a.pcap"), 40_000)
    assert (found.missing_bytes, found.retransmissions, found.payload_bytes) == (0, 0, 500)
    assert (found.connect_ms, found.first_byte_ms) == (pytest.approx(80), pytest.approx(160))


def test_requests_on_a_reused_connection_are_separate(tmp_path: Path) -> None:
    talk = Dialogue().handshake().client(80.1, "PA", 100).server(160, payload=1000)
    talk.client(500, "PA", 100, seq=101).server(580, payload=700, seq=1001).server(581, payload=300, seq=1701)
    path = talk.save(tmp_path / "a.pcap")
    second = transfer(path, 40_000, start_ns=START_NS + 499_000_000)
    assert second.connect_ms is None
    assert second.began_ns == START_NS + 500_000_000
    assert second.first_byte_ms == pytest.approx(80)
    assert second.last_byte_ms == pytest.approx(81)
    assert second.payload_bytes == 1000
    assert transfer(path, 40_000).payload_bytes == 1000


def test_a_capture_that_begins_on_an_open_connection_knows_the_client_by_its_port(tmp_path: Path) -> None:
    talk = Dialogue().server(0, payload=10).client(5, "PA", 100).server(85, payload=500, seq=11)
    found = transfer(talk.save(tmp_path / "a.pcap"), 40_000)
    assert (found.connect_ms, found.payload_bytes) == (None, 500)


def test_a_segment_that_overtakes_a_lost_one_does_not_bring_the_first_byte(tmp_path: Path) -> None:
    talk = Dialogue().handshake(80.0).client(80.1, "PA", payload=120)
    talk.server(160.2, payload=1448, seq=1449)  # the segment with the first byte was lost
    talk.server(240.9, payload=1448, seq=1)
    seen = transfer(talk.save(tmp_path / "lost.pcap"), 40_000)
    assert seen.first_byte_ms == pytest.approx(240.9)
    assert (seen.payload_bytes, seen.missing_bytes) == (2896, 0)


def test_a_lost_syn_counts_in_the_handshake(tmp_path: Path) -> None:
    talk = Dialogue().client(0, "S", seq=0).handshake(80, at_ms=1000).client(1080.1, "PA", 10).server(1160, payload=5)
    assert transfer(talk.save(tmp_path / "a.pcap"), 40_000).connect_ms == pytest.approx(1080)


def test_a_port_used_again_is_another_connection(tmp_path: Path) -> None:
    first, second = page(2000), Dialogue(client_seq=77_000, server_seq=99_000)
    second.handshake(10, at_ms=1000).client(1010.1, "PA", 10).server(1020, payload=900)
    first.packets += second.packets
    path = first.save(tmp_path / "a.pcap")
    assert follow(path).streams(40_000) == [0, 1]
    assert transfer(path, 40_000, START_NS + 10**9).payload_bytes == 900


def test_who_asks_nothing_has_no_exchange(tmp_path: Path) -> None:
    silent = follow(Dialogue().handshake().client(90, "FA").server(170, "FA").save(tmp_path / "a.pcap"))
    assert exchanges(silent.analysis, 0) == []
    pushed = follow(Dialogue().handshake().server(90, payload=500).save(tmp_path / "b.pcap"))
    assert exchanges(pushed.analysis, 0) == []


def test_a_fetch_that_is_not_there_says_so(tmp_path: Path) -> None:
    path = page().save(tmp_path / "a.pcap")
    with pytest.raises(CaptureError, match=r"no connection from port 41000; was the capture running"):
        transfer(path, 41_000)
    with pytest.raises(CaptureError, match="no request after the fetch began from port 40000"):
        transfer(path, 40_000, START_NS + 10**10)
    silent = Dialogue().handshake().client(80.1, "PA", 10).save(tmp_path / "b.pcap")
    with pytest.raises(CaptureError, match="no server byte was captured"):
        transfer(silent, 40_000)


@pytest.mark.parametrize("cut", [1, 15, 17, 60])
def test_a_truncated_capture_is_never_read_as_a_short_one(tmp_path: Path, cut: int) -> None:
    whole = page().save(tmp_path / "a.pcap").read_bytes()
    path = tmp_path / "cut.pcap"
    path.write_bytes(whole[:-cut])
    with pytest.raises(TruncatedCapture, match=r"could not read cut\.pcap: it is truncated"):
        transfer(path, 40_000)


@pytest.mark.parametrize("content", [b"", b"\x0a", b"GET / HTTP/1.1\r\n\r\n", b"\x4d\x3c\xb2\xa1\0\0"])
def test_what_is_not_a_capture_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "x.pcap"
    path.write_bytes(content)
    with pytest.raises(CaptureError, match=r"could not read x\.pcap"):
        transfer(path, 1)
    with pytest.raises(CaptureError, match="No such file"):
        transfer(tmp_path / "none.pcap", 1)


def _capture(path: Path, frame: bytes, linktype: int) -> Path:
    head = struct.pack("<IHHiIII", 0xA1B23C4D, 2, 4, 0, 0, 65_535, linktype)
    path.write_bytes(head + struct.pack("<IIII", 0, 7, len(frame), len(frame)) + frame)
    return path


def test_link_types_without_ethernet_are_decoded_and_strange_ones_refused(tmp_path: Path) -> None:
    frame = bytes(page().packets[3])
    ip = frame[14:]
    frames = {1: frame, 101: ip, 113: bytes(14) + b"\x08\x00" + ip, 276: b"\x08\x00" + bytes(18) + ip}
    paths = [_capture(tmp_path / f"{linktype}.pcap", whole, linktype) for linktype, whole in frames.items()]
    paths.append(_capture(tmp_path / "vlan.pcap", frame[:12] + b"\x81\x00\x00\x05\x08\x00" + ip, 1))
    for path in paths:
        packets, _ = read(path)
        assert (packets.payload.tolist(), packets.source_port.tolist()) == ([120], [40_000])
    with pytest.raises(CaptureError, match="link type 105"):
        follow(_capture(tmp_path / "wifi.pcap", frame, 105))


def test_what_is_not_tcp_is_passed_over(tmp_path: Path) -> None:
    frame = bytearray(bytes(page().packets[3]))
    frame[14 + 9] = 17
    assert follow(_capture(tmp_path / "udp.pcap", bytes(frame), 1)).analysis.segments.connections == 0
    arp = _capture(tmp_path / "arp.pcap", b"\xff" * 12 + b"\x08\x06" + b"\0" * 28, 1)
    assert follow(arp).analysis.segments.connections == 0


@needs_tshark
def test_tshark_agrees_on_lengths_times_and_retransmissions(tmp_path: Path) -> None:
    talk = page(20_000)
    again = talk.packets[6].copy()
    again.time = talk.packets[-1].time + 200_000_000  # sooner than one RTT, tshark calls it out of order
    talk.packets.append(again)
    path = talk.save(tmp_path / "a.pcap")
    again_fields = [f"tcp.analysis.{kind}retransmission" for kind in ("", "fast_", "spurious_")]
    names = ["frame.time_epoch", "tcp.len", "tcp.srcport", *again_fields]
    lines = subprocess.run(["tshark", "-r", str(path), "-T", "fields", *[x for n in names for x in ("-e", n)]],
                           check=True, capture_output=True, text=True).stdout.splitlines()  # fmt: skip
    theirs = [line.split("\t") for line in lines]
    ours, _ = read(path)
    assert ours.payload.tolist() == [int(row[1]) for row in theirs]
    assert ours.source_port.tolist() == [int(row[2]) for row in theirs]
    assert [f"{time_ns // 10**9}.{time_ns % 10**9:09d}" for time_ns in ours.time_ns.tolist()] == [row[0] for row in theirs]
    assert sum(any(row[3:]) for row in theirs) == transfer(path, 40_000).retransmissions == 1


@given(st.lists(st.tuples(st.integers(0, 60), st.integers(2, 12)), min_size=1, max_size=40), st.integers(0, 2**32 - 1))
@settings(max_examples=300)
def test_new_bytes_are_counted_once_whatever_the_order(pieces: list[tuple[int, int]], base: int) -> None:
    packets, seen = Packets.zeros(len(pieces) + 1), set[int]()
    packets.frame[:] = np.arange(1, len(packets) + 1)
    packets.version[:], packets.protocol[:], packets.header_bytes[:] = 4, TCP, 20
    packets.source_low[:], packets.destination_low[:] = 1, 2
    packets.source_port[:], packets.destination_port[:] = 40_000, 80
    packets.flags[0], packets.flags[1:], packets.seq[0] = SYN, ACK, base
    expected = [0]
    for number, (start, length) in enumerate(pieces, 1):
        packets.seq[number], packets.payload[number] = (base + 1 + start) % 2**32, length
        packets.time_ns[number] = number
        expected.append(len(set(range(start, start + length)) - seen))
        seen |= set(range(start, start + length))
    found = analyse(packets)
    assert found.fresh.tolist() == expected
    assert found.table["new_bytes_up"][0] == len(seen)
    assert found.table["missing_up"][0] == max(seen) + 1 - len(seen)


_WIRE = Transfer(0, 40_000, START_NS, 80.0, 80.1, 160.0, 170.0, 4000, 9, 0, 0, 0, True)


def test_of_an_encrypted_connection_nothing_is_told_of_its_content() -> None:
    told = {name for name, value in _WIRE.columns(encrypted=True).items() if value != ""}
    assert told == {"cap_connect_ms", "cap_retransmissions"}
    assert "" not in _WIRE.columns().values()


def test_client_and_capture_agree_within_one_millisecond_and_one_percent() -> None:
    assert agreement({"dns_ms": 0.4, "connect_ms": 80.6, "first_byte_ms": 162.9, "total_ms": 172.9}, _WIRE) == ""


def test_a_disagreement_names_both_times() -> None:
    words = agreement({"dns_ms": 0.0, "connect_ms": 80.2, "first_byte_ms": 163.0, "total_ms": 172.0}, _WIRE)
    assert words == "first byte: client 163.000 ms, capture 160.000 ms"


def test_the_look_up_is_no_part_of_a_reused_connection() -> None:
    wire = Transfer(0, 40_000, START_NS, None, 0.0, 80.0, 90.0, 4000, 9, 0, 0, 0, True)
    assert agreement({"dns_ms": 30.0, "connect_ms": 0.0, "first_byte_ms": 80.5, "total_ms": 90.3}, wire) == ""
    assert "last byte" in agreement({"total_ms": 95.0}, wire)


def test_a_time_that_is_no_number_is_a_disagreement() -> None:
    assert "last byte" in agreement({"total_ms": float("nan")}, _WIRE)


def test_a_pcapng_block_with_a_wrong_length_is_damage_not_an_end(tmp_path: Path) -> None:
    path = tmp_path / "bad.pcapng"
    path.write_bytes(struct.pack("<IIIHHq", 0x0A0D0D0A, 28, 0x1A2B3C4D, 1, 0, -1) + struct.pack("<I", 24))
    with pytest.raises(CaptureError, match="ends with another length"):
        follow(path)
