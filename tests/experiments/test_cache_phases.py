"""What a fault did to calls of a cache, from their rows."""

import pytest

from experiments.harness.cache_phases import phase, slices, unsealed
from results.models.lru import zipf


def call(node, op, at_s, ms, source="", ok=True):
    return {"node": node, "op": op, "at_s": at_s, "ms": ms, "source": source, "ok": ok}


CALLS = [call("here", "get", 0.1, 1, "az1"), call("here", "get", 0.2, 3, "az2"), call("here", "get", 0.6, 80, "truth"),
         call("there", "get", 0.7, 1, "az2"), call("here", "put", 0.2, 82), call("here", "put", 0.3, 84),
         call("here", "put", 0.3, 1, ok=False), call("there", "put", 0.3, 2)]  # fmt: skip


def test_a_phase_has_the_reads_and_writes_of_the_zone_and_the_writes_of_the_others():
    found = phase("out", CALLS, "here", "az1")
    assert found["hits_out_fraction"] == pytest.approx(2 / 3)
    assert found["local_out_fraction"] == pytest.approx(1 / 3)
    assert found["truth_out_fraction"] == pytest.approx(1 / 4)
    assert (found["put_out_ms"], found["others_put_out_ms"]) == (83, 2)
    assert 3 < found["p99_out_ms"] <= 80
    nothing = phase("out", [], "here", "az1")
    assert (nothing["p99_out_ms"], nothing["put_out_ms"], nothing["local_out_fraction"]) == (None, None, 0)


def test_slices_are_half_seconds_from_the_fault_on():
    assert [(one["at_s"], one["local_fraction"], one["truth_per_s"]) for one in slices(CALLS, 0.5, "here", "az1")] == [
        (-0.5, 0.5, 0), (0.0, 0, 2),
    ]  # fmt: skip


def test_a_read_meets_a_copy_that_is_not_sealed_by_how_often_its_key_is_written_and_read():
    assert unsealed([1.0], 1e9, 1.0) == pytest.approx(1)
    assert unsealed([1.0], 10, 0.1) == pytest.approx(0.5), "every second renewal"
    assert unsealed(zipf(500, 0.9), 45, 0.0) == 0
    assert unsealed(zipf(500, 0.9), 45, 0.081) == pytest.approx(0.0646, abs=1e-4)
