"""The reader of captures: every format, every layer, and what is no capture. scapy is the oracle of what a packet holds."""

from __future__ import annotations

import gzip
import io
import os
import random
import struct
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zstandard
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.layers.inet6 import IPv6, IPv6ExtHdrDestOpt, IPv6ExtHdrFragment, IPv6ExtHdrHopByHop
from scapy.layers.l2 import Dot1AD, Dot1Q, Ether

from results.captures import blocks, boundaries, columns, compiled, framing
from results.captures.classic_frames import Guess
from results.captures.columns import CUT, FRAGMENT, MALFORMED, Packets, address
from results.captures.errors import CaptureError, TruncatedCapture
from results.captures.reader import Capture, read
from tests.results.dialogue import page

NOW_NS = 1_790_000_000_123_456_789


def pcap(frames: list[bytes], order: str = "<", nano: bool = True, linktype: int = 1, snap: int = 262_144) -> bytes:
    magic, unit = (0xA1B23C4D, 1) if nano else (0xA1B2C3D4, 1000)
    out = [struct.pack(order + "IHHiIII", magic, 2, 4, 0, 0, snap, linktype)]
    for number, frame in enumerate(frames):
        time_ns = NOW_NS + number * 1000
        out.append(struct.pack(order + "IIII", time_ns // 10**9, time_ns % 10**9 // unit, len(frame[:snap]), len(frame)))
        out.append(frame[:snap])
    return b"".join(out)


def block(order: str, kind: int, body: bytes) -> bytes:
    body += bytes(-len(body) % 4)
    size = struct.pack(order + "I", len(body) + 12)
    return struct.pack(order + "I", kind) + size + body + size


def options(order: str, *given: tuple[int, bytes]) -> bytes:
    packed = (struct.pack(order + "HH", code, len(value)) + value + bytes(-len(value) % 4) for code, value in given)
    return b"".join(packed) + bytes(4)


def section(order: str, comment: str = "") -> bytes:
    return block(order, 0x0A0D0D0A, struct.pack(order + "IHHq", 0x1A2B3C4D, 1, 0, -1) + options(order, (1, comment.encode())))


def interface(order: str, linktype: int = 1, *more: tuple[int, bytes]) -> bytes:
    return block(order, 1, struct.pack(order + "HHI", linktype, 0, 0) + options(order, *more))


def enhanced(order: str, number: int, ticks: int, frame: bytes, comment: str = "") -> bytes:
    more = options(order, (1, comment.encode())) if comment else b""
    padded = frame + bytes(-len(frame) % 4)
    return block(order, 6, struct.pack(order + "IIIII", number, ticks >> 32, ticks & 0xFFFFFFFF, len(frame), len(frame))
                 + padded + more)  # fmt: skip


def loaded(tmp_path: Path, data: bytes, name: str = "a.pcap") -> tuple[Packets, Capture]:
    (tmp_path / name).write_bytes(data)
    return read(tmp_path / name)


def Eth(**more: Any) -> Any:
    """An Ethernet header that asks no neighbour for its address."""
    return Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02", **more)


ENDS = {"src": "10.0.0.1", "dst": "10.0.1.1"}
FRAME = bytes(Eth() / IP(src="10.0.0.1", dst="10.0.1.1") / TCP() / b"body")

# Round trip ---------------------------------------------------------------------------------------------------------

_u16, _u32 = st.integers(0, 2**16 - 1), st.integers(0, 2**32 - 1)
_tcp_options = st.lists(st.one_of(
    st.just(("NOP", None)), st.tuples(st.just("Timestamp"), st.tuples(_u32, _u32)), st.tuples(st.just("MSS"), _u16),
    st.tuples(st.just("WScale"), st.integers(0, 14)), st.just(("SAckOK", b"")),
    st.tuples(st.just("SAck"), st.tuples(_u32, _u32)),
), max_size=3, unique_by=lambda one: one[0])  # fmt: skip
_transport = st.one_of(
    st.builds(lambda s, d, q, a, f, w, o: TCP(sport=s, dport=d, seq=q, ack=a, flags=f, window=w, options=o),
              _u16, _u16, _u32, _u32, st.integers(0, 511), _u16, _tcp_options),
    st.builds(lambda s, d: UDP(sport=s, dport=d), _u16, _u16),
    st.builds(lambda t: ICMP(type=t), st.sampled_from([0, 8, 3, 11])),
)  # fmt: skip
_ip6 = st.ip_addresses(v=6).filter(lambda one: one.ipv4_mapped is None)  # on the wire those stand for no IPv4 packet
_network = st.one_of(
    st.builds(lambda i, t, o, s: IP(src=str(s), dst="10.9.8.7", id=i, ttl=t, tos=o), _u16, st.integers(1, 255),
              st.integers(0, 255), st.ip_addresses(v=4)),
    st.builds(lambda s, h, c: IPv6(src=str(s), dst="2001:db8::7", hlim=h, tc=c), _ip6, st.integers(1, 255),
              st.integers(0, 255)),
    st.builds(lambda s, e: IPv6(src=str(s), dst="2001:db8::8") / e, _ip6, st.sampled_from([
        IPv6ExtHdrHopByHop(), IPv6ExtHdrDestOpt() / IPv6ExtHdrFragment(m=1, id=77), IPv6ExtHdrHopByHop() / IPv6ExtHdrDestOpt(),
    ])),
)  # fmt: skip
_link = st.sampled_from([Eth(), Eth() / Dot1Q(vlan=5), Eth() / Dot1AD(vlan=9) / Dot1Q(vlan=7)])
_packet = st.builds(lambda link, network, transport, body: link / network / transport / body,
                    _link, _network, _transport, st.binary(max_size=40))  # fmt: skip


@given(st.lists(_packet, min_size=1, max_size=6), st.sampled_from("<>"), st.booleans(), st.booleans())
@settings(max_examples=80, deadline=None, suppress_health_check=list(HealthCheck))
def test_a_crafted_packet_reads_back_the_same(
    tmp_path_factory: pytest.TempPathFactory, crafted: list[Any], order: str, nano: bool, new: bool
) -> None:
    raw = [bytes(one) for one in crafted]
    data = pcap(raw, order, nano)
    if new:
        blocks = [enhanced(order, 0, NOW_NS + number * 1000, one) for number, one in enumerate(raw)]
        data = section(order) + interface(order, 1, (9, b"\x09")) + b"".join(blocks)
    packets, capture = loaded(tmp_path_factory.mktemp("c"), data)
    capture.check()
    assert packets.frame.tolist() == list(range(1, len(raw) + 1))
    unit = 1 if nano or new else 1000
    assert packets.time_ns.tolist() == [(NOW_NS + number * 1000) // unit * unit for number in range(len(raw))]
    for row, frame in enumerate(raw):
        _same(packets, row, Ether(frame), len(frame))


def _same(packets: Packets, row: int, said: Any, size: int) -> None:
    def ours(*names: str) -> list[int]:
        return [int(getattr(packets, name)[row]) for name in names]

    assert ours("captured", "wire") == [size, size]
    network = said[IP] if IP in said else said[IPv6]
    outer = next((said[one] for one in (Dot1AD, Dot1Q) if one in said), None)
    assert ours("vlan") == [outer.vlan if outer else 0]
    assert address(*ours("source_high", "source_low")) == network.src
    assert address(*ours("destination_high", "destination_low")) == network.dst
    if network.version == 4:
        assert ours("version", "tos", "ttl", "ip_id", "ip_length") == [4, network.tos, network.ttl, network.id, network.len]
    else:
        whole = [6, network.tc, network.hlim, network.plen + 40]
        assert ours("version", "tos", "ttl", "ip_length") == whole
    if TCP in said:
        tcp = said[TCP]
        names = ("protocol", "source_port", "destination_port", "seq", "ack", "flags", "window", "checksum", "header_bytes")
        ends = [6, tcp.sport, tcp.dport, tcp.seq, tcp.ack]
        assert ours(*names) == [*ends, int(tcp.flags), tcp.window, tcp.chksum, tcp.dataofs * 4]
        assert ours("payload") == [len(tcp.payload)]
        given = dict(tcp.options)
        assert ours("has_stamp", "mss", "scale", "sack_permitted") == [
            "Timestamp" in given, given.get("MSS", 0), given.get("WScale", -1), "SAckOK" in given]  # fmt: skip
        assert tuple(ours("stamp", "echo")) == given.get("Timestamp", (0, 0))
        mine = packets.sack_row == row
        edges = np.stack([packets.sack_left[mine], packets.sack_right[mine]], 1).ravel()
        assert tuple(edges.tolist()) == given.get("SAck", ())
    elif UDP in said:
        assert ours("protocol", "source_port", "destination_port") == [17, said[UDP].sport, said[UDP].dport]
        assert ours("payload", "opening") == [len(said[UDP].payload), _digest(bytes(said[UDP].payload))]
    elif ICMP in said and network.version == 4:
        assert ours("protocol", "icmp") == [1, said[ICMP].type << 8 | said[ICMP].code]
        assert ours("opening") == [_digest(bytes(said[ICMP])[4:])]


def _digest(opening: bytes) -> int:
    """A polynomial of the bytes, never 0 but of nothing."""
    mixed = 0
    for byte in opening[:32]:
        mixed = (mixed * 0x01000193 + byte) % 2**32
    return mixed | 1 if opening else 0


def test_an_opening_that_was_not_captured_whole_is_none(tmp_path: Path) -> None:
    whole = bytes(Eth() / IP(**ENDS) / UDP() / bytes(range(40)))
    packets, _ = loaded(tmp_path, pcap([whole[:size] for size in (42 + 31, 42 + 32)]))
    assert packets.opening.tolist() == [0, _digest(bytes(range(40)))]


def test_three_sack_blocks_are_kept_in_order(tmp_path: Path) -> None:
    edges = (1, 2, 30, 40, 500, 600)
    frame = bytes(Eth() / IP(**ENDS) / TCP(options=[("NOP", None), ("NOP", None), ("SAck", edges)]))
    packets, _ = loaded(tmp_path, pcap([FRAME, frame]))
    assert packets.sack_row.tolist() == [1, 1, 1]
    assert list(zip(packets.sack_left.tolist(), packets.sack_right.tolist(), strict=True)) == [(1, 2), (30, 40), (500, 600)]


def test_a_later_fragment_has_no_ports_and_a_cut_packet_says_so(tmp_path: Path) -> None:
    packets, capture = loaded(tmp_path, pcap([bytes(Eth() / IP(**ENDS, frag=100, proto=6) / (b"\x12" * 40))]))
    assert (packets.state[0], packets.source_port[0]) == (FRAGMENT, 0)
    capture.check()
    packets, capture = loaded(tmp_path, pcap([FRAME], snap=40))
    assert packets.state[0] == CUT
    assert "snap length of at least 128" in capture.notes()[0]
    with pytest.raises(CaptureError, match="1 packets were cut within their headers"):
        capture.check()


@pytest.mark.parametrize("bad", [b"\x08", b"\x08\x00", b"\x08\x01", b"\x05\x0b" + bytes(9), b"\x08\xff"])
def test_options_that_contradict_themselves_are_called_malformed(tmp_path: Path, bad: bytes) -> None:
    tcp = bytearray(bytes(TCP(sport=1, dport=2)) + bad.rjust(12, b"\x01"))
    tcp[12] = 0x80
    packets, _ = loaded(tmp_path, pcap([bytes(Eth() / IP(**ENDS, proto=6) / bytes(tcp))]))
    assert packets.state[0] == MALFORMED


def test_a_capture_of_segmentation_offload_counts_the_frames_length(tmp_path: Path) -> None:
    packets, _ = loaded(tmp_path, pcap([bytes(Eth() / IP(**ENDS, len=0) / TCP() / (b"x" * 3000))]))
    assert packets.payload[0] == 3000


# Boundaries ---------------------------------------------------------------------------------------------------------


@given(st.integers(0, 2**32), st.sampled_from("<>"), st.booleans(), st.integers(64, 900), st.booleans())
@settings(max_examples=120, deadline=None)
def test_lanes_and_the_core_find_the_same_records_as_a_plain_walk(
    seed: int, order: str, new: bool, lane: int, core: bool
) -> None:
    dice = random.Random(seed)
    # Bodies that hold whole records of the same time are the trap: a guess may land on them.
    trap = enhanced(order, 0, NOW_NS, b"trap" * 9) if new else pcap([b"t" * 30, b"u" * 40], order)[24:]
    bodies = [dice.choice([trap, trap * 3, os.urandom(dice.randrange(1, 300)), b""]) for _ in range(80)]
    data = (section(order) + interface(order) + b"".join(enhanced(order, 0, NOW_NS, one) for one in bodies)) if new \
        else pcap(bodies, order)  # fmt: skip
    data = data[: len(data) - dice.randrange(0, 40)]
    start = 0 if new else 24
    buffer = bytearray(data + bytes(framing.PADDING))
    shape = boundaries.Shape(order, 0, 4, 12, 7, True, blocks.guess(order)) if new \
        else boundaries.Shape(order, 16, 8, 16, 4, False, Guess(order, buffer, start, 1))  # fmt: skip
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(boundaries, "LANE_BYTES", lane)
        if not core:
            patch.setattr(compiled, "core", lambda: None)
        found, after, words = boundaries.walk(buffer, start, len(data), shape)
    expected, at = [], start
    while at + shape.header_bytes <= len(data):
        next_at = at + shape.base + struct.unpack_from(order + "I", data, at + shape.where)[0]
        if next_at > len(data):
            break
        expected.append(at)
        at = next_at
    assert found.tolist() == expected
    assert after == at
    said = [struct.unpack_from(f"{order}{shape.words}I", data, at) for at in expected]
    assert [tuple(int(word[row]) for word in words[: shape.words]) for row in range(len(expected))] == said
    ends = [*expected, after][1:]
    assert not new or words[shape.words].tolist() == [struct.unpack_from(order + "I", data, end - 4)[0] for end in ends]


def test_packets_across_chunks_are_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    frames = [FRAME + bytes(number % 90) for number in range(3000)]
    whole, _ = loaded(tmp_path, pcap(frames))
    monkeypatch.setattr(framing, "CHUNK_BYTES", 4096)
    monkeypatch.setattr(framing, "LARGEST_RECORD", 1024)
    chunked, capture = loaded(tmp_path, pcap(frames))
    capture.check()
    assert chunked.wire.tolist() == whole.wire.tolist() == [len(one) for one in frames]
    assert chunked.frame.tolist() == whole.frame.tolist()


# Formats ------------------------------------------------------------------------------------------------------------


def test_a_pcapng_may_change_its_byte_order_and_its_clocks(tmp_path: Path) -> None:
    data = section("<", "first") + interface("<", 1, (2, b"to-mumbai"), (9, b"\x09")) + interface("<", 101, (9, b"\x83"))
    data += enhanced("<", 0, NOW_NS, FRAME) + enhanced("<", 1, 12, FRAME[14:], "look here")
    data += section(">", "second") + interface(">", 1, (1, b"client"), (14, struct.pack(">q", 100)))
    data += enhanced(">", 0, 7, FRAME) + block(">", 5, struct.pack(">III", 0, 0, 0) + options(">", (5, struct.pack(">Q", 3))))
    packets, capture = loaded(tmp_path, data)
    capture.check()
    assert packets.time_ns.tolist() == [NOW_NS, 1_500_000_000, 100_000_007_000]
    assert packets.interface.tolist() == [0, 1, 2]
    assert packets.seq.tolist() == [0, 0, 0]
    assert packets.source_port.tolist() == [20, 20, 20]
    records = capture.records
    assert records.comments == ["first", "second"]
    assert [(one.name, one.comment, one.dropped) for one in records.interfaces] == [
        ("to-mumbai", "", None), ("", "", None), ("", "client", 3)]  # fmt: skip
    assert records.packet_comments == {2: "look here"}
    assert any("3 packets were dropped while capturing" in one for one in capture.notes())


def _zst(data: bytes) -> bytes:
    return zstandard.compress(data)


@pytest.mark.parametrize("pack", [gzip.compress, _zst])
def test_compressed_captures_are_read_and_their_early_end_is_seen(tmp_path: Path, pack: Any) -> None:
    frames = [FRAME + os.urandom(50) for _ in range(9000)]
    packed = pack(pcap(frames))
    packets, capture = loaded(tmp_path, packed)
    capture.check()
    assert len(packets) == 9000
    packets, capture = loaded(tmp_path, packed[: len(packed) // 2])
    assert 0 < len(packets) < 9000
    with pytest.raises(TruncatedCapture, match=rf"compressed stream ends early.*{len(packets)} packets before that are valid"):
        capture.check()


def test_a_pipe_is_read_to_its_end(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=lambda: pipe.write_bytes(pcap([FRAME] * 500)))
    writer.start()
    packets, capture = read(pipe)
    writer.join()
    capture.check()
    assert len(packets) == 500


# Bad input ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("data", "words"), [
    (b"", "it is empty"),
    (b"\x0a", "it is no capture"),
    (b"GET / HTTP/1.1\r\n\r\n", r"not a packet capture \(it begins with 47 45 54 20\)"),
    (b"\x4d\x3c\xb2\xa1\0\0", "it is truncated: 0 whole records"),
])  # fmt: skip
def test_what_is_no_capture_is_refused(tmp_path: Path, data: bytes, words: str) -> None:
    with pytest.raises(CaptureError, match=words):
        loaded(tmp_path, data)
    with pytest.raises(CaptureError, match=r"could not read .*: Is a directory"):
        read(tmp_path)


def test_a_cut_file_gives_what_came_before(tmp_path: Path) -> None:
    packets, capture = loaded(tmp_path, pcap([FRAME] * 9)[:-3])
    assert len(packets) == 8
    with pytest.raises(TruncatedCapture, match=r"a\.pcap: it is truncated: 8 whole records, then 71 bytes"):
        capture.check()


@pytest.mark.parametrize("number", [0, 5])
def test_absurd_lengths_are_damage_not_memory(tmp_path: Path, number: int) -> None:
    data = bytearray(pcap([FRAME] * 9))
    struct.pack_into("<I", data, 24 + (16 + len(FRAME)) * number + 8, 0xFFFF_FFF0)
    packets, capture = loaded(tmp_path, bytes(data))
    assert len(packets) == number
    with pytest.raises(CaptureError, match=rf"claims 4294967280 bytes of a frame.*\({number} packets before that are valid\)"):
        capture.check()


@pytest.mark.parametrize(("damage", "words"), [
    (block("<", 1, b"")[:4] + struct.pack("<I", 0), "claims 0 bytes"),
    (struct.pack("<III", 6, 12, 16) + bytes(20), "ends with another length"),
    (enhanced("<", 4, 0, FRAME), "names an interface that was not described"),
    (block("<", 6, struct.pack("<IIIII", 0, 0, 0, 500, 500)), "claims more bytes than its block"),
    (block("<", 0x0A0D0D0A, bytes(16)), "no byte-order magic"),
    (struct.pack("<II", 6, 0x7FFF_FFF0) + bytes(60), "claims 2147483632 bytes"),
])  # fmt: skip
def test_a_damaged_pcapng_says_where(tmp_path: Path, damage: bytes, words: str) -> None:
    sound = section("<") + interface("<") + enhanced("<", 0, 5, FRAME) * 3
    packets, capture = loaded(tmp_path, sound + damage + enhanced("<", 0, 5, FRAME))
    assert len(packets) == 3
    with pytest.raises(CaptureError, match=words + r".*\(3 packets before that are valid\)"):
        capture.check()


def test_time_that_goes_backwards_is_said(tmp_path: Path) -> None:
    data = pcap([FRAME] * 3) + pcap([FRAME] * 3)[24:]
    _, capture = loaded(tmp_path, data)
    assert "time goes backwards 1 times, first at frame 4" in capture.notes()[0]


@given(st.integers(0, 2**64))
@settings(max_examples=250, deadline=None, suppress_health_check=list(HealthCheck))
def test_damage_anywhere_ends_in_words(tmp_path_factory: pytest.TempPathFactory, seed: int) -> None:
    dice = random.Random(seed)
    data = bytearray(_SOUND[dice.randrange(len(_SOUND))])
    for _ in range(dice.randrange(1, 8)):
        place = dice.randrange(len(data))
        kind = dice.randrange(3)
        if kind == 0:
            data[place] = dice.randrange(256)
        elif kind == 1:
            del data[place : place + dice.randrange(1, 60)]
        else:
            data[place:place] = os.urandom(dice.randrange(1, 20))
        if not data:
            break
    path = tmp_path_factory.getbasetemp() / "fuzz"
    path.write_bytes(bytes(data))
    try:
        packets, capture = read(path)
    except CaptureError as error:
        words = str(error)
    else:
        words = "could not read fuzz: "
        assert len(packets) == capture.records.frames
        assert all(len(getattr(packets, name)) == len(packets) for name in columns.TYPES)
        assert all(capture.notes())
    assert words.startswith("could not read fuzz: ")


def _sound() -> list[bytes]:
    frames = [bytes(one) for one in page(5000).packets]
    six = Eth() / IPv6(src="::1", dst="::2") / IPv6ExtHdrHopByHop() / IPv6ExtHdrFragment()
    frames.append(bytes(six / TCP(options=[("SAck", (1, 2))])))
    new = section("<", "c") + interface("<", 1, (9, b"\x09")) + b"".join(enhanced("<", 0, NOW_NS, one, "x") for one in frames)
    many = io.BytesIO()
    many.write(pcap(frames * 30))
    return [pcap(frames), new, many.getvalue(), gzip.compress(pcap(frames)), _zst(new)]


_SOUND = _sound()
