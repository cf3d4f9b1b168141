"""Reading a run directory: whatever is wrong with it is one error that says what and what to do."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from results.rundir import RunError, load
from tests.results.runs import save


def test_a_whole_run_is_read(tmp_path: Path) -> None:
    run = load(save(tmp_path / "run"))
    assert len(run.trials) == 99
    assert run.arms()[0] == {"path": "direct", "size": "16 KiB"}
    assert len(run.arms()) == 9
    assert len(run.sample("total_ms", {"path": "warm", "size": "4 MiB"})) == 10
    assert [link.rtt_ms for link in run.links] == [201, 22, 0]


def _refused(path: Path, *words: str) -> None:
    with pytest.raises(RunError) as caught:
        load(path)
    text = str(caught.value)
    assert text.startswith(f"could not read {path}: ")
    assert "; " in text
    for word in words:
        assert word in text


def test_a_place_that_is_no_run(tmp_path: Path) -> None:
    _refused(tmp_path / "none", "no such directory", "longhaul run")
    _refused(tmp_path, "no manifest.json")
    (tmp_path / "file").write_text("")
    _refused(tmp_path / "file", "not a directory")


@pytest.mark.parametrize("name", ["manifest.json", "links.json", "trials.csv"])
def test_a_missing_file(tmp_path: Path, name: str) -> None:
    path = save(tmp_path / "run")
    (path / name).unlink()
    _refused(path, f"it has no {name}")


@pytest.mark.parametrize("name", ["manifest.json", "links.json", "trials.csv"])
def test_a_file_cut_off_anywhere_is_refused_or_whole(tmp_path: Path, name: str) -> None:
    path = save(tmp_path / "run")
    whole = (path / name).read_bytes()
    for cut in range(0, len(whole) - 3, len(whole) // 40):
        (path / name).write_bytes(whole[:cut])
        if name == "trials.csv" and (whole[:cut].endswith(b"\n") or whole[cut : cut + 1] in b"\r\n"):
            continue  # a table that ends after a whole row is a table; the count of trials tells
        _refused(path, name)


@pytest.mark.parametrize("name", ["manifest.json", "links.json", "trials.csv"])
def test_garbage(tmp_path: Path, name: str) -> None:
    path = save(tmp_path / "run")
    (path / name).write_bytes(b"\xff\xfe\x00garbage")
    _refused(path, name, "not text")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda m: m.update(format="longhaul-run/9"), ["longhaul-run/9", "longhaul-run/1"]),
        (lambda m: m.pop("format"), ["format is None"]),
        (lambda m: m.pop("run_id"), ["run_id is missing"]),
        (lambda m: m["experiment"].pop("question"), ["experiment.question is missing"]),
        (lambda m: m.update(repetitions="ten"), ["repetitions is 'ten'", "whole number"]),
        (lambda m: m.update(factors="path"), ["factors is 'path', not a list"]),
        (lambda m: m["claims"][0].update(low=None, high=None), ["claims[0]", "neither low nor high"]),
        (lambda m: m["claims"][0].update(low=9, high=1), ["low 9.0 above high 1.0"]),
        (lambda m: m["claims"][0].update(high=float("inf")), ["claims[0].high", "finite"]),
        (lambda m: m["claims"][0].update(statistic="average"), ["'average'", "median"]),
        (lambda m: m["claims"][1].update(metric="warp_ms"), ["lacks the column warp_ms", "claim 'first byte"]),
        (lambda m: m["claims"][1].update(where={"planet": "Mars"}), ["lacks the column planet"]),
        (lambda m: m.update(factors=["path", "colour"]), ["lacks the column colour", "factor"]),
        (lambda m: m["answer"]["values"].update(x={"ratio": ["warm", "nobody"]}), ["answer.values.x.ratio"]),
        (lambda m: m["answer"]["values"].update(x={"ratio": ["times", "warm"]}), ["no ratios"]),
        (lambda m: m.update(machine="fast"), ["machine is 'fast', not an object"]),
        (lambda m: m["topology"].update(nodes=[{"role": "edge"}]), ["topology.nodes[0].name is missing"]),
        (lambda m: m["topology"]["nodes"][0].update(latitude="north"), ["nodes[0].latitude is 'north'"]),
    ],
)
def test_a_manifest_not_as_the_schema_says(tmp_path: Path, change: Callable[[dict[str, Any]], None], words: list[str]) -> None:
    _refused(save(tmp_path / "run", change=change), *words)


@pytest.mark.parametrize("raw", [[], "text", 3, None])
def test_a_manifest_that_is_another_thing(tmp_path: Path, raw: object) -> None:
    path = save(tmp_path / "run")
    (path / "manifest.json").write_text(json.dumps(raw))
    _refused(path, "manifest")
    (path / "manifest.json").write_text(json.dumps({"format": "longhaul-run/1"}))
    _refused(path, "missing")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda found: found.pop("links"), ["no list of links"]),
        (lambda found: found["links"][0].pop("ok"), ["link 0 lacks ok"]),
        (lambda found: found["links"].append("veth"), ["link 3 is 'veth'"]),
        (lambda found: found["links"][0]["specified"].update(rtt_ms="201"), ["specified.rtt_ms is '201'"]),
        (lambda found: found["links"][0]["before"]["rtt_ms"].update(median="x"), ["before.rtt_ms.median"]),
        (lambda found: found["links"][0].update(reasons="slow"), ["reasons is not a list"]),
    ],
)
def test_links_not_as_the_schema_says(tmp_path: Path, change: Callable[[dict[str, Any]], None], words: list[str]) -> None:
    _refused(save(tmp_path / "run", change_links=change), *words)


@pytest.mark.parametrize("column", ["trial", "warmup", "valid", "ok", "reason", "path"])
def test_a_column_that_is_not_there(tmp_path: Path, column: str) -> None:
    def drop(rows: list[dict[str, Any]]) -> None:
        for row in rows:
            del row[column]

    _refused(save(tmp_path / "run", change_rows=drop), f"lacks the column {column}")


def test_a_flag_that_is_neither_yes_nor_no(tmp_path: Path) -> None:
    _refused(save(tmp_path / "run", change_rows=lambda rows: rows[4].update(valid="maybe")), "row 6", "'maybe' as valid")


@pytest.mark.parametrize("text", ["fast", "nan", "inf", "1,5"])
def test_a_time_that_is_no_number_names_its_row(tmp_path: Path, text: str) -> None:
    run = load(save(tmp_path / "run", change_rows=lambda rows: rows[20].update(total_ms=text)))
    with pytest.raises(RunError, match=r"row 22 of trials.csv has '.*' as total_ms"):
        [run.sample("total_ms", arm) for arm in run.arms()]
