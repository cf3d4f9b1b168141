"""TCP read from captures: what each late segment was, round-trip times, windows; and agreement with tshark."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scapy.layers.inet import IP, TCP
from scapy.layers.l2 import Ether

from results.captures import losses, made
from results.captures.columns import Packets
from results.captures.connection_table import Analysis, analyse
from results.captures.reader import read
from results.captures.rounds import beyond_ms, rounds
from tests.results.sharkkit import agrees, needs_tshark
from tests.results.test_capture_reader import NOW_NS, enhanced, interface, section

UP, DOWN = ("10.0.0.1", 40_000), ("10.0.1.1", 80)
MS = 10**6


class Talk:
    """Segments said one by one, with relative numbers; `stamp` None leaves time stamps out."""

    def __init__(self, isn: int = 1000, server_isn: int = 5000, sack: bool = True) -> None:
        self.isns, self.sack, self.frames, self.now_ms = (isn, server_isn), sack, list[tuple[float, bytes]](), 0.0

    def say(self, at_ms: float, up: bool, flags: str, seq: int, ack: int = 0, size: int = 0, *, window: int = 500,
            stamp: int | None = None, sacks: tuple[int, ...] = (), port: int = 40_000) -> Talk:  # fmt: skip
        mine, its = (self.isns[0], self.isns[1]) if up else (self.isns[1], self.isns[0])
        ends = ({"src": UP[0], "dst": DOWN[0]}, {"sport": port, "dport": 80})
        if not up:
            ends = ({"src": DOWN[0], "dst": UP[0]}, {"sport": 80, "dport": port})
        options: list[Any] = [("Timestamp", (stamp, 0))] if stamp is not None else []
        if "S" in flags:
            options += [("MSS", 1460), ("WScale", 7)] + ([("SAckOK", b"")] if self.sack else [])
        if sacks:
            options.append(("SAck", tuple((its + edge) % 2**32 for edge in sacks)))
        tcp = TCP(**ends[1], flags=flags, seq=(mine + seq) % 2**32, ack=(its + ack) % 2**32 if "A" in flags else 0,
                  window=window, options=options)  # fmt: skip
        ether = Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02")
        self.frames.append((at_ms, bytes(ether / IP(**ends[0]) / tcp / (b"x" * size))))
        return self

    def opened(self, rtt_ms: float = 40.0) -> Talk:
        self.say(0, True, "S", 0).say(rtt_ms, False, "SA", 0, 1).say(rtt_ms + 0.1, True, "A", 1, 1)
        return self.say(rtt_ms + 0.2, True, "PA", 1, 1, 100)

    def save(self, path: Path) -> Path:
        blocks = [enhanced("<", 0, NOW_NS + round(at * MS), frame) for at, frame in self.frames]
        path.write_bytes(section("<") + interface("<", 1, (9, b"\x09")) + b"".join(blocks))
        return path

    def read(self, tmp_path: Path) -> Analysis:
        packets, capture = read(self.save(tmp_path / "talk.pcapng"))
        capture.check()
        return analyse(packets)


def row(found: Analysis, *names: str) -> list[Any]:
    return [found.table[name][0] for name in names]


def kinds(found: Analysis) -> list[tuple[str, bool]]:
    pairs = zip(found.losses.kind, found.losses.spurious, strict=True)
    return [(losses.NAMES[int(kind)], bool(needless)) for kind, needless in pairs]


def down(talk: Talk, at_ms: float, *segments: int, **more: Any) -> Talk:
    for number, segment in enumerate(segments):
        talk.say(at_ms + 0.01 * number, False, "PA", 1 + 1000 * segment, 101, 1000, **more)
    return talk


def test_a_clean_transfer_has_its_times_and_sizes(tmp_path: Path) -> None:
    talk = down(Talk().opened(40), 80, 0, 1, 2, 3).say(80.1, True, "A", 101, 4001)
    down(talk, 120, 4).say(120.5, True, "A", 101, 5001).say(121, False, "FA", 5001, 101).say(121.1, True, "FA", 101, 5002)
    found = talk.read(tmp_path)
    assert row(found, "client", "client_port", "server", "server_port") == ["10.0.0.1", 40_000, "10.0.1.1", 80]
    assert row(found, "handshake_ms", "initial_rtt_ms") == pytest.approx([40, 40.1])
    assert row(found, "bytes_up", "bytes_down", "new_bytes_down", "retransmissions_down") == [100, 5000, 5000, 0]
    assert row(found, "initial_window_down", "in_flight_down_max") == [4000, 4000]
    assert row(found, "fin_up", "fin_down", "rst_up", "begun_before", "missing_down") == [True, True, False, False, 0]
    assert row(found, "window_up_max", "scale_known") == [500 << 7, True]
    assert row(found, "throughput_down_bps") == pytest.approx([5000 * 8 / 0.040], rel=1e-6)


def test_three_sacked_segments_make_a_fast_retransmission(tmp_path: Path) -> None:
    talk = down(Talk().opened(), 80, 0, 1, 2, 3, 4).say(120, True, "A", 101, 1, sacks=(1001, 4001))
    found = down(talk, 120.1, 0).read(tmp_path)
    assert kinds(found) == [("fast", False)]


def test_three_duplicate_acks_do_without_sack(tmp_path: Path) -> None:
    talk = down(Talk(sack=False).opened(), 80, 0, 1, 2, 3, 4)
    for number in range(3):
        talk.say(120 + number, True, "A", 101, 1)
    found = down(talk, 124, 0).read(tmp_path)
    assert kinds(found) == [("fast", False)]
    assert row(found, "duplicate_acks") == [3]


def test_silence_and_then_the_first_segment_is_a_timeout(tmp_path: Path) -> None:
    talk = down(Talk().opened(), 80, 0, 1, 2)
    found = down(talk, 380, 0).read(tmp_path)
    assert kinds(found) == [("timeout", False)]


def test_the_last_segment_again_before_the_timeout_is_a_tail_loss_probe(tmp_path: Path) -> None:
    talk = down(Talk().opened(), 80, 0, 1, 2)
    found = down(talk, 160, 2).say(200, True, "A", 101, 3001, sacks=(2001, 3001)).read(tmp_path)
    assert kinds(found) == [("tail loss probe", True)]


def test_an_earlier_segment_again_without_a_sign_is_no_probe(tmp_path: Path) -> None:
    talk = down(Talk().opened(), 80, 0, 1, 2)
    assert kinds(down(talk, 160, 1).read(tmp_path)) == [("timeout", False)]


def test_d_sack_proves_a_retransmission_needless(tmp_path: Path) -> None:
    talk = down(Talk().opened(), 80, 0, 1, 2).say(120, True, "A", 101, 1, sacks=(1001, 3001))
    down(talk, 120.1, 0).say(125, True, "A", 101, 3001).say(160, True, "A", 101, 3001, sacks=(1, 1001))
    found = talk.read(tmp_path)
    assert kinds(found) == [("fast", True)]
    assert row(found, "fast", "spurious", "new_bytes_down", "bytes_down") == [1, 1, 3000, 4000]


@pytest.mark.parametrize(("stamp", "at_ms", "again", "reordered"), [
    (5, 80.5, 0, 1),  # an old stamp, soon: overtaken
    (5, 300, 1, 0),  # the same, but so late that no path reorders like that
    (9, 80.5, 1, 0),  # a newer stamp: it was sent after the segment that showed the hole
    (None, 80.5, 0, 1), (None, 300, 1, 0),
])  # fmt: skip
def test_a_filled_hole_is_a_repair_or_reordering(
    tmp_path: Path, stamp: int | None, at_ms: float, again: int, reordered: int
) -> None:
    other = None if stamp is None else 6
    talk = down(down(Talk().opened(), 80, 0, stamp=other), 80.1, 2, stamp=other)
    found = down(talk, at_ms, 1, stamp=stamp).read(tmp_path)
    assert row(found, "retransmissions_down", "out_of_order", "missing_down") == [again, reordered, 0]


def test_a_hole_that_stays_is_missing(tmp_path: Path) -> None:
    found = down(Talk().opened(), 80, 0, 2, 5).read(tmp_path)
    assert row(found, "missing_down", "retransmissions_down") == [3000, 0]


def test_zero_windows_and_keep_alives_are_no_retransmissions(tmp_path: Path) -> None:
    talk = down(Talk().opened(), 80, 0).say(81, True, "A", 101, 1001, window=0)
    for at in (500, 1500):
        talk.say(at, False, "A", 1000, 101).say(at + 1, True, "A", 101, 1001, window=0)
    found = talk.say(2000, True, "A", 101, 1001, window=400).read(tmp_path)
    assert row(found, "zero_windows", "keep_alives", "retransmissions_down") == [3, 2, 0]
    assert row(found, "idle_ms") == pytest.approx([419 + 999 + 499], abs=1)


@pytest.mark.parametrize("first", [2**32 - 1, 2**32 - 2500, 2**31])
def test_numbers_wrap(tmp_path: Path, first: int) -> None:
    talk = down(Talk(first, first).opened(), 80, 0, 1, 2, 3, 4).say(120, True, "A", 101, 1, sacks=(1001, 4001))
    found = down(talk, 120.1, 0).say(160, True, "A", 101, 5001).read(tmp_path)
    assert row(found, "new_bytes_down", "missing_down", "fast", "in_flight_down_max") == [5000, 0, 1, 5000]


def test_a_capture_that_begins_later_follows_what_is_there(tmp_path: Path) -> None:
    talk = down(Talk(), 0, 7, 8).say(1, True, "A", 101, 9001)
    found = talk.read(tmp_path)
    assert row(found, "client_port", "begun_before", "bytes_down", "in_flight_down_max", "scale_known") == [
        40_000, True, 2000, 2000, False]  # fmt: skip
    assert np.isnan(row(found, "handshake_ms")[0])
    assert found.samples.rtt_ns.tolist() == [990_000]


def test_a_port_used_again_is_another_connection_and_a_repeated_syn_is_not(tmp_path: Path) -> None:
    talk = Talk().say(0, True, "S", 0).say(1000, True, "S", 0).say(1040, False, "SA", 0, 1).say(1041, True, "A", 1, 1)
    talk.isns = (70_000, 90_000)
    found = talk.say(5000, True, "S", 0).say(5040, False, "SA", 0, 1).say(5041, True, "A", 1, 1).read(tmp_path)
    assert found.table["packets"].tolist() == [4, 3]
    assert found.table["handshake_ms"].tolist() == [1040, 40]
    assert found.table["initial_rtt_ms"].tolist() == [41, 41]


def test_slow_start_doubles_what_a_round_sends(tmp_path: Path) -> None:
    talk, sent = Talk().opened(40), 0
    for number, size in enumerate((2, 4, 8)):
        down(talk, 80 + 40 * number, *range(sent, sent + size))
        sent += size
        talk.say(119 + 40 * number, True, "A", 101, 1 + 1000 * sent)
    found = talk.read(tmp_path).segments
    assert [size for _, size in rounds(found, 1)] == [2000, 4000, 8000]
    assert [(time_ns - NOW_NS) / MS for time_ns, _ in rounds(found, 1)] == [80, 120, 160]
    assert [size for _, size in rounds(found, 0)] == [100]


def test_rounds_are_the_same_at_the_receiver_where_each_acknowledgement_follows_at_once(tmp_path: Path) -> None:
    talk, sent = Talk().opened(40), 0
    for number, size in enumerate((2, 4, 8)):
        for place in range(size):
            down(talk, 80 + 40 * number + place, sent + place)
            talk.say(80.1 + 40 * number + place, True, "A", 101, 1 + 1000 * (sent + place + 1))
        sent += size
    read = talk.read(tmp_path)
    assert (beyond_ms(read.table, 0, 0), beyond_ms(read.table, 0, 1)) == (0, 40)
    assert [size for _, size in rounds(read.segments, 1, away_ms=40)] == [2000, 4000, 8000]
    assert len(rounds(read.segments, 1)) == 14, "as if the point were at the sender"


def test_a_repeated_syn_puts_no_end_farther_away_than_the_round_trip(tmp_path: Path) -> None:
    talk = Talk().say(0, True, "S", 0).say(1000, True, "S", 0).say(1040, False, "SA", 0, 1).say(1041, True, "A", 1, 1)
    assert beyond_ms(talk.read(tmp_path).table, 0, 1) == 41


def test_both_sides_may_open(tmp_path: Path) -> None:
    talk = Talk().say(0, True, "S", 0).say(1, False, "S", 0).say(40, True, "SA", 0, 1).say(41, False, "SA", 0, 1)
    found = talk.read(tmp_path)
    assert row(found, "simultaneous", "client", "packets") == [True, "10.0.0.1", 4]


def test_samples_of_a_segment_sent_twice_are_ambiguous(tmp_path: Path) -> None:
    talk = down(down(Talk().opened(), 80, 0), 400, 0).say(440, True, "A", 101, 1001)
    found = talk.read(tmp_path)
    assert found.samples.ambiguous.tolist()[-1]
    assert row(found, "rtt_samples_up", "rtt_samples_down") == [1, 0]  # the server's data answered the request


def test_time_stamps_give_a_sample_for_each_echo(tmp_path: Path) -> None:
    talk = Talk().opened()
    for number in range(3):
        down(talk, 100 + number, number, stamp=50 + number)
        tcp = TCP(sport=40_000, dport=80, flags="A", seq=1101, ack=5000 + 1001 + 1000 * number,
                  options=[("Timestamp", (7 + number, 50 + number))])  # fmt: skip
        ether = Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02")
        talk.frames.append((100.75 + number, bytes(ether / IP(src=UP[0], dst=DOWN[0]) / tcp)))
    assert talk.read(tmp_path).stamps.rtt_ns.tolist() == [750_000] * 3


@given(st.lists(st.tuples(st.integers(0, 30), st.integers(1, 8)), min_size=1, max_size=40), st.integers(0, 2**32 - 1))
@settings(max_examples=100, deadline=None)
def test_holes_and_new_bytes_are_counted_whatever_the_order(pieces: list[tuple[int, int]], base: int) -> None:
    packets = Packets.zeros(len(pieces) + 1)
    packets.protocol[:], packets.flags[:], packets.header_bytes[:] = 6, 0x10, 20
    packets.flags[0] = 0x02
    packets.source_port[:], packets.destination_port[:] = 1, 2
    packets.time_ns = np.arange(len(pieces) + 1) * 10**9
    packets.seq[0] = base
    seen = set[int]()
    for number, (start, size) in enumerate(pieces, 1):
        packets.seq[number], packets.payload[number] = (base + 1 + start) % 2**32, size
        seen |= set(range(start, start + size))
    found = analyse(packets)
    assert row(found, "missing_up", "new_bytes_up") == [max(seen) + 1 - len(seen), len(seen)]


@needs_tshark
@pytest.mark.parametrize("isn", [None, 2**32 - 100_000])
def test_tshark_agrees_on_a_lossy_capture(tmp_path: Path, isn: int | None) -> None:
    path = tmp_path / "made.pcap"
    truth = made.write(path, 12, 250, 0.02, server_isn=isn)
    packets, capture = read(path)
    capture.check()
    found = analyse(packets)
    assert agrees(path, packets, found) > 500
    # tshark calls some of them out of order; the sender's own count is the truth.
    assert len(found.losses.again) == truth.fast + truth.timeouts > 20
    assert (found.losses.kind == losses.FAST).sum() == truth.fast
