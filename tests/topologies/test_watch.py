"""A link is distrusted for what it did while packets ran, not only for what it measured before."""

from topologies.emulator import watch
from topologies.emulator.links.backend import DirectionCounters
from topologies.emulator.links.spec import symmetric


def counters(**changed):
    sound = {"packets": 1000, "bytes": 10**6, "delivered": 1000, "dropped_queue": 0, "lost": 0, "failed": 0, "overrun": 0,
             "lateness_p50_ns": 50_000, "lateness_p99_ns": 400_000, "lateness_max_ns": 900_000}  # fmt: skip
    return {"a_to_b": DirectionCounters(**{**sound, **changed})}


def test_a_punctual_link_is_trusted():
    assert watch.distrust(symmetric(80, 10**8), counters()) == []


def test_queue_drops_and_specified_loss_are_no_reason_for_distrust():
    assert watch.distrust(symmetric(80, 10**8, loss=0.01), counters(dropped_queue=50, lost=10)) == []


def test_lateness_over_a_millisecond_or_a_hundredth_of_the_rtt_is_one():
    late = {"a_to_b": 1_500_000, "b_to_a": 100_000}
    (reason,) = watch.too_late(symmetric(80, 10**8), late)
    assert "a_to_b" in reason
    assert "1.5 ms late" in reason
    assert watch.too_late(symmetric(200, 10**8), late) == [], "1 % of 200 ms is 2 ms"
    assert watch.too_late(symmetric(80, 10**8), {"a_to_b": None}) == [], "nothing passed"


def test_packets_that_the_machine_lost_are_one():
    assert "3 packets" in watch.distrust(symmetric(80, 10**8), counters(overrun=3))[0]
    assert "2 packets" in watch.distrust(symmetric(80, 10**8), counters(failed=2))[0]


def test_a_backend_that_cannot_know_its_lateness_says_null_not_zero():
    count = counters(lateness_p50_ns=None, lateness_p99_ns=None, lateness_max_ns=None)
    assert watch.distrust(symmetric(80, 10**8), count) == []
    assert watch.lateness_ms(count["a_to_b"])["lateness_ms"]["p99"] is None
