from __future__ import annotations

import os
import shutil
import signal
import socket
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.topologies.links.bed import join, within
from tests.topologies.links.conftest import Space
from topologies.emulator.links import netns, tc, veth
from topologies.emulator.links.backend import BackendError, End
from topologies.emulator.links.probe import verify
from topologies.emulator.links.relay.message import Report
from topologies.emulator.links.relay_backend import RelayBackend
from topologies.emulator.links.spec import Direction, LinkSpec, symmetric

pytestmark = pytest.mark.lab

SHOW = "qdisc show dev lo"
NEAR, FAR = Direction(10, 50_000_000, 500_000), Direction(60, 50_000_000, 500_000)


@pytest.fixture
def relay() -> Iterator[RelayBackend]:
    backend = RelayBackend()
    yield backend
    backend.close()


def twice(way: Direction) -> LinkSpec:
    return LinkSpec(way, way)


def inode() -> str:
    return os.readlink("/proc/thread-self/ns/net")


@pytest.mark.parametrize(("first", "lines", "refused"), [
    (["wrong"], [SHOW], 0), ([SHOW], [SHOW, "wrong"], 1), (["wrong"], [SHOW] * 20_000, 0),
])  # fmt: skip
def test_a_line_that_tc_refuses_is_named_also_when_it_has_ended_before_the_others_came(
    first: list[str], lines: list[str], refused: int
) -> None:
    if not shutil.which("tc"):
        pytest.skip("there is no tc")
    fd = netns.fresh()
    try:
        with netns.entered_fd(fd), pytest.raises(tc.TcError, match=r"^'wrong' was refused: Object .wrong.") as said:
            tc.batch(lines, at_ns=time.monotonic_ns() + 50_000_000, first=first)
    finally:
        os.close(fd)
    assert said.value.refused == [refused]


def test_a_thread_comes_back_from_a_namespace_even_when_the_body_fails(space: Space) -> None:
    pid, home = space(), inode()
    with netns.entered(pid):
        assert inode() == os.readlink(f"/proc/{pid}/ns/net") != home
    with pytest.raises(ZeroDivisionError), netns.entered(pid):
        raise ZeroDivisionError
    assert inode() == home


def test_links_are_what_they_were_asked_to_be(space: Space, relay: RelayBackend) -> None:
    a, b = space(), space()
    specs = [
        symmetric(80, 100_000_000), symmetric(2, 10_000_000), symmetric(30, 20_000_000, loss=0.05), symmetric(0, None),
        symmetric(40, None, jitter_ms=3), symmetric(20, 100_000_000, mtu=9000),
        LinkSpec(Direction(30, 5_000_000, 60_000), Direction(10, 50_000_000, 600_000)),
    ]  # fmt: skip
    targets = [join(relay, number, a, b, spec) for number, spec in enumerate(specs)]
    assert {name: one.reasons for name, one in verify(targets).items() if one.reasons} == {}
    for ways in relay.counters().values():
        for one in ways.values():
            assert one.packets == one.delivered + one.dropped_queue + (one.lost or 0)
            assert (one.failed, one.overrun) == (0, 0)


@pytest.mark.parametrize(
    ("built", "said", "complaint"),
    [
        (symmetric(84, 100_000_000), symmetric(80, 100_000_000), "RTT: 84"),
        (symmetric(80, 90_000_000), symmetric(80, 100_000_000), "where 100 Mbit/s was specified"),
        (symmetric(80, 110_000_000), symmetric(80, 100_000_000), "where 100 Mbit/s was specified"),
        (
            symmetric(20, 50_000_000),
            symmetric(20, 50_000_000, loss=0.02),
            "frames were lost, which a loss of 2.0000% does not do",
        ),
        (symmetric(20, 50_000_000, loss=0.3), symmetric(20, 50_000_000), "on a link without loss"),
        (LinkSpec(FAR, NEAR), LinkSpec(NEAR, FAR), "a_to_b: one way: 60"),
        pytest.param(
            symmetric(80, 50_000_000),
            symmetric(80, 50_000_000, jitter_ms=20),
            "where jitter of 20ms uniform was specified",
            marks=pytest.mark.slow,
        ),
    ],
)
def test_a_link_made_wrong_is_caught(
    space: Space, relay: RelayBackend, built: LinkSpec, said: LinkSpec, complaint: str
) -> None:
    target = join(relay, 0, space(), space(), built, replace(said, queue_rule=built.queue_rule))
    reasons = verify([target])["link0"].reasons
    assert any(complaint in reason for reason in reasons), reasons


def test_interfaces_are_as_named_and_offer_no_offload(space: Space, relay: RelayBackend) -> None:
    a, b = space(), space()
    for number, spec in enumerate((symmetric(10, 10_000_000, mtu=1400), symmetric(0, None, mtu=1400))):
        join(relay, number, a, b, spec)
        shown = within(a, "ip", "-o", "link", "show", f"a{number}")
        assert "mtu 1400" in shown
        assert "LOWER_UP" in shown
        assert f"02:00:00:00:0{number}:01" in shown
        features = within(a, "ethtool", "-k", f"a{number}")
        for name in ("tcp-segmentation-offload", "generic-segmentation-offload", "generic-receive-offload",
                     "tx-udp-segmentation"):  # fmt: skip
            assert f"{name}: off" in features


