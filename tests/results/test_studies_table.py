"""Studies: published numbers as data, claims about pairs, what is shown and not judged, and the table."""

from __future__ import annotations

import json
import random
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import pytest

from results import published, studies
from results.figures.registry import NothingToDraw, find
from results.figures.xy import quantity
from results.judge import Verdict, judge
from results.published import PublishedError
from results.rundir import Run, load
from tests.results.runs import save

ABOUT = {"claim": "A cache is nearer.", "source": "a paper", "headline": "saved", "mode": "full"}


def _claim(name: str, metric: str = "total_ms", **more: Any) -> dict[str, Any]:
    return {"name": name, "metric": metric, "where": {"path": "direct", "size": "16 KiB"}, "predicted": 680.0, "low": 600.0,
            "high": 760.0, "basis": "a paper (read)", "tolerance": "12 %", **more}  # fmt: skip


def _run(path: Path, *claims: dict[str, Any], judged: bool = True, change_rows: Any = None, mode: str = "full") -> Run:
    def change(told: dict[str, Any]) -> None:
        told["claims"] = list(claims)
        told["study"] = {**ABOUT, "mode": mode}

    run = load(save(path, change=change, change_rows=change_rows))
    if judged:
        told = json.loads((path / "manifest.json").read_text())
        (path / "manifest.json").write_text(json.dumps({**told, "verdict": judge(run).as_dict()}))
    return run


def test_a_difference_is_taken_repetition_by_repetition(tmp_path: Path) -> None:
    """What drifts alike in both arms drops out, where the difference of two medians would keep it."""

    def drift(rows: list[dict[str, Any]]) -> None:
        noise = random.Random(5)
        for repetition in range(11):
            common = noise.uniform(0, 300)
            for row in rows:
                if row["repetition"] == repetition:
                    row["total_ms"] = common + (500.0 if row["path"] == "direct" else 100.0)

    minus = {"path": "warm", "size": "16 KiB"}
    verdict = judge(_run(tmp_path / "run", _claim("saved", minus=minus, low=399.0, high=401.0), change_rows=drift))
    assert (verdict.outcome, verdict.claims[0].measured and verdict.claims[0].measured.value) == ("holds", pytest.approx(400.0))


def test_a_trial_without_its_pair_is_left_out(tmp_path: Path) -> None:
    def spoil(rows: list[dict[str, Any]]) -> None:
        for row in rows:
            if row["path"] == "warm" and row["repetition"] in (1, 2):
                row["valid"] = 0

    verdict = judge(_run(tmp_path / "run", _claim("saved", minus={"path": "warm", "size": "16 KiB"}), change_rows=spoil))
    assert verdict.claims[0].measured is not None
    assert verdict.claims[0].measured.n == 8


def test_what_is_not_comparable_is_shown_with_the_reason_and_decides_nothing(tmp_path: Path) -> None:
    why = "paper and re-run disagree"
    verdict: Verdict = judge(_run(tmp_path / "run", _claim("total"), _claim("odd", low=1.0, high=2.0, incomparable=why)))
    assert verdict.outcome == "holds"
    assert [one.outcome for one in verdict.claims] == ["inside", "not comparable"]
    assert any(why in reason for reason in verdict.reasons)
    alone = judge(_run(tmp_path / "alone", _claim("odd", low=None, high=None, incomparable=why)))
    assert alone.outcome == "holds"
    assert "no claim to judge" in alone.reasons[0]


