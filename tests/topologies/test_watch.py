"""A link is distrusted for what it did while packets ran, not only for what it measured before."""

import pytest

from topologies.emulator import watch
from topologies.emulator.links.backend import DirectionCounters, Stretch
from topologies.emulator.links.spec import symmetric
from topologies.emulator.links.tolerance import EMULATED


def counters(**changed):
    sound = {"packets": 1000, "bytes": 10**6, "delivered": 1000, "dropped_queue": 0, "lost": 0, "failed": 0, "overrun": 0,
             "lateness_p50_ns": 50_000, "lateness_p99_ns": 400_000, "lateness_max_ns": 900_000}  # fmt: skip
    return {"a_to_b": DirectionCounters(**{**sound, **changed})}


def test_a_punctual_link_is_trusted():
    assert watch.distrust(symmetric(80, 10**8), counters()) == []


def test_queue_drops_and_specified_loss_are_no_reason_for_distrust():
    assert watch.distrust(symmetric(80, 10**8, loss=0.01), counters(dropped_queue=50, lost=10)) == []


def test_a_packet_that_nothing_explains_is_a_reason():
    assert "2 packets are missing from the balance" in watch.distrust(symmetric(80, 10**8), counters(unexplained=2))[0]
    assert watch.distrust(symmetric(80, 10**8), counters(unexplained=None)) == [], "a backend that cannot know"


def test_lateness_over_the_whole_run_is_judged_beside_that_of_each_trial():
    assert "over the whole run" in watch.distrust(symmetric(80, 10**8), counters(lateness_p99_ns=1_100_000))[0]
    assert watch.distrust(symmetric(200, 10**8), counters(lateness_p99_ns=1_100_000)) == [], "1 % of 200 ms is 2 ms"


def test_what_the_probe_sent_before_is_not_the_runs_but_every_fault_is():
    before = counters(packets=400, dropped_queue=129, lost=None, failed=1, unexplained=1)["a_to_b"]
    found = counters(packets=1400, dropped_queue=130, lost=5, failed=3, unexplained=2, held=4)["a_to_b"].since(before)
    assert (found.packets, found.dropped_queue, found.lost) == (1000, 1, None)
    assert (found.failed, found.unexplained, found.held, found.lateness_p99_ns) == (3, 2, 4, 400_000)


SPECS = {"ocean": symmetric(80, 10**8), "far": symmetric(200, 10**8)}


def late(link, p99_ms, max_ms=None, stall_ms=0.0):
    return Stretch({link: {"a_to_b": (int(p99_ms * 1e6), int((max_ms or p99_ms) * 1e6))}}, int(stall_ms * 1e6))


def test_lateness_over_a_millisecond_or_a_hundredth_of_the_rtt_is_one():
    (reason,) = watch.too_late(SPECS, late("ocean", 1.5))
    assert "link ocean: a_to_b" in reason
    assert "1.5 ms late" in reason
    assert watch.too_late(SPECS, late("far", 1.5)) == [], "1 % of 200 ms is 2 ms"
    assert watch.too_late(SPECS, Stretch({}, None)) == [], "nothing passed, or the backend cannot know"


def test_no_packet_may_be_very_late_and_the_links_may_not_stand_still():
    assert "a packet was 6 ms late" in watch.too_late(SPECS, late("ocean", 0.1, 6.0))[0]
    assert watch.too_late(SPECS, late("ocean", 0.1, 4.0)) == []
    assert "stood still for 22 ms" in watch.too_late(SPECS, late("ocean", 0.1, stall_ms=22))[0]
    assert watch.too_late(SPECS, late("ocean", 0.1, stall_ms=4)) == []


def test_a_question_of_means_bears_a_single_late_packet_but_not_one_in_a_hundred():
    assert watch.too_late(SPECS, late("ocean", 0.1, 40.0, stall_ms=40), bears_ms=50) == []
    assert "a packet was 60 ms late where 50 ms" in watch.too_late(SPECS, late("ocean", 0.1, 60.0), bears_ms=50)[0]
    assert "stood still for 60 ms where 50 ms" in watch.too_late(SPECS, late("ocean", 0.1, stall_ms=60), bears_ms=50)[0]
    assert "one packet in a hundred" in watch.too_late(SPECS, late("ocean", 1.5), bears_ms=50)[0]


@pytest.mark.parametrize(("seen_ms", "fine"), [(150.3, True), (151.4, True), (148.4, False), (166.0, False)])
def test_a_handshake_on_an_idle_path_takes_the_paths_time(seen_ms, fine):
    assert (watch.handshake(150.01, 0.0, seen_ms) == "") is fine


def test_emulated_processors_are_allowed_more():
    assert watch.handshake(150.0, 0.0, 155.0, EMULATED) == ""
    assert "6 ms either way" in watch.handshake(150.0, 0.0, 157.0, EMULATED)
    assert watch.too_late(SPECS, late("ocean", 2.9), EMULATED) == []
    assert watch.too_late(SPECS, late("ocean", 12.0), EMULATED) != []


def test_jitter_is_allowed_for_in_a_handshake():
    assert watch.handshake(150.0, 10.0, 158.0) == ""
    assert "11.5 ms either way" in watch.handshake(150.0, 10.0, 162.0)


def test_packets_that_the_machine_lost_are_one():
    assert "3 packets" in watch.distrust(symmetric(80, 10**8), counters(overrun=3))[0]
    assert "2 packets" in watch.distrust(symmetric(80, 10**8), counters(failed=2))[0]


def test_a_backend_that_cannot_know_its_lateness_says_null_not_zero():
    count = counters(lateness_p50_ns=None, lateness_p99_ns=None, lateness_max_ns=None)
    assert watch.distrust(symmetric(80, 10**8), count) == []
    assert watch.lateness_ms(count["a_to_b"])["lateness_ms"]["p99"] is None