def test_a_queue_overflow_is_counted_as_such(space: Space, relay: RelayBackend) -> None:
    a, b = space(), space()
    join(relay, 0, a, b, twice(Direction(1, 1_000_000, 15_140)))
    with netns.socket_in(a, socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
        before = relay.counters()["link0"]["a_to_b"]
        for _ in range(50):
            sender.sendto(bytes(1472), ("10.0.0.2", 9))
        time.sleep(0.3)
    after = relay.counters()["link0"]["a_to_b"]
    assert after.packets - before.packets == 50
    assert 38 <= after.dropped_queue <= 39  # one in service, ten wait, a little is sent meanwhile


def test_the_same_seed_loses_the_same_frames(space: Space, relay: RelayBackend) -> None:
    a, b = space(), space()
    lost: list[tuple[int | None, ...]] = []
    for number in range(2):
        other = RelayBackend()
        spec = symmetric(1, None, loss=0.3, seed=5)
        ends = End(a, f"a{number}", f"02:00:00:00:0{number}:01"), End(b, f"b{number}", f"02:00:00:00:0{number}:02")
        other.connect("same", *ends, spec)
        with netns.socket_in(a, socket.AF_PACKET, socket.SOCK_RAW) as sender:
            sender.bind((f"a{number}", 0))
            before = other.counters()["same"]["a_to_b"].packets
            for _ in range(300):
                sender.send(bytes.fromhex("ffffffffffff02000000000188b5") + bytes(50))
        time.sleep(0.1)
        lost.append((before, other.counters()["same"]["a_to_b"].lost))
        other.close()
    assert lost[0] == lost[1]


def test_an_interface_that_is_down_is_counted_not_hidden(space: Space, relay: RelayBackend) -> None:
    a, b = space(), space()
    join(relay, 0, a, b, symmetric(5, None))
    within(b, "ip", "link", "set", "b0", "down")
    with netns.socket_in(a, socket.AF_INET, socket.SOCK_DGRAM) as sender:
        for _ in range(7):
            sender.sendto(b"x", ("10.0.0.2", 9))
    time.sleep(0.1)
    assert (relay.counters()["link0"]["a_to_b"].failed or 0) >= 7
    assert relay.alive() == ""


def test_a_relay_that_dies_says_so(space: Space, relay: RelayBackend) -> None:
    join(relay, 0, space(), space(), symmetric(5, None))
    assert relay.alive() == ""
    os.kill(relay.describe()["pid"], signal.SIGKILL)
    with pytest.raises(BackendError, match="killed by signal 9"):
        relay.counters()
    assert relay.alive() == "the relay process was killed by signal 9"


def test_a_relay_that_fails_reports_its_own_words(relay: RelayBackend) -> None:
    with pytest.raises(BackendError, match="IndexError"):
        relay._workers[0].ask(Report(4))
    assert "IndexError" in relay.alive()


def test_the_relay_ends_with_its_parent_and_stays_small(relay: RelayBackend) -> None:
    for pid, worker in zip(relay.describe()["pids"], relay._workers, strict=True):
        size = next(line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("VmRSS"))
        assert int(size.split()[1]) < 24_000
        worker._control.close()
        assert worker._process.wait(2) == 0


def test_a_second_link_of_that_name_is_refused(space: Space, relay: RelayBackend) -> None:
    a, b = space(), space()
    join(relay, 0, a, b, symmetric(5, None))
    with pytest.raises(ValueError, match="link 'link0' exists already"):
        relay.connect("link0", End(a, "c", "02:00:00:00:09:01"), End(b, "c", "02:00:00:00:09:02"), symmetric(5, None))


def test_an_interface_name_that_is_taken_is_an_error_with_the_kernels_words(space: Space, relay: RelayBackend) -> None:
    a, b = space(), space()
    join(relay, 0, a, b, symmetric(0, None))
    ends = End(a, "a0", "02:00:00:00:09:01"), End(b, "z0", "02:00:00:00:09:02")
    for make in (lambda: veth.lay(*ends, 1500), lambda: relay.connect("two", *ends, symmetric(5, None))):
        with pytest.raises(BackendError, match=r"could not .*(File exists|exists|busy)"):
            make()


def test_two_hundred_cables_take_well_under_a_second(space: Space) -> None:
    a, b = space(), space()
    began = time.monotonic()
    for n in range(200):
        ends = End(a, f"a{n}", f"02:00:00:01:{n:02x}:01"), End(b, f"b{n}", f"02:00:00:01:{n:02x}:02")
        veth.lay(*ends, 1500)
    assert time.monotonic() - began < 2  # 0.2 s on an idle machine
