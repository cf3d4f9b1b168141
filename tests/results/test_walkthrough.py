"""The walk-through of a run directory with pandas: it runs as it stands, and finds what the verdict was made of."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from results import judge, rundir
from tests.results import runs

SCRIPT = Path(__file__).parents[2] / "docs" / "walkthrough.py"


def walk(folder):
    done = subprocess.run([sys.executable, SCRIPT, folder], capture_output=True, text=True, check=False, cwd="/")
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_it_finds_the_claims_as_the_verdict_does(tmp_path):
    folder = runs.save(tmp_path / "run", change_rows=lambda rows: rows[20].update(valid=0, reason="late"))
    (folder / "series").mkdir()
    (folder / "series" / "rate.csv").write_text("trial,at_s,goodput_mbps\n1,0,9\n1,1,10\n")
    said = walk(folder)
    assert "rate.csv: 2 rows of at_s, goodput_mbps" in said
    assert "99 trials, 9 of them warm-ups; 89 count" in said
    assert "set aside: 1 (late)" in said
    for one in judge.judge(rundir.load(folder)).claims:
        line = next(line for line in said.splitlines() if one.claim.name in line and ("True" in line or "False" in line))
        assert line.endswith("True") == (one.outcome == "inside")
        assert float(line.split()[-2]) == pytest.approx(one.measured.value, abs=0.001)


def test_a_claim_that_fails_shows(tmp_path):
    folder = runs.save(tmp_path / "run", change=lambda manifest: manifest["claims"][0].update(low=1, high=2))
    assert len(re.findall(r"False$", walk(folder), re.M)) >= 1
