"""Packets found again at another point: what was delayed, lost, overtaken, and what only looks the same."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from results.captures import between, made, summary
from results.captures.columns import TYPES, Packets
from results.captures.filters import compiled
from results.captures.matching import match
from results.captures.pcapng import Described, Writer
from results.captures.reader import read
from results.captures.survey import survey
from tests.results.dialogue import page

MS = 10**6


def reordered(packets: Packets, rows: list[int], times: list[int]) -> Packets:
    """Rows with other times, sorted by them, as a tap elsewhere would have seen them."""
    order = sorted(range(len(rows)), key=lambda one: times[one])
    chosen = np.array([rows[one] for one in order], np.int64)
    out = Packets.zeros(len(chosen))
    for name in TYPES:
        setattr(out, name, getattr(packets, name)[chosen].copy())
    out.time_ns = np.array([times[one] for one in order], np.int64)
    out.frame = np.arange(1, len(chosen) + 1)
    return out


def flow(count: int, gap_ns: int = MS) -> Packets:
    packets = Packets.zeros(count)
    packets.version[:], packets.protocol[:], packets.flags[:] = 4, 6, 0x10
    packets.source_low[:], packets.destination_low[:] = 0xFFFF0A000001, 0xFFFF0A000002
    packets.seq[:], packets.payload[:] = np.arange(count) * 1000, 1000
    packets.time_ns = 10**18 + np.arange(count) * gap_ns
    packets.frame = np.arange(1, count + 1)
    return packets


def datagrams() -> tuple[Packets, Packets]:
    """Four of one size without IP ids, a ms apart; the second is lost, and the third takes a ms less than the others' ten."""
    here = flow(4)
    here.protocol[:], here.flags[:], here.seq[:] = 17, 0, 0
    here.opening[:] = 3, 5, 7, 9
    return here, reordered(here, [0, 2, 3], [int(here.time_ns[0]) + at * MS for at in (10, 11, 13)])


def test_datagrams_are_told_apart_by_what_they_open_with() -> None:
    here, there = datagrams()
    way, _ = match(here, there)
    assert (way.sent.tolist(), way.lost.tolist()) == ([0, 2, 3], [1])


def test_openings_that_one_capture_has_cut_are_not_held_against_the_other() -> None:
    here, there = datagrams()
    there.opening[:] = 0
    way, _ = match(here, there)
    assert len(way.sent) == 3


@given(st.integers(0, 2**32), st.integers(2, 60), st.integers(1, 50))
@settings(max_examples=60, deadline=None)
def test_delays_losses_and_overtaking_are_what_they_were(seed: int, count: int, delay_ms: int) -> None:
    dice = random.Random(seed)
    here = flow(count, gap_ns=2 * MS)
    kept = [row for row in range(count) if dice.random() > 0.2 or row in (0, count - 1)]
    delays = [delay_ms * MS + (dice.randrange(4 * MS) if 0 < row < count - 1 else 0) for row in kept]
    there = reordered(here, kept, [int(here.time_ns[row]) + delay for row, delay in zip(kept, delays, strict=True)])
    way, back = match(here, there)
    assert way.sent.tolist() == kept
    assert way.delay_ns.tolist() == delays
    assert way.queueing_ns.tolist() == [delay - min(delays) for delay in delays]
    assert way.lost.tolist() == sorted(set(range(count)) - set(kept))
    arrivals = [int(here.time_ns[row]) + delay for row, delay in zip(kept, delays, strict=True)]
    assert way.overtaken == sum(arrival < max(arrivals[: number + 1]) for number, arrival in enumerate(arrivals))
    assert len(back.sent) == len(back.lost) == 0


@pytest.mark.parametrize("lost", [0, 1, 2])
def test_equal_packets_are_kept_apart_when_one_of_them_is_lost(lost: int) -> None:
    here = flow(40)
    here.seq[[10, 20, 30]] = 5  # one segment, sent three times without time stamps
    kept = [row for row in range(40) if row != (10, 20, 30)[lost]]
    there = reordered(here, kept, [int(here.time_ns[row]) + 15 * MS for row in kept])
    way, _ = match(here, there)
    assert way.lost.tolist() == [(10, 20, 30)[lost]]
    assert set(way.delay_ns.tolist()) == {15 * MS}


@pytest.mark.parametrize("swapped", [False, True])
def test_of_very_many_equal_packets_those_that_were_lost_are_found(swapped: bool) -> None:
    here = flow(600)
    here.seq[100:500] = 5  # acknowledgements without an IP id
    lost = [104, 230, 231, 499]
    kept = [row for row in range(600) if row not in lost]
    there = reordered(here, kept, [int(here.time_ns[row]) + 15 * MS + row % 7 * 1000 for row in kept])
    if swapped:  # what one point has more often than the other, the sender's or the receiver's
        _, way = match(there, here)
    else:
        way, _ = match(here, there)
    assert way.lost.tolist() == lost
    assert way.delay_ns.max() < 16 * MS


def test_what_both_ends_say_from_no_address_is_left_out() -> None:
    here = flow(30)
    there = reordered(here, list(range(30)), [int(time_ns) + 15 * MS for time_ns in here.time_ns])
    for packets, row, moved in ((here, 3, 0), (here, 20, 7 * MS), (there, 2, 0), (there, 22, 9 * MS)):
        packets.source_low[row], packets.destination_low[row], packets.seq[row] = 0, 99, 1
        packets.time_ns[row] += moved
    way, back = match(here, there)
    assert (len(way.lost), len(back.lost), len(back.sent)) == (2, 0, 0)
    assert not {3, 20} & {*way.sent.tolist(), *way.lost.tolist()}


