"""Right links are passed and wrong ones are not, whatever the effects: the probe against simulated links."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.topologies.links.wire import surveyed
from topologies.emulator.links import change
from topologies.emulator.links.codel import Codel
from topologies.emulator.links.probe.compare import way_reasons
from topologies.emulator.links.probe.fill import Fill, fill
from topologies.emulator.links.spec import Direction
from topologies.emulator.links.trace import Trace

BASE = Direction(40, 100_000_000, 1_000_000)
STEADY = Trace(tuple(range(1, 101)))
BURSTY = Trace((0, 0, 0, 1, 5, 20, 21, 22, 22, 60, 200))
SLOW = Trace(tuple(range(0, 60_000, 7)))


def direction(words: str, base: Direction = BASE) -> Direction:
    return change.parse(words).apply(base) if words else base


def traced(trace: Trace) -> Direction:
    return replace(BASE, rate_bps=None, trace=trace)


RIGHT = [
    "", "rate 1mbit queue 48448B", "rate 10mbit queue 64KiB", "rate 1gbit", "rate 1gbit queue 18MB", "rate 100kbit",
    "rate unlimited", "rate 2gbit delay 1ms", "rate 5gbit", "delay 0ms", "queue 1000packets", "queue 20packets",
    "queue 1packet", "queue 1514B rate 10mbit", "codel", "codel 1ms 10ms", "down", "loss 0.1%", "loss 20%", "loss 90%",
    "jitter 1ms", "jitter 5ms normal", "jitter 30ms pareto", "duplicate 1%", "duplicate 50%", "corrupt 0.5%", "corrupt 30%",
    "reorder 5%", "reorder 60%", "reorder 15% rate 10mbit queue 64KiB", "loss 2% duplicate 3% corrupt 1% reorder 2%",
    "jitter 1ms loss 1% duplicate 20%", "gilbert-elliott 1% 25%", "gilbert-elliott 0.1% 10%", "gilbert-elliott 2% 5% 80% 1%",
    "gilbert-elliott 50% 60%", "rate unlimited loss 1% jitter 4ms",
]  # fmt: skip


@pytest.mark.parametrize("words", RIGHT)
def test_a_right_link_is_passed(words: str) -> None:
    way = direction(words)
    assert _wrongly_refused(way, 12) <= 1, "one in a thousand may fail, and is measured again"


@pytest.mark.parametrize("trace", [STEADY, BURSTY, SLOW], ids=["steady", "bursty", "slow"])
def test_a_right_recording_is_passed(trace: Trace) -> None:
    assert _wrongly_refused(traced(trace), 4) == 0


def _wrongly_refused(way: Direction, seeds: int) -> int:
    return sum(bool(way_reasons(way, surveyed(way, seed=seed), 1500)) for seed in range(seeds))


@pytest.mark.parametrize(("built", "said", "complaint"), [
    ("rate 90mbit", "", "Mbit/s where 100 Mbit/s was specified"),
    ("rate 110mbit", "", "Mbit/s where 100 Mbit/s was specified"),
    ("rate 900mbit queue 12MB", "rate 1gbit queue 12MB", "rate 900"),
    ("rate 1100mbit queue 12MB", "rate 1gbit queue 12MB", "rate 1.1 Gbit/s"),
    ("rate 1100mbit queue 48448B", "rate 1gbit queue 48448B", "where 1 Gbit/s was specified"),
    ("rate 1mbit", "rate 5gbit", "were sent and 5 Gbit/s were specified"),
    ("rate unlimited", "", "rate"),
    ("queue 1000packets", "", "the queue holds"),
    ("queue 800KB", "", "the queue holds"),
    ("queue 1200KB", "", "or more where"),
    ("queue 100packets", "queue 132packets", "the queue holds"),
    ("queue 40KB rate 10mbit", "queue 64KiB rate 10mbit", "the queue holds"),
    ("queue 20KB", "", "lost on a link without loss"),
    ("loss 1%", "", "lost on a link without loss"),
    ("", "loss 1%", "0 of 3000 frames were lost"),
    ("loss 3%", "loss 1%", "which a loss of 1.0000% does not do"),
    ("loss 5%", "loss 20%", "which a loss of 20.0000% does not do"),
    ("gilbert-elliott 5% 10%", "gilbert-elliott 1% 10%", "does not do"),
    ("", "gilbert-elliott 1% 25%", "does not do"),
    ("duplicate 1%", "", "came twice on a link that doubles none"),
    ("", "duplicate 2%", "came twice where"),
    ("duplicate 10%", "duplicate 4%", "came twice where"),
    ("", "corrupt 2%", "with what corruption and copies do: 1.7550%"),
    ("corrupt 2%", "", "lost on a link without loss"),
    ("reorder 5%", "", "overtook others on a link that keeps the order"),
    ("", "reorder 5%", "overtook others where 5.0000% are to"),
    ("reorder 20%", "reorder 5%", "overtook others where 5.0000% are to"),
    ("", "down", "passed although the link is down"),
    ("down", "", "the rate is unknown"),
])  # fmt: skip
def test_a_wrong_link_is_refused(built: str, said: str, complaint: str) -> None:
    claimed = direction(said)
    for seed in range(4):
        reasons = way_reasons(claimed, surveyed(direction(built), claimed, seed), 1500)
        assert any(complaint in reason for reason in reasons), reasons


@pytest.mark.parametrize("rate", [0.9, 1.1])
def test_a_wrong_recording_is_refused(rate: float) -> None:
    period = round(100 / rate)
    built = Trace(tuple(1 + number * period // 100 for number in range(100)))
    reasons = way_reasons(traced(STEADY), surveyed(traced(built), traced(STEADY)), 1500)
    assert any("rate" in reason for reason in reasons), reasons


@pytest.mark.parametrize(("words", "bytes_or_note"), [
    ("", 1_000_000), ("rate 10mbit queue 64KiB", 65_536), ("queue 100packets", 151_400), ("rate 1gbit queue 18MB", 18_000_000),
    ("codel", "CoDel drops before"), ("rate unlimited", "without a rate nothing waits"), ("down", "the link is down"),
    ("rate 1gbit queue 64KiB", "this machine's own delays hide"), ("rate 1mbit queue 1MB", "are waited for at most"),
    ("jitter 10ms", "hides a wait of 80 ms"), ("reorder 50%", "too many frames overtake"),
    ("rate 1900mbit queue 50MB", "too fast to be overtaken"), ("rate 1gbit queue 35MB", "are the most for one queue"),
])  # fmt: skip
def test_the_ceiling_of_a_queue_is_measured_or_why_not_is_said(words: str, bytes_or_note: int | str) -> None:
    found = surveyed(direction(words))
    if isinstance(bytes_or_note, int):
        assert found.queue_bytes == pytest.approx(bytes_or_note, rel=0.02, abs=1514)
        assert found.queue_note is None
    else:
        assert found.queue_bytes is None
        assert bytes_or_note in (found.queue_note or "")


def test_an_ordinary_users_receive_buffer_fills_only_what_it_holds() -> None:
    assert "a receive buffer of 416 KiB holds 166" in str(fill(BASE, 1500, 425_984))
    assert isinstance(fill(direction("queue 64KB"), 1500, 425_984), Fill)


def test_a_full_queue_gives_a_burst_as_long_as_it_drains() -> None:
    assert surveyed(BASE).burst_s == pytest.approx(0.9 * 0.08, rel=0.1)


def test_a_sender_that_is_held_up_now_and_then_still_fills_the_queue() -> None:
    found = surveyed(BASE, held_up=lambda now: now + (now // 3_000_000 % 3 == 0) * 2_000_000)
    assert found.queue_bytes == pytest.approx(1_000_000, rel=0.05)


def test_a_sender_that_cannot_keep_up_finds_no_ceiling_and_says_so() -> None:
    found = surveyed(BASE, held_up=lambda now: now + 6_000_000)
    assert found.queue_bytes is None
    assert "held the sender up" in (found.queue_note or "")
    assert found.rate_bps is None


def test_a_link_faster_than_frames_can_be_sent_is_judged_by_what_was_sent() -> None:
    found = surveyed(direction("rate 5gbit queue 6MB"))
    assert found.sent_bps == pytest.approx(190_000 * 1514 * 8, rel=0.05)
    assert found.rate_bps == pytest.approx(found.sent_bps or 0, rel=0.05)
    assert "faster than this machine can send" in (found.rate_note or "")


def test_the_loss_comes_with_its_interval() -> None:
    found = surveyed(direction("loss 5%"))
    assert found.loss_low is not None
    assert found.loss_high is not None
    assert found.loss_low < 0.05 < found.loss_high < 0.2
    assert surveyed(direction("rate unlimited down", Direction(1, None, 48_448))).loss_low is not None


def test_codel_is_no_reason_for_a_false_alarm_in_its_own_link() -> None:
    assert surveyed(replace(BASE, codel=Codel())).queue_note == "CoDel drops before the queue is full"
