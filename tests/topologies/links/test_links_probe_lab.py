"""The probe on real links of the relay, every effect among them: right ones pass, wrong ones do not, ceilings are found."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.topologies.links.bed import join
from tests.topologies.links.conftest import Space
from topologies.emulator.links import change
from topologies.emulator.links.probe import verify
from topologies.emulator.links.relay_backend import RelayBackend
from topologies.emulator.links.spec import Direction, LinkSpec
from topologies.emulator.links.trace import Trace

pytestmark = [pytest.mark.lab, pytest.mark.slow]

BASE = Direction(20, 50_000_000, 500_000)


@pytest.fixture
def relay() -> Iterator[RelayBackend]:
    backend = RelayBackend()
    yield backend
    backend.close()


def link(words: str, back: str = "") -> LinkSpec:
    return LinkSpec(*(change.parse(one).apply(BASE) if one else BASE for one in (words, back or words)))


def test_right_links_pass_and_their_ceilings_are_found(space: Space, relay: RelayBackend) -> None:
    a, b = space(), space()
    said = ["", "queue 100packets", "loss 2%", "jitter 2ms normal", "jitter 3ms pareto", "duplicate 5%", "corrupt 5%",
            "reorder 10%", "gilbert-elliott 1% 20%", "codel", "rate unlimited", "down", "queue 2packets rate 5mbit",
            "rate 1mbit delay 5ms queue 48448B"]  # fmt: skip
    specs = [link(words) for words in said] + [link("loss 5%", "delay 60ms")]
    traced = Direction(10, None, 200_000, trace=Trace(tuple(range(1, 101))))
    specs.append(LinkSpec(traced, traced))
    found = verify([join(relay, number, a, b, spec) for number, spec in enumerate(specs)])
    assert {name: one.reasons for name, one in found.items() if one.reasons} == {}
    for number, room in ((0, 500_000), (1, 151_400), (2, 500_000), (13, 48_448)):
        measured = found[f"link{number}"].measured
        for way in (measured.a_to_b, measured.b_to_a):
            assert way.queue_bytes == pytest.approx(room, rel=0.1, abs=3028), way
    assert found["link15"].measured.a_to_b.rate_bps == pytest.approx(12e6, rel=0.05)
    for one in found.values():
        for way in (one.measured.a_to_b, one.measured.b_to_a):
            assert (way.queue_bytes is None) == bool(way.queue_note)
            assert (way.rate_bps is None) <= bool(way.rate_note)


@pytest.mark.parametrize(("built", "said", "complaint"), [
    ("queue 1000packets", "", "the queue holds"), ("queue 300KB", "", "the queue holds"),
    ("rate 45mbit", "", "where 50 Mbit/s was specified"), ("jitter 2ms", "delay 24ms jitter 2ms", "RTT"),
    ("", "duplicate 5%", "came twice where"), ("reorder 5%", "", "keeps the order"), ("", "down", "although the link is down"),
])  # fmt: skip
def test_wrong_links_do_not(space: Space, relay: RelayBackend, built: str, said: str, complaint: str) -> None:
    target = join(relay, 0, space(), space(), link(built), link(said))
    reasons = verify([target])["link0"].reasons
    assert any(complaint in reason for reason in reasons), reasons
