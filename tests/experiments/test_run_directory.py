"""A run directory: never overwritten, never half-written under a name that looks whole."""

import csv
import json
import os
import re
from datetime import UTC, datetime

import pytest

from experiments.harness import rundir
from experiments.harness.rundir import RunDirectory, RunDirectoryError

NOW = datetime(2026, 11, 23, 0, 30, tzinfo=UTC)


@pytest.fixture
def directory(tmp_path):
    return RunDirectory.create("edge-vs-origin", NOW, tmp_path / "run")


def test_its_name_is_the_time_in_utc_and_an_id(tmp_path, monkeypatch):
    monkeypatch.setattr(rundir, "RUNS", tmp_path)
    one, two = (RunDirectory.create("edge-vs-origin", NOW) for _ in range(2))
    assert re.fullmatch(r"20261123T003000Z-[0-9a-f]{6}", one.path.name)
    assert one.path.parent == tmp_path / "edge-vs-origin"
    assert one.path != two.path


def test_a_folder_with_something_in_it_is_refused(directory):
    with pytest.raises(RunDirectoryError, match=r"not empty.*another --out"):
        RunDirectory.create("edge-vs-origin", NOW, directory.path)


def test_it_keeps_the_experiment_and_its_topology_as_they_were_run(directory, tmp_path):
    (tmp_path / "mine.py").write_text("# a question of my own")
    directory.keep([tmp_path / "mine.py"])
    (tmp_path / "mine.py").write_text("# another")
    assert (directory.path / "code" / "mine.py").read_text() == "# a question of my own"


def test_files_of_one_name_in_the_checkout_are_both_kept(directory):
    same = [rundir.ROOT / "experiments" / "__init__.py", rundir.ROOT / "topologies" / "__init__.py"]
    directory.keep(same)
    for file in same:
        assert (directory.path / "code" / file.relative_to(rundir.ROOT)).read_bytes() == file.read_bytes()


def test_json_is_whole_or_absent(directory, monkeypatch):
    directory.write_json("manifest.json", {"ended": None})

    def full(*_args, **_more):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pathlib.Path.write_text", full)
    with pytest.raises(RunDirectoryError, match=r"could not write .*manifest.json: No space left on device; free space"):
        directory.write_json("manifest.json", {"ended": "now"})
    monkeypatch.undo()
    assert json.loads((directory.path / "manifest.json").read_text()) == {"ended": None}


def test_rows_are_whole_lines_with_one_header(directory):
    for number in (1, 2):
        directory.add_row(["trial", "reason"], {"trial": number, "reason": 'said "no, not now"\nand left'})
    rows = list(csv.DictReader((directory.path / "trials.csv").open(newline="")))
    assert [row["trial"] for row in rows] == ["1", "2"]
    assert rows[0]["reason"] == 'said "no, not now"\nand left'


def test_a_place_that_cannot_be_written_is_said(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(RunDirectoryError, match="could not make"):
        RunDirectory.create("edge-vs-origin", NOW, tmp_path / "file" / "run")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_the_run_belongs_to_who_called_through_sudo(directory, monkeypatch):
    monkeypatch.setenv("SUDO_UID", "65534")
    monkeypatch.setenv("SUDO_GID", "65534")
    directory.write_json("manifest.json", {})
    directory.give_to_caller()
    assert {path.stat().st_uid for path in [directory.path, *directory.path.rglob("*")]} == {65534}
