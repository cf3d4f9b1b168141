"""What the machine did during a run: from its own counters, read twice."""

import pytest

from experiments.harness import machine
from experiments.harness.machine import PRESSURE, Reading

BEGAN = Reading(stolen_ticks=100, ticks=10_000, waited_us=5_000_000, at_ns=0)


def test_steal_and_pressure_are_shares_of_the_time_between_two_readings():
    found = Reading(stolen_ticks=160, ticks=11_000, waited_us=5_250_000, at_ns=10**9).since(BEGAN)
    assert found == {"steal_fraction": 0.06, "pressure_fraction": 0.25, "pressure_source": PRESSURE}


def test_a_kernel_that_keeps_no_pressure_is_said_not_taken_for_none():
    found = Reading(stolen_ticks=100, ticks=11_000, waited_us=None, at_ns=10**9).since(BEGAN)
    assert found["steal_fraction"] == 0
    assert found["pressure_fraction"] is None
    assert "CONFIG_PSI" in found["pressure_source"]


@pytest.mark.parametrize(("share", "trusted"), [(0.0, True), (0.05, True), (0.051, False), (0.4, False)])
def test_more_than_a_twentieth_of_the_processors_stolen_is_no_measurement(share, trusted):
    said = machine.stolen({"steal_fraction": share})
    assert (said == []) is trusted
    assert trusted or f"took {share:.1%} of the CPU time" in said[0]
