"""The experiments on balancing in real labs, short. With LONGHAUL_EXPERIMENTS set, all of them as they are."""

import os

import pytest

from tests.labkit import longhaul, manifest

pytestmark = pytest.mark.lab

ALL = "LONGHAUL_EXPERIMENTS" in os.environ


def test_a_crowd_costs_the_origin_one_fetch_for_each_site(tmp_path):
    longhaul("run", "flash-crowd", "--set", "crowd=40", "--repetitions", "1", "--set", "warmup=0", "--out", tmp_path / "run",
             check=0)  # fmt: skip
    assert manifest(tmp_path / "run")["verdict"]["outcome"] == "holds"


@pytest.mark.slow
@pytest.mark.skipif(not ALL, reason="minutes: set LONGHAUL_EXPERIMENTS")
@pytest.mark.parametrize("name", ["node-failure", "zone-outage", "flash-crowd", "zone-rules", "balancers"])
def test_what_is_claimed_of_balancing_holds(tmp_path, name):
    longhaul("run", name, "--repetitions", "1", "--out", tmp_path / "run", check=0)
