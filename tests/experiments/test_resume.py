"""An interrupted run that goes on: when it may, what is left of it, and what of its files is kept."""

import csv
import json

import pytest

from experiments.harness import machine
from experiments.harness.order import schedule
from experiments.harness.resume import Earlier, again, finished, refusal
from experiments.harness.rundir import OutError, RunDirectory, whole_rows
from experiments.harness.series import Series, keep_only
from tests.results import runs

ARMS = [{"state": "new"}, {"state": "warm"}]
SLOTS = schedule(ARMS, 3, 1, seed=7)


def now(**changes):
    return runs.manifest() | {"code": {"digest": "d1", "revision": "r1"}, "warmup": 1} | changes


def earlier(done=4, **changes):
    return Earlier(now(ended=None, command="longhaul run x", **changes), {},
                   {slot.number: [dict(slot.arm)] for slot in SLOTS[:done]})  # fmt: skip


def test_a_run_that_was_cut_off_or_interrupted_may_go_on():
    assert refusal(earlier(), now(), SLOTS) == ""
    interrupted = Earlier(now(interrupted=True), {}, {})
    assert refusal(interrupted, now(), SLOTS) == ""


@pytest.mark.parametrize(("before", "words"), [
    ({"ended": "t", "interrupted": False}, "it is finished"),
    ({"ended": "t", "interrupted": False, "invalid": ["the relay died"]}, "it ended by itself (the relay died)"),
    ({"seed": 2}, "seed was 2 and is 1 now; go on as it began: longhaul run x --resume RUN"),
    ({"settings": {"clients": "3"}}, 'settings clients was "3" and is "1" now'),
    ({"code": {"digest": "d0", "revision": "r0"}}, "the code has changed since (revision r0 then, r1 now)"),
    ({"machine": {**runs.manifest()["machine"], "cpus": 4}}, "machine is another: cpus was 4 and is 2 now"),
    ({"claims": [{**runs.manifest()["claims"][0], "high": 1}, *runs.manifest()["claims"][1:]]}, "claims 1 high was 1 and is"),
])  # fmt: skip
def test_it_may_not_where_it_would_be_another_run(before, words):
    found = Earlier(now(**({"ended": None, "command": "longhaul run x"} | before)), {}, {})
    assert words in refusal(found, now(), SLOTS)


def test_rows_of_another_order_are_refused():
    swapped = Earlier(now(ended=None), {}, {1: [dict(SLOTS[1].arm)]})
    assert "trial 1 in trials.csv is of another arm" in refusal(swapped, now(), SLOTS)


def test_the_warm_ups_that_were_done_come_again_beyond_all_other_numbers():
    found = again(SLOTS, {1, 2, 3}, 40)
    assert [(slot.number, slot.warmup, slot.arm) for slot in found] == [(41, True, SLOTS[0].arm), (42, True, SLOTS[1].arm)]
    assert [slot.number for slot in again(SLOTS, {1, 2, 3, 41, 42}, 40)] == [43, 44]
    assert again(SLOTS, {1}, 8)[0].arm == SLOTS[0].arm
    assert again(SLOTS, set(), 8) == []


def test_a_trial_of_several_rows_is_finished_when_all_of_them_are_there():
    rows = [{"trial": "1", "warmup": "0", "valid": "1"}, {"trial": "1", "warmup": "0", "valid": "0"},
            {"trial": "2", "warmup": "0", "valid": "1"}]  # fmt: skip
    assert finished(rows, 2) == {1: [{"trial": "1", "warmup": 0, "valid": 1}, {"trial": "1", "warmup": 0, "valid": 0}]}


def test_a_part_says_how_it_ended():
    assert earlier(started="a").parts()[0]["links_after"] is False
    second = earlier(done=6, started="a", resumed="b", parts=[{"trials": 4, "duration_s": None}]).parts()[1]
    assert (second["began"], second["trials"]) == ("b", 2)


def test_a_row_that_was_cut_off_is_left_out_even_within_quotes():
    whole = 'trial,reason\n1,"said ""no,\nnot now"""\n'
    assert whole_rows(whole) == (["trial", "reason"], [["1", 'said "no,\nnot now"']])
    for cut in ('2,"late', "2", '2,"a\nb'):
        assert whole_rows(whole + cut) == whole_rows(whole)
    assert whole_rows("tri") == ([], [])


@pytest.fixture
def directory(tmp_path):
    runs.save(tmp_path / "run", repetitions=1)
    return tmp_path / "run"


def test_reopening_keeps_whole_rows_and_drops_those_of_the_trial_that_was_cut_off(directory):
    before = (directory / "trials.csv").read_text()
    (directory / "trials.csv").write_text(before + "99,1,")
    series = Series(directory / "series")
    for trial in (1, 2):
        series.add("rate", trial, [{"at_s": 0, "mbps": trial}])
    with (directory / "series" / "rate.csv").open("a") as file:
        file.write("2,1")
    found = RunDirectory.reopen(directory)
    assert (directory / "trials.csv").read_text() == before.replace("\r\n", "\n")
    keep_only(found, {1})
    assert [row["trial"] for row in found.rows()] == ["1"]
    assert (directory / "series" / "rate.csv").read_text() == "trial,at_s,mbps\n1,0,1\n"
    assert (directory / "links.1.json").read_text() == (directory / "links.json").read_text()
    Series(directory / "series").add("rate", 2, [{"at_s": 0, "mbps": 5}])
    found.add_row([], {"trial": 7})
    assert list(csv.DictReader((directory / "trials.csv").open(newline="")))[-1]["trial"] == "7"


def test_a_run_that_still_goes_on_and_what_is_no_run_are_refused(directory, tmp_path):
    held = RunDirectory.reopen(directory)
    assert held.run_id == json.loads((directory / "manifest.json").read_text())["run_id"]
    with pytest.raises(OutError, match="the run still goes on"):
        RunDirectory.reopen(directory)
    with pytest.raises(OutError, match=r"could not go on with .*nowhere: No such file"):
        RunDirectory.reopen(tmp_path / "nowhere")


def test_the_digest_is_of_what_measures_and_of_nothing_else(tmp_path):
    for name in ("units.py", "nodes/edge/main.py", "experiments/harness/run.py", "results/judge.py", "experiments/mine.py"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("1")
    first = machine.digest(tmp_path, [tmp_path / "experiments/mine.py"])
    for name, changes in (("results/judge.py", False), ("nodes/edge/main.py", True), ("experiments/mine.py", True)):
        (tmp_path / name).write_text("2")
        assert (machine.digest(tmp_path, [tmp_path / "experiments/mine.py"]) != first) == changes, name
        (tmp_path / name).write_text("1")
