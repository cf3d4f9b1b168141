"""Changes of links during trials: what is read, what is refused, and how they are drawn."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import pytest

from results.changes import clauses, differs, parse, specified, unchecked
from results.figures.changes import draw, latest_ms
from results.figures.registry import NothingToDraw
from results.judge import judge
from results.links import LinksError
from results.links import parse as links
from results.rundir import load
from tests.results.runs import save
from tests.results.wires import link
from topologies.emulator.links.change import words
from topologies.emulator.links.codel import Codel
from topologies.emulator.links.effects.jitter import Jitter
from topologies.emulator.links.effects.loss import Loss
from topologies.emulator.links.spec import Direction, LinkSpec
from topologies.emulator.links.trace import Trace

STATE = "delay 11ms rate {} queue 2800000B {}"


def _rows(trials: int = 3) -> list[dict[str, Any]]:
    moments = ((20_000, "20mbit", "up"), (30_000, "20mbit", "down"), (40_000, "20mbit", "up"))
    return [{"trial": trial, "link": "mumbai-chennai", "done_ms": at + 0.1 * trial, "planned_ms": at,
             "a_to_b": STATE.format(rate, up), "b_to_a": None}
            for trial in range(1, trials + 1) for at, rate, up in moments]  # fmt: skip


@pytest.mark.parametrize(
    "way",
    [
        Direction(40.0, 10**7, 64_000),
        Direction(0.5, 2_500_000, None, (Loss(0.01),), 100, Codel()),
        Direction(20.0, None, 64_000, (Jitter(5.0, "normal"),), up=False),
        Direction(20.0, None, 64_000, trace=Trace((3, 7, 10), "lte.trace")),
        Direction(33.25, 1_234_567, 64_000),
    ],
)
def test_a_specification_reads_as_the_lab_words_it(way: Direction) -> None:
    row = link("a-b", "a", "b", 20.0, specified={"rtt_ms": 20.0, **LinkSpec(way, way).as_dict()})
    asked = links({"links": [row]})[0].ways[0].asked
    assert specified(asked) == words(way)
    assert " ".join(clauses(words(way))) == words(way)


def test_a_state_is_told_by_what_differs() -> None:
    before = STATE.format("100mbit", "jitter 5ms normal loss 1% up")
    assert differs(STATE.format("20mbit", "jitter 5ms normal loss 1% up"), before) == "rate 20mbit"
    assert differs(STATE.format("100mbit", "down"), before) == "down, no jitter, no loss"
    assert differs(before, before) == ""


def test_changes_are_read_for_each_direction() -> None:
    found = parse({"changes": [_rows()[0] | {"b_to_a": "delay 1ms up", "planned_ms": None}]})
    assert [(one.way, one.planned_ms) for one in found] == [("a_to_b", None), ("b_to_a", None)]
    assert (found[0].trial, found[0].done_ms) == ("1", 20_000.1)
    assert parse({}) == []
    assert unchecked({"handshakes_unchecked": {"too busy": 2}}) == {"too busy": 2}


@pytest.mark.parametrize(
    "raw", [{"changes": 7}, {"changes": [7]}, {"changes": [{"link": "a"}]}, {"changes": [{"done_ms": 1}]},
            {"changes": [{"link": "a", "done_ms": "soon"}]}],
)  # fmt: skip
def test_changes_that_make_no_sense_are_refused(raw: object) -> None:
    with pytest.raises(LinksError, match=r"links\.json"):
        parse(raw)


def test_lateness_of_changes_is_that_of_the_latest_planned_one() -> None:
    assert latest_ms(parse({"changes": _rows()})) == pytest.approx(0.3)
    assert latest_ms(parse({"changes": [_rows()[0] | {"planned_ms": None}]})) is None


def test_the_figure_has_a_band_a_state_and_a_dot_a_change(tmp_path: Path) -> None:
    run = load(save(tmp_path / "run", change_links=lambda found: found.update(changes=_rows())))
    root = ET.fromstring(draw(run, {}, judge(run)))
    texts = list(root.itertext())
    assert [text for text in texts if text in ("as specified", "rate 20mbit", "down", "up")] == [
        "as specified", "rate 20mbit", "down", "up"]  # fmt: skip
    assert "9 changes, at most 0.3 ms late" in texts
    assert len([one for one in root.iter() if one.tag.endswith("circle")]) == 9


def test_a_run_without_changes_has_no_such_figure(tmp_path: Path) -> None:
    run = load(save(tmp_path / "run"))
    with pytest.raises(NothingToDraw, match="no link was changed"):
        draw(run, {}, judge(run))
