"""Classic pcap to pcapng: the same packets, and where they came from."""

from __future__ import annotations

import io
import shutil
import struct
import subprocess
from pathlib import Path

import pytest

from results.captures.errors import CaptureError, TruncatedCapture
from results.captures.pcapng import Described, Writer, convert, convert_file
from results.captures.reader import read
from tests.results.dialogue import page

needs_tshark = pytest.mark.skipif(shutil.which("tshark") is None, reason="tshark, the oracle, is not installed")


def _converted(tmp_path: Path, **more: int) -> Path:
    source = page(9000).save(tmp_path / "a.pcap", snap_bytes=97)
    about = Described("client1:to-mumbai", "client1", "link mumbai-chennai")
    convert_file(source, tmp_path / "a.pcapng", comment="run 20261123T003000Z-ab12cd", interface=about, **more)
    return tmp_path / "a.pcapng"


def test_every_packet_keeps_its_time_and_length(tmp_path: Path) -> None:
    path = _converted(tmp_path)
    ours, theirs = read(path)[0], read(tmp_path / "a.pcap")[0]
    for name in ("time_ns", "captured", "wire", "seq", "ack", "flags", "payload"):
        assert getattr(ours, name).tolist() == getattr(theirs, name).tolist()


def test_the_number_of_packets_is_returned() -> None:
    assert convert(io.BytesIO(_plain(5)), io.BytesIO(), comment="", interface=Described("eth0")) == 5


@pytest.mark.parametrize("keys", [b"", b"CLIENT_RANDOM 00 11\n"])
def test_keys_stand_before_the_packets_that_they_open(tmp_path: Path, keys: bytes) -> None:
    source = page().save(tmp_path / "a.pcap")
    convert_file(source, tmp_path / "a.pcapng", comment="", interface=Described("eth0"), keys=keys)
    packets, capture = read(tmp_path / "a.pcapng")
    assert (capture.records.secrets, len(packets)) == (int(bool(keys)), len(page().packets))
    data = (tmp_path / "a.pcapng").read_bytes()
    assert (struct.pack("<III", 0x544C534B, len(keys), 0)[:8] + keys in data) == bool(keys)


@needs_tshark
def test_tshark_reads_the_same_packets_and_who_captured_them(tmp_path: Path) -> None:
    path = _converted(tmp_path, received=17, dropped=2)
    fields = ["-T", "fields", "-e", "frame.time_epoch", "-e", "frame.len", "-e", "frame.cap_len", "-e", "tcp.seq_raw"]
    ours, theirs = (_run("tshark", "-r", str(one), *fields) for one in (path, tmp_path / "a.pcap"))
    assert ours == theirs
    assert ours
    assert set(_run("tshark", "-r", str(path), "-T", "fields", "-e", "frame.interface_name").split()) == {"client1:to-mumbai"}


@pytest.mark.skipif(shutil.which("capinfos") is None, reason="capinfos, the oracle, is not installed")
def test_capinfos_shows_run_interface_resolution_and_drops(tmp_path: Path) -> None:
    said = _run("capinfos", str(_converted(tmp_path, received=17, dropped=2)))
    for text in ("run 20261123T003000Z-ab12cd", "Name = client1:to-mumbai", "Description = client1",
                 "Comment = link mumbai-chennai", "nanosecond"):  # fmt: skip
        assert text in said


def test_drops_stand_in_the_statistics_block(tmp_path: Path) -> None:
    data = _converted(tmp_path, received=17, dropped=2).read_bytes()
    size = struct.unpack("<I", data[-4:])[0]
    block = data[-size:]
    assert struct.unpack("<I", block[:4])[0] == 5
    assert struct.pack("<HHQ", 4, 8, 17) in block
    assert struct.pack("<HHQ", 5, 8, 2) in block


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize(("magic", "unit"), [(0xA1B23C4D, 1), (0xA1B2C3D4, 1000)])
def test_both_byte_orders_and_resolutions_are_read(tmp_path: Path, order: str, magic: int, unit: int) -> None:
    source = tmp_path / "a.pcap"
    source.write_bytes(_plain(3, order, magic))
    convert_file(source, tmp_path / "b.pcapng", comment="c", interface=Described("i"))
    packets, _ = read(tmp_path / "b.pcapng")
    assert packets.time_ns[0] == 1_790_000_000 * 10**9 + 5 * unit


@pytest.mark.parametrize("cut", [1, 16, 70])
def test_a_killed_tcpdump_is_called_by_name_and_leaves_no_file(tmp_path: Path, cut: int) -> None:
    source = tmp_path / "killed.pcap"
    source.write_bytes(_plain(4)[:-cut])
    with pytest.raises(TruncatedCapture, match=r"killed\.pcap: it is truncated: 3 whole records"):
        convert_file(source, tmp_path / "b.pcapng", comment="c", interface=Described("i"))
    assert [one.name for one in tmp_path.iterdir()] == ["killed.pcap"]


@pytest.mark.parametrize("content", [b"", b"tcpdump: eth9: No such device\n", b"\x0a\x0d\x0d\x0a" + b"\0" * 24])
def test_what_is_no_classic_capture_is_refused(content: bytes) -> None:
    with pytest.raises(CaptureError, match="no classic pcap"):
        convert(io.BytesIO(content), io.BytesIO(), comment="", interface=Described("eth0"))


def test_packets_across_read_boundaries_stay_whole(tmp_path: Path) -> None:
    source = tmp_path / "a.pcap"
    source.write_bytes(_plain(30_000))
    assert convert_file(source, tmp_path / "b.pcapng", comment="c", interface=Described("i")) == 30_000
    assert len(read(tmp_path / "b.pcapng")[0]) == 30_000


def test_packets_one_by_one_keep_interface_time_and_comment(tmp_path: Path) -> None:
    frame = bytes(page().packets[3])
    path = tmp_path / "one.pcapng"
    with path.open("wb") as sink:
        writer = Writer(sink, "a run")
        there, gone = writer.interface(Described("a>b released")), writer.interface(Described("a>b dropped", "", "of a link"))
        writer.packet(there, 17, frame[:71], len(frame))
        writer.packet(gone, 1_790_000_000_000_000_019, frame, len(frame), "the queue was full")
    packets, capture = read(path)
    assert packets.time_ns.tolist() == [17, 1_790_000_000_000_000_019]
    assert packets.interface.tolist() == [0, 1]
    assert packets.captured.tolist() == [71, len(frame)]
    assert [one.name for one in capture.records.interfaces] == ["a>b released", "a>b dropped"]
    assert capture.records.packet_comments == {2: "the queue was full"}


def _plain(count: int, order: str = "<", magic: int = 0xA1B23C4D) -> bytes:
    head = struct.pack(order + "IHHiIII", magic, 2, 4, 0, 0, 262_144, 1)
    frame = bytes(page().packets[3])[:71]
    record = struct.pack(order + "IIII", 1_790_000_000, 5, len(frame), 174) + frame
    return head + record * count


def _run(*command: str) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout
