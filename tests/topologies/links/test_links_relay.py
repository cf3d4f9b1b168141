"""The relay as processes: its workers, what a change does to a running link, what it counts, and how it ends."""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import struct
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from cores import RELAY
from tests.topologies.links.bed import within
from tests.topologies.links.conftest import Space
from topologies.emulator.links import netns
from topologies.emulator.links.backend import BackendError, DirectionCounters, End
from topologies.emulator.links.effects.corrupt import Corrupt
from topologies.emulator.links.effects.duplicate import Duplicate
from topologies.emulator.links.effects.jitter import Jitter
from topologies.emulator.links.effects.loss import Loss
from topologies.emulator.links.effects.reorder import Reorder
from topologies.emulator.links.relay import awake
from topologies.emulator.links.relay_backend import RelayBackend
from topologies.emulator.links.spec import Direction, LinkError, LinkSpec
from topologies.emulator.links.trace import Trace

pytestmark = pytest.mark.lab

ETHERNET = bytes.fromhex("020000000b02020000000a0188b5")
SO_TIMESTAMPNS = 35
KIND = 0x88B5  # for local experiments (IEEE 802)
FATEFUL = (Corrupt(0.1), Duplicate(0.2), Jitter(0.4), Loss(0.3), Reorder(0.1))


@pytest.fixture(params=["compiled", "Python"])
def relay(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[RelayBackend]:
    """With either engine."""
    if request.param == "Python":
        monkeypatch.setattr(RELAY, "find", lambda: ("", "not wanted by this test"))
    elif problem := RELAY.build():
        pytest.skip(f"no compiled core: {problem}")
    backend = RelayBackend()
    assert backend.describe()["engine"] == request.param
    yield backend
    backend.close()


class Wire:
    """A link with a raw socket at each end; frames carry their number and when they were sent."""

    def __init__(self, relay: RelayBackend, a: int, b: int, spec: LinkSpec, name: str = "line"):
        self.relay, self.name = relay, name
        relay.connect(name, End(a, name + "-a", "02:00:00:00:0a:01"), End(b, name + "-b", "02:00:00:00:0b:02"), spec)
        self.near, self.far = (netns.socket_in(pid, socket.AF_PACKET, socket.SOCK_RAW, socket.htons(KIND)) for pid in (a, b))
        for end, where in ((self.near, "-a"), (self.far, "-b")):
            end.bind((name + where, KIND))
            end.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
            end.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)

    def send(self, numbers: range, size: int = 60, gap_s: float = 0.0) -> None:
        for number in numbers:
            body = struct.pack("!Iq", number, time.time_ns())
            self.near.send(ETHERNET + body + bytes(size - len(ETHERNET) - len(body)))
            if gap_s:
                time.sleep(gap_s)

    def arrived(self, quiet_s: float = 0.15) -> list[tuple[int, float]]:
        """(number, one-way time in ms) of what came until nothing came for a while."""
        found = []
        while select.select([self.far], [], [], quiet_s)[0]:
            data, ancillary, _, _ = self.far.recvmsg(70000, 64)
            number, sent_ns = struct.unpack_from("!Iq", data, len(ETHERNET))
            seconds, nanoseconds = struct.unpack("qq", ancillary[0][2])
            found.append((number, (seconds * 10**9 + nanoseconds - sent_ns) / 1e6))
        return found

    def counted(self) -> DirectionCounters:
        return self.relay.counters()[self.name]["a_to_b"]


@pytest.fixture
def wire(space: Space, relay: RelayBackend) -> Callable[..., Wire]:
    a, b = space(), space()
    return lambda *spec, name="line": Wire(relay, a, b, LinkSpec(*spec, segments="frames"), name)


def closes(count: DirectionCounters) -> bool:
    gone = (count.dropped_queue, count.dropped_codel, count.dropped_down, count.lost, count.failed, count.held)
    return count.packets + (count.duplicated or 0) == count.delivered + sum(value or 0 for value in gone)


def test_the_same_seed_is_the_same_fate_packet_for_packet(space: Space) -> None:
    if problem := RELAY.build():
        pytest.skip(f"no compiled core: {problem}")
    seen = []
    for _ in range(2):
        backend = RelayBackend()
        try:
            way = Direction(2, None, 10**6, FATEFUL)
            line = Wire(backend, space(), space(), LinkSpec(way, way, seed=7))
            line.send(range(400), gap_s=0.001)
            seen.append((line.arrived(), line.counted()))
        finally:
            backend.close()
    (one, counted), (two, again) = seen
    # Frames that overtake pass others or do not as the sender's pauses have it, so each frame is compared with itself.
    one, two = sorted(one), sorted(two)
    assert [number for number, _ in one] == [number for number, _ in two]
    close = sum(abs(first - second) < 0.5 for (_, first), (_, second) in zip(one, two, strict=True))
    assert close > 0.9 * len(one)  # not all: corruption may have hit a frame's stamp, and the machine may be late
    for name in ("packets", "delivered", "lost", "duplicated", "corrupted", "overtook"):
        assert getattr(counted, name) == getattr(again, name), name
    assert 60 < (counted.lost or 0) < 180


def test_lateness_is_counted_from_the_first_watch_on_and_between_stretches_too(wire: Callable[..., Wire]) -> None:
    line = wire(Direction(5, None, 10**6), Direction(5, None, 10**6))

    def late() -> int:
        return sum(count for _, count in line.counted().lateness or [])

    line.send(range(7))
    line.arrived()
    assert late() == 7, "before any watch, all"
    line.relay.watch(False)
    assert late() == 0, "the account begins anew"
    stretches = []
    for on, frames in ((True, 11), (False, 13), (True, 0)):
        stretches.append(line.relay.watch(on))
        line.send(range(frames))
        line.arrived()
    assert late() == 24
    assert [bool(stretch.late_ns["line"]) for stretch in (*stretches, line.relay.watch(False))] == [False, True, False, False]


def test_every_frame_is_accounted_for_at_any_time(wire: Callable[..., Wire]) -> None:
    line = wire(Direction(20, 5_000_000, 6_000, FATEFUL), Direction(20, None, 10**6))
    for _ in range(10):
        line.send(range(40), size=300)
        counted = line.counted()
        assert closes(counted)
        assert (counted.unexplained, counted.overrun, counted.failed) == (0, 0, 0)
    line.arrived()
    last = line.counted()
    assert (last.held, last.packets) == (0, 400)
    assert last.dropped_queue > 0
    assert last.lateness is not None
    assert sum(frames for _, frames in last.lateness) == last.delivered


def test_both_directions_change_in_the_same_moment(wire: Callable[..., Wire]) -> None:
    way = Direction(1, None, 10**6)
    line = wire(way, way)
    before = time.monotonic_ns()
    moment = line.relay.change("line", {"a_to_b": Direction(5, None, 10**6), "b_to_a": Direction(9, None, 10**6)})
    assert before < moment <= time.monotonic_ns()
    moments = {line.relay._report(made)[0]["changed_ns"] for made in line.relay._links["line"].ways.values()}
    assert moments == {moment}
    line.send(range(20), gap_s=0.01)
    took = sorted(ms for _, ms in line.arrived())
    assert took[0] >= 5
    assert took[10] < 8  # the middle one: a busy machine may be late with some


def test_a_change_told_ahead_is_made_when_it_is_said_to_have_been(
    wire: Callable[..., Wire], monkeypatch: pytest.MonkeyPatch
) -> None:
    way, becomes = Direction(1, None, 10**6), {"a_to_b": Direction(5, None, 10**6)}
    line = wire(way, way)
    at_ns = time.monotonic_ns() + 20_000_000
    assert line.relay.change("line", becomes, at_ns) == at_ns
    assert line.relay.changed_ns("line", becomes) == at_ns
    assert time.monotonic_ns() >= at_ns, "it waits for it"

    def held_up(*told: object) -> None:
        time.sleep(0.06)
        line.counted()  # until then the worker has let everything happen with the old delay
        apply(*told)  # type: ignore[arg-type]

    apply = line.relay._apply
    monkeypatch.setattr(line.relay, "_apply", held_up)
    at_ns = time.monotonic_ns() + 20_000_000
    line.relay.change("line", becomes, at_ns)
    assert 38_000_000 <= line.relay.changed_ns("line", becomes) - at_ns <= time.monotonic_ns() - at_ns


def test_down_and_up_again_and_nothing_in_the_queue_is_lost(wire: Callable[..., Wire]) -> None:
    way = Direction(30, 1_000_000, 100_000)
    line = wire(way, way)
    line.send(range(20), size=500)  # 4 ms each
    line.relay.change("line", {"a_to_b": Direction(30, 1_000_000, 100_000, up=False)})
    line.send(range(20, 30))
    time.sleep(0.01)
    line.relay.change("line", {"a_to_b": Direction(30, 50_000_000, 100_000)})
    line.send(range(30, 40))
    assert [number for number, _ in line.arrived()] == [*range(20), *range(30, 40)]
    counted = line.counted()
    assert (counted.dropped_down, counted.dropped_queue, counted.unexplained) == (10, 0, 0)


def test_new_effects_come_with_a_change_and_go_with_the_next(wire: Callable[..., Wire]) -> None:
    plain, lossy = Direction(1, None, 10**6), Direction(1, None, 10**6, (Loss(0.5),))
    line = wire(plain, plain)
    shares = []
    for way in (lossy, plain):
        line.relay.change("line", {"a_to_b": way})
        line.send(range(200))
        shares.append(len(line.arrived()) / 200)
    assert 0.35 < shares[0] < 0.65
    assert shares[1] == 1


def test_a_trace_may_be_long_and_replaced(wire: Callable[..., Wire]) -> None:
    way = Direction(0, None, 10**6, trace=Trace(tuple(range(1, 100_001))))
    line = wire(way, Direction(1, None, 10**6))
    line.send(range(30), size=1500)
    first = [took for _, took in line.arrived()]
    assert 25 < max(first) < 35  # one each millisecond
    line.relay.change("line", {"a_to_b": Direction(0, None, 10**6, trace=Trace((4,)))})
    line.send(range(10), size=1500)
    assert 30 < max(took for _, took in line.arrived()) < 45


def test_a_change_that_cannot_be_is_refused_and_changes_nothing(wire: Callable[..., Wire]) -> None:
    line = wire(Direction(1, None, 10**6), Direction(1, None, 10**6))
    with pytest.raises(LinkError, match="queue 10 B holds no frame"):
        line.relay.change("line", {"a_to_b": Direction(1, None, 10)})
    with pytest.raises(BackendError, match="could not change the link nowhere: there is none; links are line"):
        line.relay.change("nowhere", {})
    line.send(range(5))
    assert len(line.arrived()) == 5


def test_a_frame_that_the_kernel_lost_is_found(wire: Callable[..., Wire], monkeypatch: pytest.MonkeyPatch) -> None:
    line = wire(Direction(1, None, 10**6), Direction(1, None, 10**6))
    line.send(range(5))
    line.arrived()
    from topologies.emulator.links import relay_backend

    true = relay_backend._kernel
    monkeypatch.setattr(relay_backend, "_kernel", lambda end: {**(true(end) or {}), "tx_packets": 7})
    assert line.counted().unexplained == 2


def test_steps_told_ahead_one_after_another_all_happen(wire: Callable[..., Wire]) -> None:
    base, down = Direction(5, None, 10**6), Direction(5, None, 10**6, up=False)
    line = wire(base, base)
    began_ns = time.monotonic_ns() + 20_000_000
    for at_ms, way in ((0, down), (12, replace(down, delay_ms=6)), (24, base)):
        at_ns = began_ns + at_ms * 1_000_000
        assert 0 <= line.relay.change(line.name, {"a_to_b": way}, at_ns) - at_ns < 10_000_000
        if at_ms == 12:
            time.sleep(max(0, at_ns - 1_000_000 - time.monotonic_ns()) / 1e9)
            line.send(range(5))
    line.send(range(5, 9))
    time.sleep(0.04)
    line.send(range(9, 12))
    assert [number for number, _ in line.arrived()] == [9, 10, 11]


def test_the_same_draws_are_the_same_fates_and_others_are_others(wire: Callable[..., Wire]) -> None:
    way = Direction(1, None, 10**6, (Loss(0.4),))
    line = wire(way, way)

    def survivors(before: int, draws: str) -> list[int]:
        line.send(range(before))
        line.arrived()
        line.relay.draw_anew(draws)
        line.send(range(200))
        return [number for number, _ in line.arrived()]

    first = survivors(0, "trial 1")
    assert survivors(37, "trial 1") == first, "what was sent before does not matter"
    assert survivors(5, "trial 2") != first
    line.relay.change(line.name, {"a_to_b": replace(way, effects=(Loss(0.5),))})
    line.relay.change(line.name, {"a_to_b": way})
    assert survivors(0, "trial 1") == first, "nor does what was changed before"


def test_the_end_of_one_worker_ends_the_other_and_is_seen_at_once(relay: RelayBackend) -> None:
    pids = relay.describe()["pids"]
    assert len(pids) == min(2, len(os.sched_getaffinity(0)))
    os.kill(pids[-1], signal.SIGKILL)
    deadline = time.monotonic() + 2
    while not relay.alive() and time.monotonic() < deadline:
        time.sleep(0.01)
    assert relay.alive() == "the relay process was killed by signal 9"
    assert all(not Path(f"/proc/{pid}").exists() for pid in pids)
    with pytest.raises(BackendError, match="killed by signal 9"):
        relay.watch(False)


def test_asking_whether_it_lives_costs_next_to_nothing(relay: RelayBackend) -> None:
    began = time.process_time()
    for _ in range(1000):
        assert relay.alive() == ""
    assert time.process_time() - began < 0.1


def moved(a: int, b: int, size: int) -> None:
    """One TCP connection carries so many bytes from one namespace to the other."""
    with netns.socket_in(b, socket.AF_INET, socket.SOCK_STREAM) as server:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        server.bind(("10.9.0.2", 80))
        server.listen()
        with netns.socket_in(a, socket.AF_INET, socket.SOCK_STREAM) as client:
            client.connect(("10.9.0.2", 80))
            client.setblocking(False)
            taken, _ = server.accept()
            left, got = size, 0
            with taken:
                while got < size:
                    readable, writable, _ = select.select([taken], [client] if left else [], [], 5)
                    assert readable or writable
                    if writable:
                        left -= client.send(bytes(min(left, 65536)))
                    if readable:
                        got += len(taken.recv(1 << 18))


def test_segments_pass_whole_and_count_as_the_frames_they_stand_for(space: Space, relay: RelayBackend) -> None:
    a, b = space(), space()
    ends = End(a, "fast-a", "02:00:00:00:0a:01"), End(b, "fast-b", "02:00:00:00:0b:02")
    way = Direction(1, 10_000_000_000, 10**7)
    relay.connect("fast", *ends, LinkSpec(way, way))
    for end, number in zip(ends, (1, 2), strict=True):
        within(end.pid, "ip", "addr", "add", f"10.9.0.{number}/24", "dev", end.ifname)
        within(end.pid, "ip", "neigh", "replace", f"10.9.0.{3 - number}", "dev", end.ifname, "lladdr", ends[2 - number].mac)
    size = 3_000_000
    frames = size / 1448
    moved(a, b, size)
    whole = relay.counters()["fast"]["a_to_b"]
    assert whole.packets < frames / 3
    assert abs(whole.bytes - (size + frames * 66)) < 0.01 * size  # Ethernet, IP and TCP headers of each frame
    assert whole.unexplained == 0
    # A rate at which segments are not passed, and an effect that acts on packets: they come one by one from now on.
    slow = Direction(1, 500_000_000, 10**7, (Jitter(0.1),))
    relay.change("fast", {"a_to_b": slow, "b_to_a": slow})
    moved(a, b, size)
    single = relay.counters()["fast"]["a_to_b"]
    assert single.packets - whole.packets >= frames
    assert abs(single.bytes - whole.bytes - (size + frames * 66)) < 0.01 * size


def test_processors_may_sleep_again_when_no_frame_passes(wire: Callable[..., Wire]) -> None:
    line = wire(Direction(1, None, 10**6), Direction(1, None, 10**6))
    if "kept" not in line.relay.describe()["processors"]:
        pytest.skip(line.relay.describe()["processors"])

    def held() -> bool:
        descriptors = [one for pid in line.relay.describe()["pids"] for one in Path(f"/proc/{pid}/fd").iterdir()]
        return any(os.readlink(one) == awake.DEVICE for one in descriptors)

    line.send(range(3))
    line.arrived()
    assert held()
    time.sleep(1.3)
    assert not held()


def test_the_report_can_be_written_down(wire: Callable[..., Wire]) -> None:
    line = wire(Direction(1, None, 10**6), Direction(1, None, 10**6))
    line.send(range(3))
    line.arrived()
    assert json.loads(json.dumps(line.counted().as_dict()))["delivered"] == 3
    assert json.loads(json.dumps(line.relay.describe()))["scheduling"].startswith("SCHED_")
