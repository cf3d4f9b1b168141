"""Faults in a running lab under load: they come when they are due, do what they say, and are unmade after the trial."""

import csv

import pytest

from tests.labkit import longhaul, manifest, rows

pytestmark = pytest.mark.lab

FAULTY = '''
"""What do a killed server, a paused one, a cut cable and a slow link do to requests?"""

from experiments.harness.experiment import Experiment
from experiments.harness.generators import COLUMNS
from topologies.open_connect import OpenConnect

FAULTS = {"none": "", "kill": "from 500ms to 1s kill origin1.az1.virginia", "pause": "from 500ms to 1s pause virginia",
          "cut": "from 500ms to 1s cut az1.virginia", "link": "from 500ms to 1s cut virginia-chennai",
          "slow": "from 500ms to 1s slow virginia-chennai delay 60ms"}


class Faulty(Experiment):
    """A client asks an origin 50 times a second for 2 s; from 0.5 s to 1 s something is wrong."""

    topology = OpenConnect
    topology_settings = {"edges": "", "rtt": "Virginia/Chennai=20ms"}
    minutes = 0.2
    columns = COLUMNS

    def question(self):
        return "What breaks?"

    def arms(self):
        return [{"fault": name} for name in FAULTS]

    def start(self, stage):
        stage.origin("origin1.az1.virginia")

    def measure(self, stage, arm, trial):
        load = stage.load({"client1.chennai": "http://origin1.az1.virginia/objects/1KiB/a"}, "--arrivals", "fixed",
                          "--rate", "50/s", "--time", "2s", "--timeout", "5s", faults=FAULTS[arm["fault"]])
        stage.keep("requests", load.rows)
        return load.columns

    def claims(self):
        def claim(name, metric, low, high):
            return {"name": f"{name}, {metric}", "metric": metric, "statistic": "median", "where": {"fault": name},
                    "predicted": low, "low": low, "high": high, "basis": "the fault", "tolerance": "chance"}
        # a request that is lost on a cable comes again after TCP's retransmission timeout, at least 200 ms
        return [claim("none", "failed", 0, 0), claim("none", "max_ms", 20, 60), claim("kill", "failed", 15, 45),
                claim("pause", "failed", 0, 0), claim("pause", "max_ms", 400, 600), claim("cut", "failed", 0, 0),
                claim("cut", "max_ms", 400, 1700), claim("link", "failed", 0, 0), claim("link", "max_ms", 400, 1700),
                # more requests are under way than there were connections: 120 ms to connect, and as much to be answered
                claim("slow", "failed", 0, 0), claim("slow", "max_ms", 239, 290), claim("slow", "p50_ms", 20, 60)]
'''


def test_faults_come_when_they_are_due_and_are_unmade_after_the_trial(tmp_path):
    (tmp_path / "faulty.py").write_text(FAULTY)
    longhaul("run", tmp_path / "faulty.py", "--repetitions", "1", "--set", "warmup=0", "--out", tmp_path / "run", check=0)
    assert manifest(tmp_path / "run")["verdict"]["outcome"] == "holds"
    assert all(row["valid"] == "1" for row in rows(tmp_path / "run"))
    with (tmp_path / "run/series/faults.csv").open() as file:
        done = list(csv.DictReader(file))
    assert {(row["fault"], row["what"]) for row in done} >= {
        ("kill", "origin1.az1.virginia"), ("heal", "virginia-chennai"), ("slow", "virginia-chennai"),
        ("restore", "virginia-chennai"),
    }  # fmt: skip
    assert all(0 <= float(row["done_ms"]) - float(row["due_ms"]) < 20 for row in done)
    with (tmp_path / "run/series/requests.csv").open() as file:
        failed = [float(row["due_ms"]) for row in csv.DictReader(file) if row["error"]]
    assert failed
    assert all(400 < due_ms < 1600 for due_ms in failed), "only what was due while the server was away failed"
