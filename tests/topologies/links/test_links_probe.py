from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from topologies.emulator.links import probe
from topologies.emulator.links.effects.corrupt import Corrupt
from topologies.emulator.links.effects.loss import Loss
from topologies.emulator.links.probe import Measured, Rtt, Way, compare
from topologies.emulator.links.probe.dispersion import dispersion_bps
from topologies.emulator.links.probe.level import due
from topologies.emulator.links.probe.pacer import Pacer
from topologies.emulator.links.probe.plan import OVERPACE, Train, echoes, groups, loss_train, rate_train
from topologies.emulator.links.spec import Direction, LinkSpec, symmetric, wire

SPEC = symmetric(80, 100_000_000)
GOOD = Measured(Rtt(80.0, 80.1, 80.3, 16, 16, 80.1), Way(100e6, 166, 166), Way(99e6, 166, 166))
BUFFER = 8 << 20
RATES = st.integers(1_000, 10**10)


def trains(way: Direction, mtu: int, buffer_bytes: int) -> list[Train]:
    """Both kinds of train, those that the direction has."""
    return [train for train in (rate_train(way, mtu, buffer_bytes), loss_train(way, mtu, buffer_bytes)) if train]


def hundred(run: int = 100) -> Train:
    """A hundred frames of 0.1 ms each, paced at 0.09 ms."""
    return Train(1250, 100, 90_000, run, 0, 100_000, 5, 3_000_000, True)


def rtt(median_ms: float, samples: int = 16) -> Measured:
    return replace(GOOD, rtt_ms=Rtt(median_ms, median_ms, median_ms, samples, 16, median_ms))


def lossy(loss: float, lost: int, sent: int = 1166) -> list[str]:
    way = replace(SPEC.a_to_b, effects=wire(Loss(loss)))
    return compare(LinkSpec(way, SPEC.b_to_a), replace(GOOD, a_to_b=Way(100e6, sent, sent - lost)))


def test_a_link_as_specified_has_no_reasons() -> None:
    assert compare(SPEC, GOOD) == []


@pytest.mark.parametrize(("median_ms", "fine"), [(79.3, True), (80.7, True), (79.1, False), (80.9, False)])
def test_rtt_is_held_to_one_percent(median_ms: float, fine: bool) -> None:
    assert (compare(SPEC, rtt(median_ms)) == []) is fine


@pytest.mark.parametrize(("median_ms", "fine"), [(0.4, True), (0.6, False)])
def test_an_unshaped_link_is_held_to_half_a_millisecond(median_ms: float, fine: bool) -> None:
    none = Way(None, 0, 0)
    assert (compare(symmetric(0, None), Measured(rtt(median_ms).rtt_ms, none, none)) == []) is fine


def test_the_reason_names_both_figures() -> None:
    [reason] = compare(SPEC, rtt(84))
    assert reason == ("RTT: 84 ms where 80.01 ms is due: 80 ms as specified and the echo's own time on the wire "
                      "(allowed: 0.8 ms either way)")  # fmt: skip


@pytest.mark.parametrize(("rate", "fine"), [(95.1e6, True), (104.9e6, True), (94.9e6, False), (105.1e6, False)])
def test_rate_is_held_to_five_percent(rate: float, fine: bool) -> None:
    assert (compare(SPEC, replace(GOOD, b_to_a=Way(rate, 166, 166))) == []) is fine


def test_one_lost_frame_on_a_link_without_loss_is_a_reason() -> None:
    assert "1 of 1166 frames were lost on a link without loss" in lossy(0, 1)[0]
    assert "1 of 16 echoes" in compare(SPEC, rtt(80.1, samples=15))[0]


def test_loss_is_held_to_what_chance_allows() -> None:
    assert lossy(0.01, 12) == []
    assert lossy(0.01, 2) == []  # P(at most 2) is 0.0006
    assert lossy(0.01, 1) != []
    assert lossy(0.01, 0) != []
    assert lossy(0.01, 30) != []


