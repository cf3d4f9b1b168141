"""The kernel's links, where the kernel has netem: here, or in the VM, whose test runs this file (tests/experiments/vm).

Tolerances are those of an emulated machine, 3 ms or 4 %, and no load is more than one carries.
"""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from statistics import fmean, median

import pytest

from tests.topologies.links.bed import ends_of, join, within
from tests.topologies.links.conftest import Space
from tests.topologies.links.traffic import Stream, stream, transfer
from topologies.emulator.links import netem, netlink, netns, tc
from topologies.emulator.links.backend import BackendError, UnsupportedError
from topologies.emulator.links.change import parse
from topologies.emulator.links.effects.jitter import SHAPES, Jitter
from topologies.emulator.links.probe import measure
from topologies.emulator.links.spec import Direction, LinkSpec, symmetric
from topologies.emulator.links.tolerance import of_this_machine
from topologies.emulator.live import Live
from topologies.two_hosts import TwoHosts

pytestmark = [pytest.mark.lab, pytest.mark.slow]

QUEUE = 1 << 20
PLAIN = symmetric(40, 20_000_000, QUEUE)


@pytest.fixture(scope="module")
def found() -> netem.Ability:
    ability = netem.ability()
    if ability.reason:
        pytest.skip(ability.reason)
    return ability


@pytest.fixture
def kernel(found: netem.Ability) -> Iterator[netem.NetemBackend]:
    backend = netem.NetemBackend(found)
    yield backend
    backend.close()


def become(words: str, way: Direction = PLAIN.a_to_b) -> Direction:
    return parse(words).apply(way)


def one_way(words: str, spec: LinkSpec = PLAIN) -> LinkSpec:
    return replace(spec, a_to_b=become(words, spec.a_to_b))


