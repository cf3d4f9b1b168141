"""How the conformance suite judges: what chance allows, what a figure says, and when a check is made again."""

import math
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom

from topologies.emulator.conformance import chance, figure, suite, table
from topologies.emulator.conformance.bed import Bed
from topologies.emulator.conformance.check import Check, TooSlowError
from topologies.emulator.conformance.checks.queue_full import stumbling
from topologies.emulator.conformance.figure import (
    INSIDE,
    OUTSIDE,
    PUBLISHED,
    TOO_SLOW,
    UNSUPPORTED,
    Figure,
    around,
    count,
    ms,
    none,
)
from topologies.emulator.conformance.softnet import Softnet, standing, waiting
from topologies.emulator.links.backend import UnsupportedError
from topologies.emulator.links.effects.effect import Fate
from topologies.emulator.links.effects.gilbert_elliott import GilbertElliott
from topologies.emulator.links.tolerance import EMULATED, REAL, is_emulated


@given(st.integers(1, 200_000), st.floats(1e-5, 0.99))
def test_the_binomial_interval_leaves_half_a_percent_on_either_side(tries, p):
    low, high = chance.binomial(tries, p)
    assert binom.cdf(low - 1, tries, p) <= 0.005 + 1e-7
    assert binom.cdf(low, tries, p) > 0.005 - 1e-7
    assert binom.sf(high, tries, p) <= 0.005 + 1e-7
    assert binom.sf(high - 1, tries, p) > 0.005 - 1e-7


def test_certain_counts_have_no_interval():
    assert chance.binomial(1000, 0.0) == (0, 0)
    assert chance.binomial(1000, 1.0) == (1000, 1000)


def test_twice_or_half_the_loss_never_fits_the_interval_of_the_table_of_goals():
    for share in (0.001, 0.01, 0.05, 0.2):
        low, high = chance.binomial(100_000, share)
        assert binom.sf(high, 100_000, 2 * share) > 1 - 1e-6
        assert binom.cdf(low - 1, 100_000, share / 2) > 1 - 1e-3


def test_the_interval_of_loss_in_bursts_holds_for_ninety_nine_chains_in_a_hundred():
    model, frames, random = GilbertElliott(0.02, 0.2), 4000, Random(1)
    off, _ = chance.gilbert(frames, model.enter, model.leave)
    misses = 0
    for _ in range(300):
        decide, lost = model.decider(random), 0
        for _ in range(frames):
            fate = Fate()
            decide(fate)
            lost += fate.lost
        misses += abs(lost / frames - model.loss) > off
    assert misses <= 10, "3 are expected; 10 would happen once in 3000 times"


def test_errors_of_mean_and_deviation_hold_for_ninety_nine_samples_in_a_hundred():
    random, means, deviations = Random(2), 0, 0
    for _ in range(400):
        values = [random.uniform(-1, 1) for _ in range(200)]
        off_mean, off_deviation = chance.errors(values)
        mean = math.fsum(values) / 200
        means += abs(mean) > off_mean
        deviations += abs(math.sqrt(math.fsum((v - mean) ** 2 for v in values) / 200) - 1 / math.sqrt(3)) > off_deviation
    assert max(means, deviations) <= 14
    assert chance.errors([5.0, 5.0]) == (0.0, 0.0)


def test_a_percentile_is_one_of_the_values():
    assert chance.percentile([3.0, 1.0, 2.0], 50) == 2.0
    assert chance.percentile(list(range(1, 101)), 99) == 99


def test_a_figure_is_inside_up_to_its_bounds_and_a_value_that_is_no_number_is_outside():
    assert around("median", "76 ms", 76.15, 76, 0.15000001, ms).verdict == INSIDE
    assert around("median", "76 ms", 76.16, 76, 0.15, ms).verdict == OUTSIDE
    assert around("median", "76 ms", math.nan, 76, 0.15, ms).verdict == OUTSIDE
    assert Figure("p99", "", math.nan, None, 1.0, ms).verdict == OUTSIDE
    assert Figure("gaps", "", 0.5, None, None, ms).verdict == PUBLISHED
    assert [none("lost", lost).verdict for lost in (0, 1)] == [INSIDE, OUTSIDE]