def test_the_table_has_the_latest_finished_run_of_the_mode(tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    _run(runs / "near" / "20260101T000000Z-a", _claim("saved"), _claim("odd", incomparable="other settings"))
    _run(runs / "near" / "20260102T000000Z-b", _claim("saved", low=1.0, high=2.0), mode="quick")
    _run(runs / "near" / "20260103T000000Z-c", _claim("saved"), judged=False)
    full = studies.row(runs, "near", "claim", "source", ("full",))
    assert full.run.endswith("-a")
    assert full.headline is not None
    assert (full.headline.paper, full.headline.outcome) == ("680.0 ms", "inside")
    quick = studies.row(runs, "near", "claim", "source", ("quick",))
    assert (quick.verdict, quick.score) == ("fails", "fails (0 of 1 inside), quick")
    assert studies.row(runs, "far", "claim", "source", ("full",)).verdict == "not run"
    stopped = runs / "near" / "20260104T000000Z-d" / "manifest.json"
    _run(stopped.parent, _claim("saved"))
    stopped.write_text(json.dumps({**json.loads(stopped.read_text()), "interrupted": True}))
    assert studies.row(runs, "near", "claim", "source", ("full",)).run.endswith("-a")
    distrusted = runs / "near" / "20260105T000000Z-e" / "manifest.json"
    _run(distrusted.parent, _claim("saved"))
    verdict = {**json.loads(distrusted.read_text())["verdict"], "outcome": "invalid"}
    distrusted.write_text(json.dumps({**json.loads(distrusted.read_text()), "verdict": verdict}))
    invalid = studies.row(runs, "near", "claim", "source", ("full",))
    assert (invalid.score, invalid.headline, invalid.values) == ("invalid", None, [])
    printed = studies.text([full, quick, studies.StudyRow("far", "claim", "source")])
    assert "sudo longhaul run far" in printed
    assert "saved: paper 680.0 ms, ours" in printed
    assert studies.markdown([full]).count("\n") == 2


def test_a_value_that_was_judged_stands_for_all_where_the_usual_one_was_not(tmp_path: Path) -> None:
    for name, claims in (("one", ("first", "second")), ("none", ())):
        _run(tmp_path / name / "20260101T000000Z-a", _claim("saved", incomparable="other settings"), *map(_claim, claims))
    found = [studies.row(tmp_path, name, "claim", "source", ("full",)).headline for name in ("one", "none")]
    assert [one and one.name for one in found] == ["first", "saved"]


@pytest.mark.parametrize("name", sorted(path.stem for path in Path(published.__file__).parent.glob("*.toml")))
def test_every_published_file_can_be_read_and_says_where_its_numbers_are_from(name: str) -> None:
    found = published.read(name)
    assert len(found.source) > 10
    assert found.value
    for value in found.value:
        assert value.low is None or value.high is None or value.low < value.high


@pytest.mark.parametrize(("text", "words"), [
    ("source = 'a'\n[[value]]\nwhere = {}\nmetric = 'x'\n", "either a band"),
    ("source = 'a'\n[[value]]\nwhere = {}\nmetric = 'x'\nlow = 1\n", "does not say where its band is from"),
    ("source = 'a'\n[[value]]\nwhere = {}\nmetric = 'x'\nhow = 'guessed'\n", "how is 'guessed'"),
    ("source = 'a'\n[[value]]\nwhere = {}\nmetrics = 'x'\n", "metrics"),
    ("title = 'a'\n", "title"),
    ("source =", "Invalid value"),
])  # fmt: skip
def test_a_published_file_that_is_wrong_is_named(tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "wrong.toml").write_text(text)
    with pytest.raises(PublishedError, match=words):
        published.read("wrong", tmp_path)


@pytest.mark.parametrize(("level", "found"), [
    ("0.1%", (0.1, "%")), ("100ms", (100.0, "ms")), ("2s", (2000.0, "ms")), ("10mbit", (10.0, "Mbit/s")),
    ("64KiB", (64.0, "KiB")), ("7", (7.0, "")), ("1e-3", (1e-3, "")),
])  # fmt: skip
def test_levels_are_quantities(level: str, found: tuple[float, str]) -> None:
    assert quantity(level) == (pytest.approx(found[0]), found[1])
    with pytest.raises(ValueError, match="is no quantity"):
        quantity("cubic")


def test_ours_stand_over_the_published_every_trial_a_dot(tmp_path: Path) -> None:
    run = _run(tmp_path / "run", _claim("total"))
    request = {"metric": "total_ms", "x": "size", "by": "path", "log": "xy",
               "published": {"direct": [["16 KiB", 450.0], ["4 MiB", 2500.0]]}}  # fmt: skip
    root = ET.fromstring(find("xy")(run, request, judge(run)))
    dots = list(root.iter("{http://www.w3.org/2000/svg}circle"))
    assert len(dots) == 10 * 3 * 3 + 2
    assert sum("stroke-width" in dot.attrib["style"] for dot in dots) == 2


def test_samples_in_time_are_of_the_first_trial_that_counts(tmp_path: Path) -> None:
    run = _run(tmp_path / "run", _claim("total"))
    request = {"name": "flows", "x": "t_s", "y": "goodput_mbps", "by": "path", "lines": "flow", "where": {"size": "16 KiB"}}
    with pytest.raises(NothingToDraw, match="no trial left a series flows"):
        find("series")(run, request, judge(run))
    trials = {row.text("trial"): row for row in run.trials}
    lines = ["trial,flow,t_s,goodput_mbps"]
    lines += [f"{trial},{flow},{t / 10},{5 + t % 3}" for trial in trials for flow in ("one", "two") for t in range(900)]
    (run.path / "series").mkdir()
    (run.path / "series" / "flows.csv").write_text("\n".join(lines) + "\n")
    svg = find("series")(run, request, judge(run))
    first = next(trial for trial in run.trials if trial.counts and trial.matches({"path": "direct", "size": "16 KiB"}))
    assert f"(trial {first.text('trial')})" in svg
    paths = [one.attrib["d"] for one in ET.fromstring(svg).iter("{http://www.w3.org/2000/svg}path")]
    assert len(paths) == 6
    assert all(200 < path.count("L") < 400 for path in paths), "thinned, evenly"
