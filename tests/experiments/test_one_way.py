"""One-way delays held against the links between two points: packets made up, no lab."""

import numpy as np
import pytest

from experiments.harness import one_way
from experiments.harness.points import points
from results.captures.columns import TYPES, Packets
from topologies.emulator.links.tolerance import REAL
from topologies.open_connect import OpenConnect
from topologies.two_hosts import TwoHosts

MS = 1_000_000
WORLD = OpenConnect(rate="10mbit")
FRAME_BYTES = 1250
OWN_MS = 1.0
"""Of such a frame at 10 Mbit/s."""


def sent(count=20, gap_ms=5.0):
    packets = Packets.zeros(count)
    packets.version[:], packets.protocol[:], packets.source_low[:], packets.destination_low[:] = 4, 6, 1, 2
    packets.seq[:], packets.wire[:] = np.arange(count) * 1000, FRAME_BYTES
    packets.time_ns = 10**18 + (np.arange(count) * gap_ms * MS).astype(np.int64)
    return packets


def arrived(packets, late_ms, without=()):
    kept = np.array([row for row in range(len(packets)) if row not in without])
    there = Packets.zeros(len(kept))
    for name in TYPES:
        setattr(there, name, getattr(packets, name)[kept].copy())
    there.time_ns = there.time_ns + int(late_ms * MS)
    return there


def held(world, names, late_ms, moved=(), idle=True, **more):
    here, there = points(world, names)
    packets = sent()
    found = one_way.rows(world, {here: packets, there: arrived(packets, late_ms, **more)}, world.specs, set(moved))
    return found, one_way.wrong(found, idle, REAL)


def delay_ms(a, b):
    return sum(getattr(link.spec, way).delay_ms for link, way in WORLD.hops(a, b))


def test_both_ends_of_a_link_are_held_to_its_delay_without_what_the_bytes_take():
    due = WORLD.specs["virginia-mumbai"].a_to_b.delay_ms
    (row,), wrong = held(WORLD, ["virginia-mumbai"], due + OWN_MS + 0.2)
    assert (row["from"], row["to"], row["packets"]) == ("router.virginia:to-mumbai", "router.mumbai:to-virginia", 20)
    assert (row["specified_ms"], row["least_ms"], row["p99_ms"]) == pytest.approx((due, due + 0.2, due + 0.2))
    assert wrong == []


def test_hosts_are_held_to_all_links_between_them():
    due = delay_ms("client1.chennai", "origin1.az1.virginia")
    names = ["client1.chennai", "origin1.az1.virginia"]
    (row,), wrong = held(WORLD, names, due + OWN_MS)
    assert (row["specified_ms"], wrong) == (pytest.approx(due), [])
    (reason,) = held(WORLD, names, due + OWN_MS + 1.5)[1]
    assert "packets from client1.chennai to origin1.az1.virginia: the quickest took" in reason
    assert held(WORLD, names, due + OWN_MS + 1.5, idle=False)[1] == []
    assert held(WORLD, names, due + OWN_MS - 1.5, idle=False)[1] != []


def test_what_was_lost_is_counted():
    (row,), _ = held(WORLD, ["virginia-mumbai"], 101.5, without=(3, 4, 9))
    assert (row["packets"], row["lost"], row["overtaken"]) == (17, 3, 0)


@pytest.mark.parametrize("changed", [{"moved": {"client-server"}}, {"jitter": "2ms"}, {"changes": "client>server: reorder 1%"}])
def test_nothing_is_specified_of_a_link_that_changed_or_whose_times_are_chance(changed):
    moved = changed.pop("moved", ())
    (row,), wrong = held(TwoHosts(**changed), ["*"], 70.0, moved)
    assert (row["specified_ms"], wrong) == ("", [])


def test_points_that_no_packet_passed_have_no_row():
    here, there = points(WORLD, ["virginia-mumbai"])
    other = sent()
    other.source_low[:] = 9
    assert one_way.rows(WORLD, {here: sent(), there: other}, WORLD.specs, set()) == []