def test_an_emulated_processor_is_known_by_its_name_or_by_the_lack_of_a_hypervisors_clock():
    assert is_emulated("vendor_id : AuthenticAMD\nmodel name : QEMU TCG CPU version 2.5+", "QEMU", "tsc hpet acpi_pm")
    assert is_emulated("vendor_id : AuthenticAMD\nmodel name : QEMU Virtual CPU version 2.5+", "QEMU\n", "tsc hpet acpi_pm")
    assert not is_emulated("vendor_id : GenuineIntel\nmodel name : Xeon", "QEMU\n", "kvm-clock tsc")
    assert not is_emulated("vendor_id : GenuineIntel\nmodel name : Xeon", "", "tsc")
    assert not is_emulated("CPU implementer : 0x41", "QEMU", "arch_sys_counter"), "on arm64 nothing tells"


def test_a_tolerance_widens_goals_and_never_narrows_them():
    assert REAL.of_time(0.15, 76) == 0.15
    assert EMULATED.of_time(0.15, 76) == pytest.approx(3.04)
    assert EMULATED.of_time(0.15, 2) == 3.0
    assert EMULATED.of_time(5.0, 76) == 5.0
    assert (REAL.of_rate(0.02), EMULATED.of_rate(0.02)) == (0.02, 0.04)


class Scripted(Check):
    what = "scripted"

    def __init__(self, *answers):
        self.answers = list(answers)

    def measure(self, bed):
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return [Figure("one", "0", answer, 0, 0, count), Figure("other", "-", 1, None, None, count)]


def test_what_was_outside_once_must_be_right_twice_in_a_row_and_says_how_many_attempts_it_took():
    assert [row.attempts for row in suite.rows(Bed(), "kind", Scripted(0))] == [1, 1]
    for answers, verdict, attempts in (
        ((9, 0, 0), INSIDE, 3), ((9, 0, 9, 0, 0), INSIDE, 5), ((9, 9, 9, 0, 0), INSIDE, 5),
        ((9, 0, 9, 9), OUTSIDE, 4), ((9, 9, 9, 9), OUTSIDE, 4), ((9, 9, 9, 0, 9), OUTSIDE, 5),
    ):  # fmt: skip
        scripted = Scripted(*answers)
        (row, _) = suite.rows(Bed(), "kind", scripted)
        assert (row.verdict, row.attempts, scripted.answers) == (verdict, attempts, []), answers
    assert "(attempt 5)" in table.lines([row])
    assert "1 outside" in table.summary([row], 1.0)


def test_with_repetitions_the_median_is_judged_and_the_range_shown():
    runs = [figure.around("rate", "10", value, 10, 1, count) for value in (10, 30, 9, 11, 2)]
    found = figure.middle(runs)
    assert (found.achieved, found.verdict) == (10, INSIDE)
    assert found.note.startswith("5 runs, 2 to 30")
    failed = figure.middle([*runs, figure.around("rate", "10", float("nan"), 10, 1, count)])
    assert failed.verdict == OUTSIDE
    assert figure.middle(runs[:1]) is runs[0]


def test_what_may_not_be_at_all_is_judged_by_its_worst_run_and_nothing_is_tried_again():
    scripted = Scripted(0, 0, 1, 0, 0, 0)
    (row, other) = suite.rows(Bed(), "kind", scripted, repetitions=5)
    assert (row.verdict, row.figure.achieved, len(scripted.answers)) == (OUTSIDE, 1, 1)
    assert other.verdict == "published"


def test_a_run_that_lacks_a_figure_of_the_others_makes_it_outside():
    class Silent(Scripted):
        def measure(self, bed):
            found = super().measure(bed)
            return found[:1] if bed.attempt == 3 else found

    one, other = suite.rows(Bed(), "kind", Silent(*[0] * 5), repetitions=5)
    assert (one.verdict, other.figure.name) == (INSIDE, "other")
    assert math.isnan(other.figure.achieved)


def test_what_was_outside_stays_so_when_another_attempt_cannot_be_made():
    (row, _) = suite.rows(Bed(), "kind", Scripted(9, UnsupportedError("the sender's buffer overflowed")))
    assert row.verdict == OUTSIDE


def test_what_cannot_be_built_is_unsupported_with_the_reason_and_not_tried_again():
    scripted = Scripted(UnsupportedError("this kernel has no CoDel"), 0)
    (row,) = suite.rows(Bed(), "kind", scripted)
    assert (row.verdict, row.reason, len(scripted.answers)) == (UNSUPPORTED, "this kernel has no CoDel", 1)
    assert "unsupported: this kernel has no CoDel" in table.lines([row])
    assert row.as_dict()["verdict"] == "unsupported"


