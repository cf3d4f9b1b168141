"""Figures: legal SVG, nothing clipped, the same bytes each time, and the values where they belong."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from results.figures.drawing.axis import Scale, from_zero, tick_text
from results.figures.drawing.canvas import Canvas, fit, text_width
from results.figures.drawing.layout import Box, by_distance, by_position
from results.figures.registry import NothingToDraw, find, kinds
from results.figures.topology import label
from results.figures.waterfall import phases, typical
from results.judge import judge
from results.report import draw_figures
from results.rundir import Run, RunError, load
from tests.results.runs import save
from tests.results.wires import link

SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return load(save(tmp_path_factory.mktemp("figures") / "run"))


def _draw(run: Run, kind: str, **request: Any) -> str:
    return find(kind)(run, {"kind": kind, **request}, judge(run))


def test_kinds_are_found_by_their_files() -> None:
    assert kinds() == ["changes", "ecdf", "lateness", "links", "predicted", "sequence", "series", "topology",
                       "waterfall", "witnesses", "xy"]  # fmt: skip


def test_an_unknown_kind_names_the_nearest() -> None:
    with pytest.raises(ValueError, match="did you mean 'waterfall'"):
        find("waterfal")


def test_every_figure_is_legal_svg_with_its_text_inside(run: Run) -> None:
    figures = draw_figures(run, judge(run))
    assert [one["name"] for one in figures] == ["topology", "waterfall", "predicted", "ecdf", "ecdf-2", "links", "lateness"]
    for figure in figures:
        root = ET.fromstring(figure["svg"])
        width, height = (float(one) for one in root.attrib["viewBox"].split()[2:])
        texts = list(root.iter(f"{SVG}text"))
        assert texts
        for text in texts:
            assert 0 <= float(text.attrib["x"]) <= width
            assert 0 < float(text.attrib["y"]) <= height


def test_the_same_run_gives_the_same_bytes(run: Run) -> None:
    verdict = judge(run)
    assert draw_figures(run, verdict) == draw_figures(run, verdict)


def test_an_ecdf_has_one_line_a_level_and_one_step_a_fetch(run: Run) -> None:
    root = ET.fromstring(_draw(run, "ecdf", metric="total_ms", by="path", where={"size": "16 KiB"}))
    lines = [one.attrib["d"] for one in root.iter(f"{SVG}path")]
    assert len(lines) == 3
    assert all(line.count("L") == 2 * 10 + 1 for line in lines)


def test_a_figure_without_samples_says_what_is_missing(tmp_path: Path) -> None:
    def spoil(rows: list[dict[str, Any]]) -> None:
        for row in rows:
            row["valid"] = 0

    empty = load(save(tmp_path / "run", change_rows=spoil))
    with pytest.raises(NothingToDraw, match="no valid trial"):
        _draw(empty, "ecdf", metric="total_ms", by="path")
    with pytest.raises(NothingToDraw, match="no valid trial"):
        _draw(empty, "waterfall", by="path")
    with pytest.raises(NothingToDraw, match="no claim"):
        _draw(empty, "predicted")


@pytest.mark.parametrize(
    ("kind", "request_"),
    [("ecdf", {"metric": "warp_ms", "by": "path"}), ("ecdf", {"metric": "total_ms", "by": "planet"}),
     ("waterfall", {"by": "planet"})],
)  # fmt: skip
def test_a_column_that_is_not_there_is_an_error_about_the_run(run: Run, kind: str, request_: dict[str, Any]) -> None:
    with pytest.raises(RunError, match="lacks the column"):
        _draw(run, kind, **request_)


@pytest.mark.parametrize("figure", [{"kind": "pie"}, {"kind": "ecdf"}, {}])
def test_a_figure_request_that_makes_no_sense_is_an_error_about_the_run(tmp_path: Path, figure: dict[str, Any]) -> None:
    broken = load(save(tmp_path / "run", change=lambda m: m.update(figures=[figure])))
    with pytest.raises(RunError, match="figure"):
        draw_figures(broken, judge(broken))


def test_the_waterfall_shows_the_fetch_with_the_median_total(run: Run) -> None:
    where = {"path": "direct", "size": "256 KiB"}
    trial = typical(run, where)
    assert trial is not None
    totals = sorted(run.sample("total_ms", where))
    assert trial.number("total_ms") == totals[4]
    spans = dict(phases(trial))
    assert list(spans) == ["name look-up", "connect", "wait for the first byte", "body"]
    assert sum(spans.values()) == pytest.approx(totals[4])


def test_a_reused_connection_has_no_connect_phase(tmp_path: Path) -> None:
    def reuse(rows: list[dict[str, Any]]) -> None:
        for row in rows:
            row.update(connection="reuse", dns_ms=0, connect_ms=0)

    trial = typical(load(save(tmp_path / "run", change_rows=reuse)), {"path": "warm"})
    assert trial is not None
    assert [name for name, _ in phases(trial)] == ["wait for the first byte", "body"]


def test_the_topology_names_places_nodes_and_links_and_marks_estimates(run: Run) -> None:
    svg = _draw(run, "topology")
    for text in (
        "Virginia",
        "Mumbai",
        "Chennai",
        "origin1.az1.virginia",
        "201 ms · 100 Mbit/s",
        "≈ 22 ms · 100 Mbit/s",
    ):
        assert text in svg
    assert "stroke-dasharray" in svg


def test_a_topology_without_places_stands_in_columns(tmp_path: Path) -> None:
    def flat(manifest: dict[str, Any]) -> None:
        manifest["topology"]["nodes"] = [{"name": "client", "role": "client"}, {"name": "server", "role": "origin"}]

    def wire(links: dict[str, Any]) -> None:
        links["links"] = [link("client-server", "client", "server", 56.0)]

    svg = _draw(load(save(tmp_path / "run", change=flat, change_links=wire)), "topology")
    assert "56 ms · 100 Mbit/s" in svg


def test_a_crowded_topology_still_fits_its_sheet(tmp_path: Path) -> None:
    def crowd(manifest: dict[str, Any]) -> None:
        manifest["topology"]["nodes"] = [
            {"name": f"edge{n}.az{n}.place-with-a-long-name-{place}", "role": "edge", "place": f"Place number {place}",
             "latitude": place * 7 % 60 - 20, "longitude": place * 41 % 360 - 180}
            for place in range(14) for n in range(1 + place)]  # fmt: skip

    root = ET.fromstring(_draw(load(save(tmp_path / "run", change=crowd)), "topology"))
    width, height = (float(one) for one in root.attrib["viewBox"].split()[2:])
    boxes = [tuple(float(one.attrib[key]) for key in ("x", "y", "width", "height")) for one in root.iter(f"{SVG}rect")]
    assert len(boxes) == 14
    assert all(x >= 0 and y >= 0 and x + w <= width and y + h <= height for x, y, w, h in boxes)


def test_parallel_links_are_labelled_with_their_range() -> None:
    from results.links import parse

    found = parse({"links": [link("one", "a", "b", 20.0), link("two", "a", "b", 60.0)]})
    assert label(found) == "20 ms to 60 ms · 100 Mbit/s (2 links)"


@given(st.lists(st.tuples(st.floats(-60, 70), st.floats(-180, 180)), min_size=2, max_size=6, unique=True))
def test_places_never_overlap(places: list[tuple[float, float]]) -> None:
    boxes = [Box(str(index), 150, 70) for index in range(len(places))]
    height = by_position(boxes, {str(index): place for index, place in enumerate(places)}, 920)
    for index, one in enumerate(boxes):
        edges = (one.x - 75, one.y - 35, one.x + 75, one.y + 35)
        assert edges[0] >= 0
        assert edges[1] >= 0
        assert edges[2] <= 920
        assert edges[3] <= height
        assert not any(other.overlaps(*edges) for other in boxes[index + 1 :])


def test_the_pacific_may_be_the_middle_of_the_map() -> None:
    boxes = [Box("Tokyo", 150, 70), Box("Oregon", 150, 70)]
    by_position(boxes, {"Tokyo": (35.7, 139.7), "Oregon": (45.8, -119.7)}, 920)
    assert boxes[0].x < boxes[1].x


def test_columns_follow_the_distance_from_the_client() -> None:
    boxes = [Box(name, 100, 40) for name in ("server", "router", "client", "island")]
    by_distance(boxes, {"client": {"router"}, "router": {"client", "server"}, "server": {"router"}}, ["client"], 920)
    assert [one.key for one in sorted(boxes, key=lambda box: box.x)] == ["client", "router", "server", "island"]


def test_text_that_would_be_clipped_is_an_error_of_the_drawing() -> None:
    with pytest.raises(ValueError, match="does not fit"):
        Canvas(100).text(60, 20, "far too long for it")


def test_text_is_shortened_to_its_room_and_escaped() -> None:
    assert text_width(fit("a very long name of a very long claim", 100), 13) <= 100
    sheet = Canvas(400)
    sheet.text(0, 20, "<script>&", hint="</title><script>")
    assert "<script>" not in sheet.svg("<b>")
    ET.fromstring(sheet.svg("<b>&\"'"))


@given(st.floats(1e-3, 1e5), st.floats(1.01, 1e3))
def test_ticks_are_round_few_and_on_the_scale(low: float, factor: float) -> None:
    for scale in (Scale(0, low * factor, 0, 300), from_zero([low, low * factor], 0, 300)):
        ticks = scale.ticks()
        assert 2 <= len(ticks) <= 16
        assert all(-0.5 <= scale(value) <= 300.5 for value in ticks)
        assert all(len(tick_text(value)) <= 12 for value in ticks)