def at_once(flow: Stream, frames: int) -> None:
    """So many small frames as fast as the machine can without overrunning its own queues: an emulated one is slow at times."""
    for _ in range(frames // 200):
        flow.send(200, 100)
        there = -1
        while there != len(flow.arrived):
            there = len(flow.arrived)
            flow.collect(0.01)


def beyond_line_ms(flow: Stream, rate_bps: float) -> list[float]:
    """How long after it had crossed the queue and the line each full frame came: what a sender that was held up crowded there
    is no delay of the wire. First copies, in the order sent."""
    free, seen, found = 0.0, set[int](), []
    for came_ms, (number, time_ms) in zip(flow.came_ms, flow.arrived, strict=True):
        if number not in seen:
            free = max(free, came_ms - time_ms) + 1514 * 8e3 / rate_bps
            found.append(came_ms - free)
            seen.add(number)
    return found


def test_links_are_what_they_were_asked_to_be(kernel: netem.NetemBackend, space: Space) -> None:
    a, b = space(), space()
    specs = [
        symmetric(40, 10_000_000), symmetric(20, 5_000_000, mtu=9000), symmetric(0, 5_000_000, 64 * 1514),
        LinkSpec(Direction(30, 5_000_000, 60_000), Direction(10, 10_000_000, 200_000)), one_way("loss 5% rate 10mbit"),
    ]  # fmt: skip
    targets = [join(kernel, number, a, b, spec) for number, spec in enumerate(specs)]
    for name, one in measure(targets, budget_bps=20e6).items():
        spec = specs[int(name[-1])]
        assert one.rtt_ms.median == pytest.approx(spec.rtt_ms + sum(98 * 8e3 / (way.rate_bps or 1) for way in
                                                                 (spec.a_to_b, spec.b_to_a)), abs=3)  # fmt: skip
        for way in ("a_to_b", "b_to_a"):
            assert getattr(one, way).rate_bps == pytest.approx(getattr(spec, way).rate_bps, rel=0.04)
    for ways in kernel.counters().values():
        for counted in ways.values():
            assert (counted.failed, counted.overrun, counted.unexplained) == (0, 0, 0)


def test_an_idle_link_has_its_delays_and_says_nothing_by_itself(kernel: netem.NetemBackend, space: Space) -> None:
    target = join(kernel, 0, space(), space(), replace(PLAIN, a_to_b=replace(PLAIN.a_to_b, delay_ms=45)))
    time.sleep(1.5)
    assert [(one.packets, one.delivered) for one in kernel.counters()["link0"].values()] == [(0, 0)] * 2
    for way, delay_ms in (("a_to_b", 45), ("b_to_a", 20)):
        with stream(target, way) as flow:
            flow.send(50, 1514, gap_s=0.02)
            times = [time_ms for _, time_ms in flow.collect(0.3)]
            assert flow.numbers == list(range(50))
        assert median(times) == pytest.approx(delay_ms + 1514 * 8 / 20e3, abs=3)
        assert min(times) >= delay_ms + 1514 * 8 / 20e3 - 0.05


@pytest.mark.parametrize("shape", SHAPES)
def test_jitter_has_its_shape_and_keeps_order_on_a_busy_link_without_growing(
    kernel: netem.NetemBackend, space: Space, shape: str
) -> None:
    jitter = Jitter({"uniform": 10, "normal": 4, "pareto": 6}[shape], shape)
    target = join(kernel, 0, space(), space(), one_way(f"jitter {jitter.text()} delay 40ms rate 5mbit"))
    with stream(target) as sparse:
        sparse.send(60, 100, gap_s=0.036)
        times = [time_ms - 40.16 for _, time_ms in sparse.collect(0.3)]
        assert fmean(times) == pytest.approx(jitter.mean_ms, abs=4)
        assert min(times) >= SHAPES[shape].least * jitter.jitter_ms - 0.1
        assert sorted(times)[-6] <= jitter.most_ms + 3, "an emulated machine holds one up now and then"
    with stream(target) as busy:
        busy.send(500, 1514, gap_s=1514 * 8 / 4.9e6)
        busy.collect(0.3)
        assert busy.numbers == list(range(500))
        assert min(beyond_line_ms(busy, 5e6)[-100:]) <= 40 + 3, "a rate behind the delay would hold all at the latest so far"


def test_duplicates_use_none_of_the_rate(kernel: netem.NetemBackend, space: Space) -> None:
    target = join(kernel, 0, space(), space(), one_way("duplicate 20% rate 10mbit"))
    with stream(target) as flow:
        flow.send(1000, 1514, gap_s=1514 * 8 / 9e6)
        flow.collect(0.3)
        copies = Counter(flow.numbers)
        assert len(copies) == 1000
        assert 140 <= sum(n == 2 for n in copies.values()) <= 260
        assert max(copies.values()) == 2
        assert median(beyond_line_ms(flow, 10e6)[-200:]) <= 20 + 3, "10.8 Mbit/s would not pass"
    counted = kernel.counters()["link0"]["a_to_b"]
    assert (counted.packets, counted.duplicated) == (1000, sum(copies.values()) - 1000)
    assert (counted.delivered, counted.lost, counted.failed, counted.unexplained) == (sum(copies.values()), 0, 0, 0)


def test_loss_is_counted_and_only_where_it_was_asked_for(kernel: netem.NetemBackend, space: Space) -> None:
    target = join(kernel, 0, space(), space(), one_way("loss 10%"))
    for way, least, most in (("a_to_b", 140, 260), ("b_to_a", 0, 0)):
        with stream(target, way) as flow:
            at_once(flow, 2000)
            lost = flow.sent - len(flow.collect(0.3))
        counted = kernel.counters()["link0"][way]
        assert (counted.packets, counted.lost, counted.delivered) == (2000, lost, 2000 - lost), counted
        assert (counted.failed, counted.unexplained, counted.dropped_queue, counted.held) == (0, 0, 0, 0)
        assert least <= lost <= most


def test_losses_of_gilbert_and_elliott_come_in_bursts(kernel: netem.NetemBackend, space: Space) -> None:
    target = join(kernel, 0, space(), space(), one_way("gilbert-elliott 2% 25%"))
    with stream(target) as flow:
        at_once(flow, 6000)
        there = {number for number, _ in flow.collect(0.3)}
    lost = [number not in there for number in range(6000)]
    bursts = sum(now and not before for before, now in zip([False, *lost], lost, strict=False))
    assert sum(lost) == pytest.approx(6000 * 0.02 / 0.27, rel=0.4)
    assert sum(lost) / bursts == pytest.approx(4, rel=0.4)


def test_overtakers_skip_the_delay_and_the_others_keep_their_order(kernel: netem.NetemBackend, space: Space) -> None:
    target = join(kernel, 0, space(), space(), one_way("reorder 10% delay 60ms"))
    with stream(target) as flow:
        flow.send(1000, 1514, gap_s=0.001)
        times = dict(flow.collect(0.3))
        early = {number for number, time_ms in times.items() if time_ms < 30}
        assert len(times) == 1000
        assert 60 <= len(early) <= 145
        assert min(times.values()) >= 1514 * 8 / 20e3 - 0.05, "it has crossed the queue and the line"
        others = [number for number in flow.numbers if number not in early]
        assert others == sorted(others)
    assert kernel.counters()["link0"]["a_to_b"].overtook == len(early)


def test_any_bit_of_a_tcp_packet_may_be_inverted(kernel: netem.NetemBackend, space: Space) -> None:
    a, b = space(), space()
    join(kernel, 0, a, b, one_way("corrupt 5%", symmetric(2, 100_000_000, QUEUE)))
    transfer(a, b, "10.0.0.2", 4_000_000)
    packets = kernel.counters()["link0"]["a_to_b"].packets
    table = within(b, "cat", "/proc/net/snmp").splitlines()
    names, values = next((one.split(), other.split()) for one, other in pairwise(table)
                         if one.startswith("Tcp:") and other.startswith("Tcp:"))  # fmt: skip
    wrong = int(values[names.index("InCsumErrors")])
    assert wrong / (packets * 0.05) > 0.7, "were only the headers hit, less than half would fail the checksum of TCP"


def test_the_queue_holds_what_it_should_and_drops_at_its_tail(kernel: netem.NetemBackend, space: Space) -> None:
    a, b = space(), space()
    for number, words in enumerate(("queue 60560B", "queue 40packets")):
        target = join(kernel, number, a, b, one_way(f"{words} rate 2mbit"))
        with stream(target) as flow:
            began = time.monotonic()
            flow.send(200, 1514)
            left = int((time.monotonic() - began) / (1514 * 8 / 2e6)) + 1
            flow.collect(0.6)
            counted = kernel.counters()[f"link{number}"]["a_to_b"]
            assert 41 <= len(flow.numbers) <= 41 + left, "40 wait and one is being sent; some leave while 200 come"
            assert flow.numbers[:41] == list(range(41))
            assert (counted.dropped_queue, counted.lost) == (200 - len(flow.numbers), 0)
            assert flow.came_ms[40] - flow.came_ms[0] == pytest.approx(40 * 1514 * 8 / 2e3, rel=0.04)


def test_a_shorter_delay_holds_from_then_on_and_nothing_overtakes(kernel: netem.NetemBackend, space: Space) -> None:
    target = join(kernel, 0, space(), space(), one_way("delay 200ms rate 5mbit"))
    with stream(target) as flow:
        flow.send(160, 1514, gap_s=1514 * 8 / 4.5e6)
        kernel.change("link0", {"a_to_b": become("delay 20ms rate 5mbit")})
        flow.send(300, 1514, gap_s=1514 * 8 / 4.5e6)
        flow.collect(0.3)
        assert flow.numbers == list(range(460)), "none is lost, none overtakes"
        late = beyond_line_ms(flow, 5e6)
        assert median(late[20:140]) == pytest.approx(200, rel=0.04)
        assert median(late[-50:]) <= 20 + 3, "a rate behind the delay would keep the old delay while the link is busy"


def test_a_change_of_everything_loses_nothing_that_waits(kernel: netem.NetemBackend, space: Space) -> None:
    target = join(kernel, 0, space(), space(), one_way("rate 1mbit queue 1MiB"))
    with stream(target) as flow:
        flow.send(100, 1514)
        held = kernel.counters()["link0"]["a_to_b"]
        assert held.held + held.delivered == 100
        assert held.backlog_packets >= 50
        before = time.monotonic_ns()
        done = kernel.change("link0", {"a_to_b": become("rate 50mbit delay 5ms queue 2000B jitter 1ms normal", PLAIN.a_to_b)})
        assert before < done <= time.monotonic_ns()
        flow.collect(0.5)
        assert flow.numbers == list(range(100)), "a smaller queue drops nothing that waits"
        kernel.change("link0", {"a_to_b": become("rate unlimited delay 5ms jitter 0ms")})
        flow.send(100, 1514, gap_s=0.002)
        assert median(time_ms for _, time_ms in flow.collect(0.2)[-50:]) == pytest.approx(5, abs=3)


def test_a_change_waits_for_its_moment(kernel: netem.NetemBackend, space: Space) -> None:
    target = join(kernel, 0, space(), space(), PLAIN)
    at = time.monotonic_ns() + 200_000_000
    done = kernel.change("link0", {"b_to_a": become("delay 60ms")}, at)
    assert 0 <= done - at <= 60_000_000
    with stream(target, "b_to_a") as flow:
        flow.send(10, 100, gap_s=0.02)
        assert median(time_ms for _, time_ms in flow.collect(0.3)) == pytest.approx(60, abs=3)


def test_the_changes_of_a_schedule_are_on_time(kernel: netem.NetemBackend, space: Space) -> None:
    steps = "at 0s rate 40mbit; at 300ms delay 145ms; from 600ms to 900ms down"
    world = TwoHosts(rtt="300ms", rate="20mbit", schedule=f"client-server: {steps}")
    kernel.connect("client-server", *ends_of(0, space(), space()), world.specs["client-server"])
    live = Live(world, kernel, tolerance=of_this_machine())
    with live.scheduled() as tardy:
        time.sleep(1)
    late_ms = [((one.done_ns - (one.planned_ns or 0)) / 1e6) for one in live.done]
    assert (tardy, len(late_ms)) == ([], 4), late_ms
    assert min(late_ms) >= 0


def test_an_error_after_lines_were_written_takes_them_back(
    kernel: netem.NetemBackend, space: Space, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = join(kernel, 0, space(), space(), PLAIN)
    broken = [True]

    def lost(notices: object, end: int) -> int:
        done_ns = last_notice(notices, end)  # type: ignore[arg-type]
        if broken.pop():
            raise OSError(105, "No buffer space available")
        return done_ns

    last_notice = tc._last_notice
    monkeypatch.setattr(tc, "_last_notice", lost)
    broken.insert(0, False)
    with pytest.raises(BackendError, match=r"^could not change the link link0: .*No buffer space.*; it was taken back, so"):
        kernel.change("link0", {"a_to_b": become("delay 200ms")})
    with stream(target) as flow:
        flow.send(10, 100, gap_s=0.01)
        assert median(time_ms for _, time_ms in flow.collect(0.3)) == pytest.approx(20, abs=3)


def test_what_is_offered_while_down_is_dropped_and_what_is_under_way_arrives(kernel: netem.NetemBackend, space: Space) -> None:
    target = join(kernel, 0, space(), space(), one_way("rate 1mbit delay 100ms"))
    with stream(target) as flow:
        flow.send(10, 1514)
        kernel.change("link0", {"a_to_b": become("rate 1mbit delay 100ms down")})
        flow.send(20, 1514)
        kernel.change("link0", {"a_to_b": become("rate 1mbit delay 100ms")})
        flow.send(5, 1514)
        flow.collect(0.8)
        assert flow.numbers == [*range(10), *range(30, 35)]
    counted = kernel.counters()["link0"]["a_to_b"]
    assert (counted.packets, counted.dropped_down, counted.delivered, counted.unexplained) == (35, 20, 15, 0)


def test_segments_pass_whole_on_a_fast_link(kernel: netem.NetemBackend, space: Space) -> None:
    a, b = space(), space()
    spec = symmetric(4, 4_000_000_000, 2_000_000)
    assert spec.passes[0]
    join(kernel, 0, a, b, spec)
    transfer(a, b, "10.0.0.2", 3_000_000)
    counted = kernel.counters()["link0"]["a_to_b"]
    assert counted.packets >= 3_000_000 / 1448, "segments count as the packets they stand for"
    with netns.entered(a), netlink.Netlink() as own:
        assert own.stats("a0")["tx_packets"] < counted.packets / 3


def test_a_refused_line_is_named_and_the_rest_is_taken_back(kernel: netem.NetemBackend, space: Space) -> None:
    target = join(kernel, 0, space(), space(), PLAIN)
    with netns.entered_fd(kernel._space):
        tc.batch(["qdisc del dev u0 root"])
    with pytest.raises(BackendError, match=r"could not change the link link0: 'qdisc change dev u0 .*' was refused: .*; it wa"):
        kernel.change("link0", {"a_to_b": become("rate 1mbit loss 1%")})
    with stream(target) as flow:
        flow.send(40, 1514, gap_s=0.006)
        assert median(time_ms for _, time_ms in flow.collect(0.3)) == pytest.approx(20.6, abs=3), "the rate is the old one"


def test_what_cannot_be_said_with_netem_is_refused_and_changes_nothing(kernel: netem.NetemBackend, space: Space) -> None:
    target = join(kernel, 0, space(), space(), PLAIN)
    for words in ("codel", "queue 10packets"):
        with pytest.raises(UnsupportedError, match="could not change the link link0: "):
            kernel.change("link0", {"a_to_b": become(words)})
    with stream(target) as flow:
        flow.send(5, 100, gap_s=0.01)
        assert len(flow.collect(0.2)) == 5


def test_dense_frames_keep_their_order_on_several_processors(kernel: netem.NetemBackend, space: Space) -> None:
    target = join(kernel, 0, space(), space(), symmetric(20, 100_000_000, QUEUE))
    if kernel.describe()["order"] != "each link on one processor":
        pytest.skip(kernel.describe()["order"])
    processors = sorted(os.sched_getaffinity(0))
    for way in ("a_to_b", "b_to_a"):
        with stream(target, way) as flow:
            try:
                for turn in range(400):
                    # What it has sent from one may still wait there when it goes on sending from the next.
                    os.sched_setaffinity(0, {processors[turn % len(processors)]})
                    flow.send(10, 100)
                    time.sleep(0.005 if turn % 20 == 0 else 0)
            finally:
                os.sched_setaffinity(0, processors)
            assert [number for number, _ in flow.collect(0.5)] == list(range(4000))