def test_silence_is_a_reason() -> None:
    dead = Measured(Rtt(None, None, None, 0, 16), Way(None, 166, 0), Way(None, 166, 0))
    reasons = compare(SPEC, dead)
    assert "none of 16 echoes" in reasons[0]
    assert len(reasons) == 5


def test_an_overflow_of_our_own_is_never_called_a_link_fault() -> None:
    [reason] = compare(SPEC, replace(GOOD, a_to_b=Way(50e6, 166, 100, overflowed=66)))
    assert "no measurement" in reason


def test_of_inverted_bits_the_kernel_says_overflow_too_and_the_loss_is_judged() -> None:
    way = replace(SPEC.a_to_b, effects=wire(Corrupt(0.5)))
    seen = replace(GOOD, a_to_b=Way(100e6, 166, 83, overflowed=83))
    assert not any("no measurement" in reason for reason in compare(replace(SPEC, a_to_b=way), seen))
    assert "were lost" in compare(replace(SPEC, a_to_b=way), replace(seen, a_to_b=Way(100e6, 166, 3, overflowed=163)))[0]


def test_jitter_widens_the_allowance_by_what_chance_does_and_no_more() -> None:
    jittery = symmetric(80, 100_000_000, jitter_ms=4)
    assert due(SPEC, 16).more_ms < 1 < due(jittery, 16).more_ms < 6


def most_backlog(train: Train, delayed: Callable[[int], int]) -> float:
    """Most bytes waiting at a link as specified when the sender is held up as `delayed` says."""
    pacer, now, busy_until, most = Pacer(train, 0), 0, 0, 0
    while not pacer.done:
        now = max(now, delayed(pacer.at_ns))
        most = max(most, busy_until - now)
        busy_until = max(busy_until, now) + train.frame_ns
        pacer.sent(now)
    return most / train.frame_ns * train.frame_bytes


def test_a_steady_sender_keeps_the_link_busy() -> None:
    pacer = Pacer(hundred(), 0)
    while not pacer.done:
        pacer.sent(pacer.at_ns + 50_000)
    assert pacer.dry == []


def test_a_stretch_in_which_the_link_ran_dry_does_not_count() -> None:
    pacer = Pacer(hundred(), 0)
    while not pacer.done:
        pacer.sent(pacer.at_ns + (9_000_000 if pacer.count in (30, 60) else 0))
    assert pacer.dry == [30, 60]
    arrivals = [(n, n * 100_000 + (n >= 30) * 9_000_000 + (n >= 60) * 9_000_000) for n in range(100)]
    assert dispersion_bps(arrivals, hundred(), pacer.dry) == pytest.approx(100e6)
    assert dispersion_bps(arrivals, hundred(), range(100)) is None


def test_a_link_too_fast_is_not_hidden_by_a_sender_that_is_held_up() -> None:
    # The sender keeps 1.0 of the specified rate by stalling; the link would do 1.1.
    pacer, now, free, arrivals = Pacer(hundred(), 0), 0, 0, []
    while not pacer.done:
        now = max(now, pacer.at_ns) + (600_000 if pacer.count % 40 == 39 else 0)
        free = max(free, now) + 90_909
        arrivals.append((pacer.count, free))
        pacer.sent(now)
    rate = dispersion_bps(arrivals, hundred(), pacer.dry)
    assert rate is None or rate > 105e6


