"""The suite fails when a link is made wrong on purpose. A suite that cannot fail proves nothing."""

import time
from contextlib import contextmanager
from dataclasses import replace

import pytest

from tests.labkit import in_sandbox
from topologies.emulator.conformance import suite
from topologies.emulator.conformance.bed import Bed
from topologies.emulator.conformance.figure import OUTSIDE
from topologies.emulator.links.effects.corrupt import Corrupt
from topologies.emulator.links.effects.duplicate import Duplicate
from topologies.emulator.links.effects.gilbert_elliott import GilbertElliott
from topologies.emulator.links.effects.jitter import Jitter
from topologies.emulator.links.effects.loss import Loss
from topologies.emulator.links.effects.reorder import Reorder
from topologies.emulator.links.spec import wire
from topologies.emulator.links.trace import Trace

pytestmark = [pytest.mark.lab, pytest.mark.slow]


def figures_outside(bed, kind, check, attempts):
    """Name -> achieved."""
    rows = suite.rows(bed, kind, check, attempts)
    return {row.figure.name: row.figure.show(row.figure.achieved) for row in rows if row.verdict == OUTSIDE}


def outside(distort, kind, attempts=1):
    """The figures of each quick check of that kind that are outside, when links are built otherwise than they claim."""

    def work():
        bed = Bed(distort=distort)
        return {check.what: figures_outside(bed, kind, check, attempts) for kind, check in suite.found([kind], quick=True)}

    return in_sandbox(work)


def there(**fields):
    """Another direction from a to b than was claimed, on links that are emulated at all."""
    return lambda spec: spec if spec.unshaped else replace(spec, a_to_b=replace(spec.a_to_b, **fields))


def both(change):
    return lambda spec: spec if spec.unshaped else replace(spec, a_to_b=change(spec.a_to_b), b_to_a=change(spec.b_to_a))


def instead(kind, effect):
    """Another effect where there is one of that kind."""

    def effects(way):
        return replace(way, effects=wire(*(effect if isinstance(one, kind) else one for one in way.effects)))

    return both(effects)


def test_a_link_two_milliseconds_too_slow_is_outside():
    found = outside(both(lambda way: replace(way, delay_ms=way.delay_ms + 1)), "rtt")
    assert len(found) == 2
    assert all("median" in names for names in found.values())


def test_a_rate_a_tenth_too_low_is_outside():
    slower = both(lambda way: replace(way, rate_bps=way.rate_bps * 9 // 10))
    assert all(list(names) == ["goodput"] for names in outside(slower, "goodput").values())


def test_a_rate_a_tenth_too_high_is_outside():
    faster = both(lambda way: replace(way, rate_bps=way.rate_bps * 11 // 10))
    assert all(list(names) == ["goodput"] for names in outside(faster, "goodput").values())


def test_a_queue_of_a_thousand_packets_instead_of_what_was_claimed_is_outside():
    found = outside(there(queue_bytes=None, queue_packets=1000), "queue_full")
    assert len(found) == 2
    assert all(list(names) == ["median"] for names in found.values())


def test_a_loss_twice_as_high_is_outside():
    found = outside(instead(Loss, Loss(0.4)), "loss")
    assert all("lost" in names for names in found.values())
    twice = outside(both(lambda way: replace(way, effects=wire(*(Loss(2 * one.loss) for one in way.effects)))), "loss")
    assert len(twice) == 2
    assert all("lost" in names for names in twice.values())


def test_a_loss_on_the_other_direction_is_outside():
    found = outside(lambda spec: replace(spec, b_to_a=spec.a_to_b), "loss")
    assert all(list(names) == ["lost on the other direction"] for names in found.values())


WRONG = {
    "bursts twice as long": ("loss_bursts", instead(GilbertElliott, GilbertElliott(0.005, 0.125)), "mean burst"),
    "independent loss for bursts": ("loss_bursts", instead(GilbertElliott, Loss(0.01 / 0.26)), "mean burst"),
    "twice the loss in bursts": ("loss_bursts", instead(GilbertElliott, GilbertElliott(0.02, 0.25)), "share lost"),
    "no jitter": ("jitter", both(lambda way: replace(way, effects=())), "deviation"),
    "half the jitter": ("jitter", both(lambda way: replace(way, effects=tuple(Jitter(one.jitter_ms / 2, one.shape)
                                                                             for one in way.effects))), "deviation"),
    "twice the duplicates": ("duplicate", instead(Duplicate, Duplicate(0.04)), "arrived twice"),
    "no duplicates": ("duplicate", both(lambda way: replace(way, effects=())), "arrived twice"),
    "half the overtaking": ("reorder", instead(Reorder, Reorder(0.025)), "overtook"),
    "twice the corruption": ("corrupt", instead(Corrupt, Corrupt(0.04)), "one bit inverted"),
    "delays exchanged": ("asymmetric", lambda spec: replace(spec, a_to_b=spec.b_to_a, b_to_a=spec.a_to_b), "a to b"),
    "a smaller MTU": ("mtu", lambda spec: replace(spec, mtu=1400), "arrived, 1500 B"),
    "a larger MTU": ("mtu", lambda spec: replace(spec, mtu=1501), "arrived, 1501 B"),
    "drop-tail for CoDel": ("codel", there(codel=None), "standing delay"),
    "a trace a tenth slower": ("trace", lambda spec: spec if not spec.a_to_b.trace else replace(spec, a_to_b=replace(
        spec.a_to_b, trace=Trace((*spec.a_to_b.trace.times_ms[:-1], 132)))), "100 packets take"),
    "an even rate for a trace": ("trace", lambda spec: replace(spec, a_to_b=replace(
        spec.a_to_b, trace=Trace(tuple(range(6, 121, 6))))), "p99 from its chance"),
    "half the queue for a flow": ("bloat", there(queue_bytes=64 << 10), "95th percentile"),
    "another rate under load": ("rtt_loaded", there(rate_bps=48_000_000), "median"),
    "a rate that comes in bursts": ("gaps", there(rate_bps=1_000_000_000), "within 10 % or 0.1 ms"),
}  # fmt: skip


@pytest.mark.parametrize("wrong", WRONG)
def test_a_wrong_link_is_outside(wrong):
    kind, distort, figure = WRONG[wrong]
    found = outside(distort, kind)
    assert found
    assert all(figure in names for names in found.values()), found


class Seeds:
    """Each link gets a seed of its own, whatever it claims."""

    def __init__(self):
        self.made = 0

    def __call__(self, spec):
        self.made += 1
        return replace(spec, seed=spec.seed + 1000 * self.made)


def test_links_that_ignore_their_seed_are_outside():
    (names,) = outside(Seeds(), "same_seed").values()
    assert "other fate, same seed" in names


class Deaf(Bed):
    """Its links say that they change, and do not."""

    @contextmanager
    def link(self, spec, **more):
        with super().link(spec, **more) as link:
            link.lab.links.change = lambda name, ways, at_ns=0: time.monotonic_ns()
            yield link


def test_links_that_do_not_change_are_outside():
    def work():
        return {check.what: figures_outside(Deaf(), kind, check, 1)
                for kind, check in suite.found(["change", "down_up"], quick=True)}  # fmt: skip

    found = in_sandbox(work)
    assert len(found) == 4
    assert all(found.values()), found
