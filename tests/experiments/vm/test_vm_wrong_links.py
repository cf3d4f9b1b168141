"""The conformance suite fails when netem builds another link than was claimed. For a kernel that has it: the guest's.

Tolerances are those of emulated processors, so each link is wrong by more. What the suite says must also be what was built: one
that finds every link outside would prove as little as one that finds none.
"""

from dataclasses import replace

import pytest

from tests.labkit import in_sandbox
from topologies.emulator.conformance import suite
from topologies.emulator.conformance.bed import Bed
from topologies.emulator.conformance.figure import INSIDE, OUTSIDE
from topologies.emulator.links import netem, tc_plan
from topologies.emulator.links.spec import ETHERNET_HEADER, wire
from topologies.emulator.links.tolerance import EMULATED

pytestmark = [pytest.mark.lab, pytest.mark.slow]

PAYLOAD_BPS = 10_000_000 * 1448 / (1500 + ETHERNET_HEADER)
"""What 10 Mbit/s leave for TCP."""


@pytest.fixture(autouse=True, scope="module")
def _netem():
    if reason := netem.ability().reason:
        pytest.skip(reason)


def found(kind, distort):
    """Name -> (verdict, achieved), by the last quick check of that kind, made once, on a link that is built distorted."""

    def work():
        bed = Bed("netem", tolerance=EMULATED, distort=lambda spec: spec if spec.unshaped else distort(spec))
        _, check = suite.found([kind], quick=True)[-1]
        return {figure.name: (figure.verdict, figure.achieved) for figure in check.measure(bed)}

    return {name: tuple(values) for name, values in in_sandbox(work).items()}


def both(spec, change):
    return replace(spec, a_to_b=change(spec.a_to_b), b_to_a=change(spec.b_to_a))


def test_a_link_eight_milliseconds_too_slow_is_outside():
    figures = found("rtt", lambda spec: both(spec, lambda way: replace(way, delay_ms=way.delay_ms + 4)))
    assert figures["median"] == (OUTSIDE, pytest.approx(84, abs=3))
    assert figures["echoes lost"] == (INSIDE, 0)


@pytest.mark.parametrize("share", [0.9, 1.1])
def test_a_rate_a_tenth_too_low_or_too_high_is_outside(share):
    figures = found("goodput", lambda spec: both(spec, lambda way: replace(way, rate_bps=round(way.rate_bps * share))))
    assert figures == {"goodput": (OUTSIDE, pytest.approx(share * PAYLOAD_BPS, rel=0.04))}


def test_half_the_jitter_is_outside():
    def less(way):
        return replace(way, effects=wire(*(replace(one, jitter_ms=one.jitter_ms / 2) for one in way.effects)))

    verdict, _ = found("jitter", lambda spec: both(spec, less))["deviation"]
    assert verdict == OUTSIDE


@pytest.mark.parametrize("rate_bps", [10_000_000, 1_000_000_000])
def test_gaps_of_another_rate_are_outside(rate_bps):
    verdict, _ = found("gaps", lambda spec: both(spec, lambda way: replace(way, rate_bps=rate_bps)))["mean gap"]
    assert verdict == OUTSIDE


def test_what_netem_drops_by_a_limit_of_its_own_is_no_fault_of_the_machine(monkeypatch):
    monkeypatch.setattr(tc_plan, "_MOST_FRAMES", 60)
    verdict, lost = found("reorder", lambda spec: spec)["lost"]
    assert (verdict, lost > 100) == (OUTSIDE, True)


def test_a_queue_of_a_thousand_packets_instead_of_sixty_is_outside():
    figures = found("queue_full", lambda spec: replace(spec, a_to_b=replace(spec.a_to_b, queue_packets=1000)))
    (verdict, median_ms) = figures["median"]
    assert verdict == OUTSIDE
    assert median_ms > 100, "a queue of sixty holds 73 ms"


def test_a_queue_that_stands_on_its_senders_account_is_outside(monkeypatch):
    lines = tc_plan.path_lines
    monkeypatch.setattr(tc_plan, "path_lines", lambda number: [
        line.replace("egress mirror", "egress redirect").removesuffix(" trap") for line in lines(number)])  # fmt: skip
    ((verdict, high_ms),) = found("bloat", lambda spec: spec).values()
    assert verdict == OUTSIDE
    assert high_ms < 60, "TCP holds back what it would not have to wait for"
