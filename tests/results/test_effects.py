"""Effects, queues and recordings in words."""

from __future__ import annotations

from typing import Any

import pytest

from results.effects import drained, effects, impairments, queue
from results.links import Asked, Link, parse
from tests.results.wires import link, way
from topologies.emulator.links.effects.registry import EFFECTS
from topologies.emulator.links.spec import Direction


def _link(there: dict[str, Any], back: dict[str, Any] | None = None) -> Link:
    specified = {"rtt_ms": 20.0, "a_to_b": way(20) | there, "b_to_a": way(20) | (there if back is None else back)}
    return parse({"links": [link("a-b", "a", "b", 20.0, specified=specified)]})[0]


def _asked(**there: Any) -> Asked:
    return _link(there).ways[0].asked


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({}, "none"),
        ({"effects": {"loss": "1%"}}, "1 % lost"),
        ({"effects": {"jitter": "5ms normal", "duplicate": "0.1%"}}, "jitter 5 ms, normal; 0.1 % doubled"),
        ({"effects": {"reorder": "2%", "corrupt": "3%"}}, "2 % overtake; 3 % have one bit inverted"),
        ({"effects": {"quantum": "9ms odd"}}, "quantum 9 ms odd"),
        ({"up": False}, "down: nothing passes"),
    ],
)
def test_effects_in_words(asked: dict[str, Any], words: str) -> None:
    assert effects(_asked(**asked)) == words


def test_bursts_of_loss_say_their_mean_and_how_they_come_and_go() -> None:
    said = effects(_asked(loss=0.03846, effects={"gilbert-elliott": "1% 25% 100% 0%"}))
    assert "3.85 % in the mean" in said
    assert "1 % of frames begin a burst, 25 % end it, 100 % are lost within and 0 % outside" in said


def test_every_effect_that_a_link_can_have_reads_without_an_error() -> None:
    for word, kind in EFFECTS.items():
        effect = kind.parse(kind.example.removeprefix(word).strip())
        row = Direction(40.0, 10**7, 64_000, (effect,)).as_dict()
        assert effects(_asked(**row)) not in ("none", f"{word} {effect.text()}"), word


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({}, "2.67 MiB"),
        ({"queue_bytes": None, "queue_packets": 100}, "100 packets"),
        ({"codel": "5ms 100ms"}, "2.67 MiB, CoDel 5 ms / 100 ms"),
        ({"queue_bytes": None}, "not recorded"),
    ],
)
def test_queues_in_words(asked: dict[str, Any], words: str) -> None:
    assert queue(_asked(**asked)) == words


def test_a_recording_stands_for_the_rate_and_is_named_without_its_folder() -> None:
    asked = _asked(rate_bps=None, trace={"name": "/data/lte.trace", "period_ms": 60_000, "mean_bps": 8.3e6})
    assert drained(asked) == "8.3 Mbit/s (recorded)"
    assert effects(asked) == "drained by the recording lte.trace, 8.3 Mbit/s in the mean, which begins again every 60 s"


def test_a_label_says_an_effect_once_where_both_ways_have_it() -> None:
    assert impairments(_link({"effects": {"loss": "1%"}})) == ("loss 1 %",)
    assert impairments(_link({"effects": {"loss": "1%"}}, {})) == ("loss 1 % / none",)
    assert impairments(_link({}, {"effects": {"jitter": "2ms uniform"}})) == ("jitter none / 2 ms uniform",)
    assert impairments(_link({})) == ()