@given(RATES, st.integers(0, 200), st.integers(20, 2000), st.sampled_from([0.0, 0.001, 0.05]))
def test_a_train_never_overflows_the_queue_of_a_right_link(
    rate: int, delay_ms: int, queue_frames: int, loss: float
) -> None:
    queue_bytes = queue_frames * 1514
    for train in trains(Direction(delay_ms, rate, queue_bytes, wire(Loss(loss))), 1500, BUFFER):
        assert most_backlog(train, lambda now: now) <= queue_bytes
        assert most_backlog(train, lambda now: now + (now // 7_000_000 % 2) * 5_000_000) <= queue_bytes
        assert 50 <= train.frame_bytes <= 1514
        assert train.frames * (train.frame_bytes + 1050) <= BUFFER
        if not train.measures_rate:
            assert train.rate_bps <= 0.81 * rate


def test_a_usual_train_is_twenty_milliseconds_of_full_frames() -> None:
    [train] = trains(SPEC.a_to_b, 1500, BUFFER)
    assert (train.frame_bytes, train.frames, train.run, train.prime) == (1514, 166, 166, 41)


def test_a_slow_link_gets_small_frames() -> None:
    [train] = trains(symmetric(10, 100_000).a_to_b, 1500, BUFFER)
    assert train.frame_bytes < 200
    assert train.frames * train.gap_ns < 1e9


def test_rate_is_read_by_sequence_number_so_that_loss_on_the_wire_does_not_lower_it() -> None:
    train = hundred()
    arrivals = [(number, number * 100_000) for number in range(100) if number % 3]
    assert dispersion_bps(arrivals, train) == pytest.approx(100e6)


def test_pauses_between_runs_do_not_count() -> None:
    train = hundred(run=10)
    arrivals = [(number, number * 100_000 + number // 10 * 5_000_000) for number in range(100)]
    assert dispersion_bps(arrivals, train) == pytest.approx(100e6)


def test_frames_released_late_do_not_change_the_rate() -> None:
    arrivals = [(n, n * 100_000 + (400_000 if n in (0, 1, 50, 99) else 0)) for n in range(100)]
    assert dispersion_bps(arrivals, hundred()) == pytest.approx(100e6, rel=0.001)


def test_an_ordinary_users_receive_buffer_still_holds_a_usual_train() -> None:
    [train] = trains(SPEC.a_to_b, 1500, 425_984)
    assert train.frames >= 160


def test_too_little_is_no_rate() -> None:
    assert dispersion_bps([], hundred()) is None
    assert dispersion_bps([(4, 17)], hundred()) is None


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(10**6, 10**9)), max_size=40))
def test_groups_hold_every_train_once_within_the_budget(ways: list[tuple[int, int]]) -> None:
    loads = [(way, Train(1514, 10, round(1514 * 8e9 / rate), 10, 0, 1, 1, 1, True)) for way, rate in ways]
    found = groups(loads, 400e6)
    assert sorted(index for members in found for index in members) == list(range(len(loads)))
    for members in found:
        assert len({loads[index][0] for index in members}) == len(members)
        assert len(members) == 1 or sum(loads[index][1].rate_bps for index in members) <= 400e6 * OVERPACE * 1.001


def test_echoes_of_slow_or_jittery_links_are_further_apart() -> None:
    assert echoes(SPEC.a_to_b, SPEC.b_to_a) == (16, 31_250_000)
    slow = symmetric(10, 1_000).a_to_b
    count, apart_ns = echoes(slow, slow)
    assert count == 5
    assert apart_ns >= 1_200_000_000


@pytest.mark.parametrize(
    ("outcomes", "reasons", "attempts"),
    [
        ("right", False, 1),
        ("wrong right right", False, 3),
        ("wrong right wrong right wrong", True, 5),
        ("wrong wrong wrong wrong", True, 4),
        ("wrong right wrong right right", False, 5),
    ],
)
def test_a_link_that_failed_must_be_right_twice_in_a_row(
    monkeypatch: pytest.MonkeyPatch, outcomes: str, reasons: bool, attempts: int
) -> None:
    left = [{"right": GOOD, "wrong": rtt(90)}[word] for word in outcomes.split()]
    monkeypatch.setattr(probe, "measure", lambda targets, _: {one.name: left.pop(0) for one in targets})
    verified = probe.verify([probe.Target("l", 1, "10.0.0.1", 2, "10.0.0.2", SPEC)])["l"]
    assert (bool(verified.reasons), verified.attempts, left) == (reasons, attempts, [])
