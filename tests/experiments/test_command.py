"""The command line: help with examples, errors in one line, exit statuses. None of these needs a lab."""

import json
import re
import subprocess
from pathlib import Path

import pytest

from experiments.harness import cli

ROOT = Path(__file__).parents[2]
VERBS = ("bench", "doctor", "exec", "list", "node", "report", "run", "shell", "test", "verify")


def call(capsys, *argv):
    try:
        status = cli.main(list(argv))
    except SystemExit as stop:
        status = stop.code
    out, err = capsys.readouterr()
    return status, out, err


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_help_with_an_example(capsys, verb):
    status, out, _ = call(capsys, verb, "--help")
    assert status == 0
    assert "example:" in out
    assert f"longhaul {verb}" in out


def test_the_help_lists_every_verb(capsys):
    status, out, _ = call(capsys, "--help")
    assert status == 0
    assert all(re.search(rf"^  {verb} ", out, re.M) for verb in VERBS)


@pytest.mark.parametrize(("argv", "words"), [
    (["rum", "edge-vs-origin"], "did you mean run"),
    (["run", "edge-vs-orgin"], "did you mean edge-vs-origin"),
    (["run", "missing.py"], "there is no such file"),
    (["verify", "two_host"], "did you mean two_hosts"),
    (["verify", "two_hosts", "--set", "rtt"], "is not NAME=VALUE"),
    (["verify", "two_hosts", "--set", "rtt=76"], "has no unit"),
    (["verify", "two_hosts", "--set", "rt=76ms"], "did you mean rtt"),
    (["verify", "two_hosts", "--set", "rtt=1ms", "--set", "rtt=2ms"], "given twice"),
    (["verify", "two_hosts", "--set", "rtt=-76ms"], "cannot be negative"),
    (["run", "edge-vs-origin", "--set", "edges=Mumbia"], "did you mean Mumbai"),
    (["run", "edge-vs-origin", "--set", "edges="], "has no edge"),
    (["run", "edge-vs-origin", "--set", "sizes=16"], "has no unit"),
    (["run", "edge-vs-origin", "--repetitions", "0"], "whole number from 1"),
    (["run", "edge-vs-origin", "--seed", "-1"], "whole number from 0"),
    (["exec", "two_hosts", "clint", "--", "true"], "did you mean client"),
    (["exec", "two_hosts", "client", "--"], "no command is given"),
    (["exec", "two_hosts", "client", "ping", "server"], "no -- before the command"),
    (["node", "orign"], "did you mean origin"),
    (["bench", "labb"], "did you mean lab"),
    (["run"], "required: EXPERIMENT"),
    (["run", "edge-vs-origin", "--link", "foo"], "invalid choice: 'foo'"),
    (["run", "edge-vs-origin", "--colour"], "unrecognized arguments"),
    (["verify", "open_connect", "--set", "clients="], "name one"),
    (["verify", "dumbbell", "--set", "rtts=1"], "has no unit"),
    (["report", "/nowhere"], "there is no such directory"),
])  # fmt: skip
def test_wrong_usage_is_one_line_that_says_what_would_be_right(capsys, argv, words):
    status, _, err = call(capsys, *argv)
    assert status == 2
    assert re.fullmatch(r"longhaul: could not .+: .+; .+\n", err), err
    assert words in err


def test_list_shows_everything_there_is_as_text_and_as_json(capsys):
    _, out, _ = call(capsys, "list")
    _, text, _ = call(capsys, "list", "--json")
    found = json.loads(text)
    assert {entry["name"] for entry in found["topologies"]} >= {"two_hosts", "dumbbell", "open_connect"}
    assert {entry["name"] for entry in found["experiments"]} >= {"edge-vs-origin", "new-vs-warm-connection"}
    assert all(entry["name"] in out for kind in found.values() for entry in kind)


def test_an_experiment_of_ones_own_stands_anywhere(capsys, tmp_path):
    (tmp_path / "broken.py").write_text("from experiments.harness.experiment import Experimental\n")
    (tmp_path / "empty.py").write_text("x = 1\n")
    assert "mend the file" in call(capsys, "run", str(tmp_path / "broken.py"))[2]
    assert "it defines 0 classes" in call(capsys, "run", str(tmp_path / "empty.py"))[2]


@pytest.mark.parametrize("manifest", [None, "", "{", "[]", '{"format": "longhaul-run/9"}'])
def test_a_broken_run_directory_is_an_error_and_stays_as_it_was(capsys, tmp_path, manifest):
    if manifest is not None:
        (tmp_path / "manifest.json").write_text(manifest)
    status, _, err = call(capsys, "report", str(tmp_path))
    assert status == 2
    assert err.startswith(f"longhaul: could not read {tmp_path}")
    assert not (tmp_path / "report.html").exists()


def test_a_reader_that_goes_away_is_no_error():
    done = subprocess.run(f"{ROOT / 'longhaul'} list --settings | head -1", shell=True, capture_output=True,  # noqa: S602
                          text=True, check=True)  # fmt: skip
    assert done.stdout
    assert "Traceback" not in done.stderr
