"""`links.json`: what is read of it, now and as older versions wrote it, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest

from results.links import LinksError, parse
from tests.results.wires import during, kernel, link, measured, old_link, way


def _one(row: dict[str, Any]) -> Any:
    return parse({"links": [row]})[0]


def test_a_link_has_both_directions_with_their_ends() -> None:
    found = _one(link("a-b", "a", "b", 20.0))
    assert [(way.source, way.target) for way in found.ways] == [("a", "b"), ("b", "a")]
    assert (found.a, found.b) == ("a", "b")
    assert found.ways[0].before.burst_s == 0.02
    assert found.ways[1].after.queue_bytes == 2_771_000
    assert found.rtt_before.level_ms == pytest.approx(20.198)


def test_effects_codel_and_recordings_are_read() -> None:
    asked = way(20, effects={"loss": "1%", "quantum": "9"}, codel="5ms 100ms", queue_bytes=None, queue_packets=100, up=False,
                trace={"name": "lte", "chances": 5, "period_ms": 10, "mean_bps": 6e6}, rate_bps=None)  # fmt: skip
    found = _one(link("a-b", "a", "b", 20.0, specified={"rtt_ms": 20.0, "a_to_b": asked, "b_to_a": way(20)}))
    here = found.ways[0].asked
    assert (here.effects, here.codel) == ({"loss": "1%", "quantum": "9"}, "5ms 100ms")
    assert (here.queue_packets, here.up, here.trace) == (100, False, ("lte", 10.0, 6e6))
    assert found.rates_bps == (6e6, 100e6)


def test_what_a_backend_does_not_know_is_none_and_no_zero() -> None:
    found = _one(link("a-b", "a", "b", 20.0, during={"a_to_b": kernel(), "b_to_a": during()}))
    netem, relay = (way.passed for way in found.ways)
    assert (netem.late_ms, netem.histogram) == (None, None)
    assert "corrupted" not in netem.counts
    assert netem.counts["backlog_packets"] == 0
    assert relay.late_ms == (0.05, 0.21, 1.3)
    assert sum(frames for _, frames in relay.histogram) == 41_236


def test_a_run_of_an_older_version_still_loads() -> None:
    found = _one(old_link("a-b", "a", "b", 20.0))
    assert found.rtt_after is None
    assert found.ways[0].after is None
    assert found.ways[0].before.loss_low is None
    assert found.ways[0].passed.histogram is None


def test_loss_and_jitter_of_an_older_version_are_effects() -> None:
    row = old_link("a-b", "a", "b", 20.0)
    row["specified"]["a_to_b"] = row["specified"]["a_to_b"] | {"loss": 0.01, "jitter_ms": 2.0}
    assert _one(row).ways[0].asked.effects == {"loss": "1%", "jitter": "2ms uniform"}
    assert _one(row).ways[1].asked.effects == {}


def test_a_link_of_which_no_echo_came_back_still_loads() -> None:
    dead = measured(20.0) | {"rtt_ms": {"min": None, "median": None, "p99": None, "samples": 0, "sent": 16}}
    found = _one(link("a-b", "a", "b", 20.0, before=dead, ok=False, reasons=["RTT: none of 16 echoes came back"]))
    assert (found.rtt_before.median_ms, found.rtt_before.sent) == (None, 16)


@pytest.mark.parametrize(
    ("asked", "plain"),
    [({"rate_bps": None}, True), ({}, False), ({"rate_bps": None, "delay_ms": 1.0}, False),
     ({"rate_bps": None, "up": False}, False), ({"rate_bps": None, "effects": {"loss": "1%"}}, False)],
)  # fmt: skip
def test_a_plain_cable_asks_for_nothing(asked: dict[str, Any], plain: bool) -> None:
    row = link("a-b", "a", "b", 0.0, specified={"rtt_ms": 0.0, "a_to_b": way(0) | asked, "b_to_a": way(0, rate_bps=None)})
    assert _one(row).plain == plain
    assert not _one(row | {"ok": False}).plain


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        ({"before": 7}, "before is 7, not an object"),
        ({"reasons": "bad"}, "reasons is not a list"),
        ({"specified": {"rtt_ms": "20ms"}}, "rtt_ms is '20ms', not a finite number"),
        ({"during": {"a_to_b": during(lateness=[1, 2])}}, "not a list of pairs"),
        ({"during": {"a_to_b": during(lateness=[[1, -2]])}}, "counts below zero"),
        ({"during": {"a_to_b": during(packets=True)}}, "packets is True, not a finite number"),
    ],
)
def test_what_is_not_as_the_schema_says_is_named(spoil: dict[str, Any], words: str) -> None:
    with pytest.raises(LinksError, match=words):
        _one(link("a-b", "a", "b", 20.0) | spoil)
