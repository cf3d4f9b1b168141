"""The histogram of lateness: nothing lost in the bins, the bound drawn in, the worst link first."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from results.figures.lateness import MOST_LINKS, binned, draw
from results.figures.registry import NothingToDraw
from results.judge import judge
from results.rundir import load
from tests.results.runs import save
from tests.results.wires import during, kernel, lateness, link

SVG = "{http://www.w3.org/2000/svg}"
BEYOND = "fill:var(--series-1"


def _draw(tmp_path: Path, *rows: dict[str, Any]) -> ET.Element:
    run = load(save(tmp_path / "run", change_links=lambda found: found.update(links=list(rows))))
    return ET.fromstring(draw(run, {}, judge(run)))


@given(st.lists(st.tuples(st.integers(0, 10**11), st.integers(0, 10**6))))
def test_bins_keep_every_frame_and_never_make_one_sooner(histogram: list[tuple[int, int]]) -> None:
    found = binned(histogram)
    assert sum(found.values()) == sum(frames for _, frames in histogram)
    assert list(found) == sorted(found)
    for ns, frames in histogram:
        assert not frames or any(edge >= ns * 0.999 for edge in found)


def test_a_bin_is_a_fifth_of_a_power_of_ten() -> None:
    assert list(binned([(500, 1), (1_000, 2), (1_001, 3), (10_000, 4)])) == pytest.approx([1584.8932, 10_000.0])


def test_frames_later_than_the_bound_stand_out(tmp_path: Path) -> None:
    (tmp_path / "two").mkdir()
    late = during(lateness=lateness(worst_ns=3_000_000))
    sheet = _draw(tmp_path, link("far", "a", "b", 201.0, during={"a_to_b": late, "b_to_a": during()}))
    assert len([one for one in sheet.iter(f"{SVG}rect") if BEYOND in one.attrib["style"]]) == 1
    sound = _draw(tmp_path / "two", link("far", "a", "b", 201.0))
    assert not [one for one in sound.iter(f"{SVG}rect") if BEYOND in one.attrib["style"]]


def test_the_worst_links_come_first_and_the_rest_is_counted(tmp_path: Path) -> None:
    rows = [link(f"link-{n}", "a", "b", 20.0) for n in range(MOST_LINKS + 3)]
    rows[7]["during"] = {"a_to_b": during(lateness_ms={"median": 0.1, "p99": 0.9, "max": 2.0}), "b_to_a": during()}
    texts = list(_draw(tmp_path, *rows).itertext())
    named = [text for text in texts if text.startswith("link-")]
    assert (named[0], len(named)) == ("link-7", MOST_LINKS)
    assert any(text.startswith("3 more links") for text in texts)


def test_a_direction_that_nothing_passed_says_so(tmp_path: Path) -> None:
    idle = during(0, lateness=[], lateness_ms={"median": None, "p99": None, "max": None})
    sheet = _draw(tmp_path, link("far", "a", "b", 20.0, during={"a_to_b": idle, "b_to_a": during()}))
    assert any("no frame passed" in text for text in sheet.itertext())


def test_netem_has_no_such_figure(tmp_path: Path) -> None:
    with pytest.raises(NothingToDraw, match="no link recorded how late"):
        _draw(tmp_path, link("far", "a", "b", 20.0, during={"a_to_b": kernel(), "b_to_a": kernel()}))
