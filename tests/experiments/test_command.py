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


@pytest.mark.parametrize("action", ["build", "run", "shell", "status"])
def test_what_the_vm_does_has_help_with_an_example_each(capsys, action):
    status, out, _ = call(capsys, "vm", action, "--help")
    assert status == 0
    assert f"example:\n  {'sudo ' if action == 'build' else ''}longhaul vm {action}" in out


def test_the_help_lists_every_verb(capsys):
    status, out, _ = call(capsys, "--help")
    assert status == 0
    assert all(re.search(rf"^  {verb} ", out, re.M) for verb in VERBS)


@pytest.mark.parametrize(("argv", "words"), [
    (["rum", "edge-vs-origin"], "did you mean run"),
    (["run", "edge-vs-orgin"], "did you mean edge-vs-origin"),
    (["run", "missing.py"], "there is no such file"),
    (["run", "two_hosts"], "it is a topology"),
    (["verify", "edge-vs-origin"], "it is an experiment"),
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
    (["run", "edge-vs-origin", "--repetitions", "3", "--set", "repetitions=3"], "both --repetitions and --set repetitions="),
    (["run", "edge-vs-origin", "--seed", "1", "--set", "seed=1"], "both --seed and --set seed= are given; give one of them"),
    (["run", "edge-vs-origin", "--set", "changes=virginia-mumbay: loss 1%"], "did you mean virginia-mumbai"),
    (["verify", "two_hosts", "--set", "changes=client-server: rate 0bit"], "rate 0 bit/s is not within"),
    (["verify", "two_hosts", "--set", "changes=client-server: trace /nowhere"], "No such file or directory; check its path"),
    (["exec", "two_hosts", "--set", "schedule=client-server: at 9s up; at 8s down", "client", "--", "true"], "runs backwards"),
    (["shell", "two_hosts", "--set", "schedule=client-server: from 1s to 9s down; at 2s up"], "overlaps"),
    (["exec", "two_hosts", "clint", "--", "true"], "did you mean client"),
    (["exec", "two_hosts", "client", "--"], "no command is given"),
    (["exec", "two_hosts", "client", "ping", "server"], "no -- before the command"),
    (["node", "orign"], "did you mean origin"),
    (["bench", "labb"], "did you mean lab"),
    (["run"], "could not run `longhaul run`: the following arguments are required: EXPERIMENT"),
    (["node"], "could not run `longhaul node`: the following arguments are required: NAME"),
    (["vm", "run", "--cpus", "two"], "could not run `longhaul vm run`: argument --cpus"),
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


@pytest.mark.parametrize("argv", [["list"], ["list", "--json"], ["--help"], ["run", "--help"]])
@pytest.mark.parametrize("where", [">/dev/full", ">&-", "2>&-", "<&-"])
def test_output_that_cannot_be_printed_is_one_line_and_no_traceback(argv, where):
    done = subprocess.run(f"{ROOT / 'longhaul'} {' '.join(argv)} {where}", shell=True, capture_output=True,  # noqa: S602
                          text=True, check=False)  # fmt: skip
    full = where == ">/dev/full"
    said = "longhaul: could not print: No space left on device; free space, or print elsewhere\n"
    assert done.stderr == (said if full else "")
    assert done.returncode == (3 if full else 0)


def test_a_reader_that_goes_away_is_no_error():
    done = subprocess.run(f"{ROOT / 'longhaul'} list --settings | head -1", shell=True, capture_output=True,  # noqa: S602
                          text=True, check=True)  # fmt: skip
    assert done.stdout
    assert "Traceback" not in done.stderr
