"""When trials are enough, and what a machine lacks: pure decisions."""

from types import SimpleNamespace

import pytest

from experiments.harness import enough, needs
from experiments.harness.progress import Progress
from experiments.harness.runner import Run
from results.manifest import default_needed

ARMS = [{"path": "a"}, {"path": "b"}]


def row(path, value, valid=1, warmup=0):
    return {"path": path, "valid": valid, "warmup": warmup, "t_ms": value}


def test_an_arm_with_too_few_valid_trials_is_repeated_and_no_other():
    rows = [row("a", 10.0), row("a", 10.1), row("b", 20.0), row("b", 20.0, valid=0), row("b", 20.0, warmup=1)]
    assert enough.lacking(ARMS, rows, 2, {}) == [{"path": "b"}]


def test_an_arm_whose_median_is_not_known_closely_enough_is_repeated():
    rows = [row("a", value) for value in (10.0, 10.1, 10.2, 10.1)] + [row("b", value) for value in (10.0, 14.0, 19.0, 12.0)]
    assert enough.lacking(ARMS, rows, 3, {"t_ms": 0.1}) == [{"path": "b"}]
    assert enough.lacking(ARMS, rows, 3, {"t_ms": 1.0}) == []


@pytest.mark.parametrize(("repetitions", "most", "warns"), [
    (1, 0, True), (4, 0, True), (5, 0, False), (3, 6, False), (3, 3, True),
])  # fmt: skip
def test_a_run_that_may_lose_no_trial_says_so_beforehand(repetitions, most, warns):
    said = enough.none_to_spare(repetitions, most)
    assert ("none may be lost" in said) == warns
    assert (default_needed(repetitions) == repetitions and most <= repetitions) == warns, "as the verdict counts"


def test_two_samples_have_no_interval_and_are_never_enough_for_one():
    assert enough.lacks([row("a", 1.0), row("a", 1.0)], 1, {"t_ms": 0.5})
    assert not enough.lacks([row("a", 1.0)] * 3, 1, {"t_ms": 0.5})


def slots(most, spoilt):
    """The slots of a run whose first trials of arm b are not valid, `spoilt` of them."""
    run = Run(SimpleNamespace(arms=lambda: ARMS, repetitions=2, warmup=0, most_repetitions=most, precise={},
                              side_by_side=1), None, "auto",
              {"seed": 1}, {})  # fmt: skip
    run.rows, found = [], []
    for slot in run._slots(Progress(0)):
        found.append(slot)
        bad = slot.arm["path"] == "b" and sum(one.arm["path"] == "b" for one in found) <= spoilt
        run.rows.append(row(slot.arm["path"], 1.0, valid=int(not bad)))
    return found


def test_the_runner_repeats_until_it_is_enough_or_the_most_is_reached():
    assert len(slots(0, 1)) == len(slots(9, 0)) == 4
    assert [(slot.arm["path"], slot.repetition) for slot in slots(9, 1)[4:]] == [("b", 3)]
    assert [slot.number for slot in slots(9, 2)] == [1, 2, 3, 4, 5, 6]
    assert [slot.repetition for slot in slots(4, 9)[4:]] == [3, 4], "no more than the most"


MACHINE = needs.Machine(lambda name: "" if name != "bbr" else "this kernel has no bbr", 2e9, 2)


@pytest.mark.parametrize(("wanted", "words"), [
    (needs.Needs(("cubic", "bbr")), "this kernel has no bbr"),
    (needs.Needs(rate_bps=3e9), "3 Gbit/s at once are more than the 2 Gbit/s"),
    (needs.Needs(processors=4), "it needs 4 processors and there are 2"),
])  # fmt: skip
def test_what_a_machine_lacks_is_said(wanted, words):
    assert any(words in reason for reason in needs.lacking(wanted, MACHINE))
    assert needs.lacking(needs.Needs(("cubic",), 1e9, 2), MACHINE) == []


def test_a_congestion_control_that_no_kernel_has_is_found_out():
    assert "has no congestion control carrier_pige" in needs.congestion("carrier_pige")
    assert needs.congestion("reno") == ""