def test_both_directions_are_told_apart_and_a_later_capture_has_lost_nothing(tmp_path: Path) -> None:
    made.write(tmp_path / "a.pcap", 3, 60, 0.0)
    here, _ = read(tmp_path / "a.pcap")
    forth = here.source_port == 80
    times = (here.time_ns + np.where(forth, 7 * MS, -9 * MS)).tolist()
    rows = list(range(20, len(here)))
    there = reordered(here, rows, times[20:])
    way, back = match(here, there)
    assert set(way.delay_ns.tolist()) == {7 * MS}
    assert set(back.delay_ns.tolist()) == {9 * MS}
    assert len(way.sent) + len(back.sent) == len(rows)
    assert len(back.lost) == 0


def test_words_name_the_points_and_the_frames(tmp_path: Path) -> None:
    here = flow(30)
    kept = [row for row in range(30) if row not in (4, 9)]
    there = reordered(here, kept, [int(here.time_ns[row]) + 15 * MS for row in kept])
    there_and_back = list(between.ways(between.Point("virginia", here), between.Point("mumbai", there)))
    assert "virginia -> mumbai: 28 packets, one way 15.000 ms at least" in there_and_back[0].text()
    assert "2 packets seen at virginia never came to mumbai: frames 5, 10" in there_and_back[0].text()
    assert there_and_back[1].text() == "mumbai -> virginia: no packet was found at both"
    assert there_and_back[0].as_dict()["lost_frames"] == [5, 10]


def test_neighbours_on_the_way_are_found_whatever_the_order_of_the_captures() -> None:
    packets = flow(50)
    at_ms = {"client": 0, "router": 0.03, "far router": 40.03, "origin": 40.06, "elsewhere": 0}
    points = []
    for name, late_ms in at_ms.items():
        rows = [row for row in range(50) if name in ("client", "router") or row % 7]
        moved = reordered(packets, rows, [int(packets.time_ns[row] + late_ms * MS) for row in rows])
        if name == "elsewhere":
            moved.source_low[:] = 77
        points.append(between.Point(name, moved))
    steps = {("client", "router"), ("router", "far router"), ("far router", "origin")}
    for turned in (points, points[::-1], points[2:] + points[:2]):
        assert {(way.source.name, way.target.name) for way in between.along(turned)} == steps
    assert [way.target.name for way in between.along(points[:2])] == ["router", "client"]
    assert list(between.along([])) == []


def test_each_way_has_steps_of_its_own() -> None:
    forth, back = flow(40), flow(60)
    back.source_low[:], back.destination_low[:] = 9, 8
    at_ms = {"client": (0, 41), "forth queued": (0.02, None), "forth released": (20.02, None), "server": (20.05, 0)}
    points = []
    for name, late_ms in at_ms.items():
        parts = [reordered(one, list(range(len(one))), [int(time_ns + late * MS) for time_ns in one.time_ns])
                 for one, late in zip((forth, back), late_ms, strict=True) if late is not None]  # fmt: skip
        points.append(between.Point(name, Packets.joined(parts)))
    assert {(way.source.name, way.target.name) for way in between.along(points)} == {
        ("client", "forth queued"), ("forth queued", "forth released"), ("forth released", "server"),
        ("server", "client")}  # fmt: skip


def test_of_a_merged_capture_connections_are_followed_at_each_point_for_itself(tmp_path: Path) -> None:
    said = [(int(packet.time), bytes(packet)) for packet in page(20_000).packets]
    both = sorted((time_ns + late_ns, number, frame) for number, late_ns in enumerate((0, 3 * MS)) for time_ns, frame in said)
    with (tmp_path / "two.pcapng").open("wb") as sink:
        writer = Writer(sink, "a run")
        for name in ("client:eth0", "server:eth0"):
            writer.interface(Described(name))
        for time_ns, number, frame in both:
            writer.packet(number, time_ns, frame, len(frame))
    found = survey(tmp_path / "two.pcapng")
    table = found.connections
    assert (found.apart, table["interface"].tolist(), table["packets"].tolist()) == (True, [0, 1], [len(said)] * 2)
    assert table["retransmissions_down"].tolist() == table["retransmissions_up"].tolist() == [0, 0]
    assert table["new_bytes_down"].tolist() == [20_000] * 2
    one = survey(tmp_path / "two.pcapng", compiled("frame.interface_id == 1"))
    assert (one.apart, one.connections["interface"].tolist()) == (False, [1])
    assert "client:eth0" in summary.text(found, 5).splitlines()[-2]


def test_each_interface_of_a_file_is_a_point(tmp_path: Path) -> None:
    frame = bytes(page().packets[3])
    with (tmp_path / "two.pcapng").open("wb") as sink:
        writer = Writer(sink, "a run")
        for number, name in enumerate(("a>b queued", "a>b released")):
            writer.packet(writer.interface(Described(name)), 10**18 + number * 15 * MS, frame, len(frame))
    queued, released = between.load(tmp_path / "two.pcapng")
    assert (queued.name, released.name) == ("a>b queued", "a>b released")
    forth, _ = between.ways(queued, released)
    assert forth.way.delay_ns.tolist() == [15 * MS]
    (note,) = survey(tmp_path / "two.pcapng").capture.notes()
    assert "1 packets stand in it at more than one interface" in note
    assert survey(tmp_path / "two.pcapng", compiled("frame.interface_id == 1")).capture.notes() == []