SLOW = TooSlowError("a fifth of the rate")


def test_what_the_machine_was_too_slow_for_is_tried_again_and_then_proves_nothing():
    (row, _) = suite.rows(Bed(), "kind", Scripted(SLOW, 0))
    assert (row.verdict, row.attempts) == (INSIDE, 2)
    (row, _) = suite.rows(Bed(), "kind", Scripted(*[SLOW] * 9, 0))
    assert (row.verdict, row.attempts) == (INSIDE, 10)
    (row,) = suite.rows(Bed(), "kind", Scripted(*[SLOW] * 10))
    assert (row.verdict, row.reason, row.attempts) == (TOO_SLOW, "a fifth of the rate", 10)
    assert "nothing is proved of them here:\n  scripted: a fifth of the rate" in table.summary([row], 1.0)
    (row, _) = suite.rows(Bed(), "kind", Scripted(9, SLOW, 0, SLOW, 9, 9))
    assert (row.verdict, row.attempts) == (OUTSIDE, 6), "what was outside is not excused by a slow machine"


def test_repetitions_that_the_machine_was_too_slow_for_are_made_again_and_excuse_no_other():
    (row, _) = suite.rows(Bed(), "kind", Scripted(0, SLOW, 0, 0), repetitions=3)
    assert (row.verdict, row.figure.note.split(",")[0]) == (INSIDE, "3 runs")
    (row,) = suite.rows(Bed(), "kind", Scripted(0, *[SLOW] * 5), repetitions=3)
    assert row.verdict == TOO_SLOW
    (row, _) = suite.rows(Bed(), "kind", Scripted(9, 9, *[SLOW] * 4), repetitions=3)
    assert row.verdict == OUTSIDE


@pytest.mark.parametrize(("late_ms", "excused"), [
    ([0.0] * 90 + [50.0] * 10, False),
    ([0.0] * 89 + [1.9] * 11, True),
    ([1.7] * 100, False),
    ([40.0], True),
])  # fmt: skip
def test_a_load_that_was_handed_over_late_proves_nothing_of_the_queue(late_ms, excused):
    said = stumbling([late * 1e6 for late in late_ms], 1.8)
    assert bool(said) == excused
    assert ("1.8 ms can be borne" in said) == excused


@pytest.mark.parametrize(("frames", "excused"), [
    ([], False),
    ([0] * 90 + [300] * 10, False),
    ([0] * 89 + [16] * 11, True),
    ([14] * 100, False),
])  # fmt: skip
def test_frames_that_stood_in_the_machine_before_the_link_prove_nothing_of_its_queue(frames, excused):
    said = standing(frames, 0.121, 1.8)
    assert bool(said) == excused
    assert ("1.8 ms can be borne" in said) == excused


def test_waiting_frames_are_counted_over_all_processors_where_the_kernel_tells():
    line = "0004d6f1 00000000 0000000a 00000000 00000000 00000000 00000000 00000000 00000000 00000000 00000000"
    assert waiting(f"{line} 0000012c 00000000\n{line} 00000003 00000001\n") == 303
    assert waiting(f"{line}\n") is None  # older kernels have fewer columns
    with Softnet() as here:
        here.look()
        assert here.waiting == [] or here.waiting[0] >= 0


def test_other_errors_are_not_hidden():
    with pytest.raises(OSError, match="no space"):
        suite.rows(Bed(), "kind", Scripted(OSError("no space")))


@pytest.mark.parametrize("quick", [False, True])
def test_every_file_of_checks_has_some_and_no_two_are_called_alike(quick):
    chosen = suite.found(quick=quick)
    assert {kind for kind, _ in chosen} == set(suite.names())
    assert len({check.what for _, check in chosen}) == len(chosen)


def test_the_values_of_the_table_of_goals_are_all_there():
    whats = " | ".join(check.what for _, check in suite.found())
    for value in ("RTT 2 ms", "RTT 20 ms", "RTT 76 ms", "RTT 201 ms", "RTT 345 ms", "1 Mbit/s, 20 ms", "500 Mbit/s, 150 ms",
                  "1 Gbit/s, 150 ms", "loss 0.1% of 100000", "loss 1% of 100000", "loss 5% of 100000", "loss 20% of 100000",
                  "packets leaving 100 Mbit/s", "packets leaving 1 Gbit/s"):  # fmt: skip
        assert value in whats
