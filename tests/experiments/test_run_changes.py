"""Links that are changed while a lab runs: by an experiment, by a schedule, from the shell; with packets over real links."""

import json
import re
import subprocess

import pytest

from tests.labkit import LONGHAUL, longhaul, manifest, rows

pytestmark = pytest.mark.lab

CHANGING = '''
"""Does a slower line make a fetch longer?"""

from experiments.harness.experiment import Experiment, predicted, within
from nodes.origin.generate import sha256
from topologies.two_hosts import TwoHosts

SIZE = 65536


class Changing(Experiment):
    """Each arm has a link of its own: made before the trial, undone after it."""

    topology = TwoHosts
    topology_settings = {"rtt": "40ms"}
    minutes = 0.1
    lines = {"as built": "", "slow": "rate 5mbit", "near": "delay 5ms"}

    def question(self):
        return "Does it matter?"

    def captures(self):
        return ("client", "server")

    def arms(self):
        return [{"line": line} for line in self.lines]

    def start(self, stage):
        stage.origin("server")

    def prepare(self, stage, arm, trial):
        if self.lines[arm["line"]]:
            stage.lab.change("client-server", self.lines[arm["line"]])

    def measure(self, stage, arm, trial):
        return stage.fetch("client", f"http://server/objects/{SIZE}B/thing", sha256=sha256("thing", SIZE).hex())

    def claims(self):
        worlds = {line: self.world.changed(f"client-server: {words}" if words else "") for line, words in self.lines.items()}
        return [within(line, "total_ms", {"line": line}, predicted(world, "client", "server", SIZE).total_ms, 0.05, 3, "model")
                for line, world in worlds.items()]
'''


def links_of(run):
    return json.loads((run / "links.json").read_text())


@pytest.fixture(scope="module")
def changing(tmp_path_factory):
    """A run whose arms differ in their link."""
    folder = tmp_path_factory.mktemp("changing")
    (folder / "changing.py").write_text(CHANGING)
    longhaul("run", folder / "changing.py", "--repetitions", "3", "--set", "warmup=0", "--out", folder / "run", check=0)
    return folder


def test_arms_may_differ_in_their_links_and_predictions_follow(changing):
    run = changing / "run"
    medians = {line: sorted(float(row["total_ms"]) for row in rows(run) if row["line"] == line)[1]
               for line in ("as built", "slow", "near")}  # fmt: skip
    assert medians["near"] < medians["as built"] < medians["slow"]
    assert manifest(run)["verdict"]["outcome"] == "holds", "each is as predicted, and each handshake as its link was then"


def test_what_was_changed_in_which_trial_is_written_down_and_undone(changing):
    found = links_of(changing / "run")
    slow = [row["trial"] for row in rows(changing / "run") if row["line"] == "slow"]
    assert [str(one["trial"]) for one in found["changes"] if "rate 5mbit" in one["a_to_b"]] == slow
    assert all(one["planned_ms"] is None and one["done_ms"] < 0 for one in found["changes"]), "before the measurement"
    (link,) = found["links"]
    assert link["after"]["rtt_ms"]["median"] == pytest.approx(40, abs=1), "the end is as the beginning"


def test_what_start_changes_stays_for_all_trials_and_is_written_down(tmp_path):
    begun = 'stage.origin("server")\n        stage.lab.change("client-server", "delay 30ms")'
    (tmp_path / "changing.py").write_text(CHANGING.replace('stage.origin("server")', begun))
    longhaul("run", tmp_path / "changing.py", "--repetitions", "2", "--set", "warmup=0", "--out", tmp_path / "run")
    found = links_of(tmp_path / "run")
    assert [one["a_to_b"].split()[1] for one in found["changes"] if one["trial"] == 0] == ["30ms"]
    connected = [float(row["connect_ms"]) for row in rows(tmp_path / "run") if row["line"] == "as built"]
    assert connected == pytest.approx([60, 60], abs=2)
    assert found["links"][0]["after"]["rtt_ms"]["median"] == pytest.approx(40, abs=1)


def test_a_schedule_counts_from_the_start_of_each_trial_and_is_its_evidence(changing, tmp_path):
    run = tmp_path / "run"
    longhaul("run", changing / "changing.py", "--repetitions", "2", "--out", run, "--set",
             "schedule=client-server: at 0s delay 30ms; from 100ms to 300ms down; at 1h loss 1%")  # fmt: skip
    # The first trial starts the client, too; one that the machine disturbed is set aside by the run as well.
    table, found = [row for row in rows(run) if row["warmup"] == "0" and row["valid"] == "1"], links_of(run)
    assert table
    assert all(float(row["connect_ms"]) == pytest.approx(60, abs=2) for row in table)
    assert all(float(row["total_ms"]) > 300 for row in table), "nothing passed while the link was down"
    assert not [row["reason"] for row in table if "handshake" in row["reason"]], "each was held to the delay of its time"
    counted = {row["trial"] for row in table}
    planned = [one for one in found["changes"] if one["planned_ms"] is not None and str(one["trial"]) in counted]
    states = [(one["planned_ms"], one["a_to_b"].rpartition(" ")[2]) for one in planned]
    assert states == [(0, "up"), (100, "down"), (300, "up")] * len(table)
    assert all(abs(one["done_ms"] - one["planned_ms"]) < 1 for one in planned)
    assert any("from 3600 s on were never reached" in words for words in manifest(run)["topology"]["warnings"])


def test_a_command_runs_under_the_schedule():
    schedule = "schedule=client-server: at 1s delay 50ms"
    out = longhaul("exec", "two_hosts", "--set", "rtt=20ms", "--set", schedule, "client", "--", "ping",
                   "-c", "4", "-i", "0.5", "server", check=0).stdout  # fmt: skip
    times_ms = [float(time) for time in re.findall(r"time=([\d.]+)", out)]
    assert times_ms[:2] == pytest.approx([20, 20], abs=2)
    assert times_ms[3] == pytest.approx(100, abs=2)


SCRIPT = """link client server
link client server rate 10mbit delay 20ms
link client > server loss 1%
client ping -c 2 -i 0.2 server
link nobody server loss 1%
link client server rate 0bit
link client-server down
client ping -c 1 -W 1 server
link client-server up
link client > server loss 0%
client ping -c 1 -W 1 server
link client-server
"""


def test_the_shell_changes_links_shows_them_and_goes_on_after_an_error():
    done = subprocess.run([LONGHAUL, "shell", "two_hosts", "--set", "rtt=10ms"], input=SCRIPT, capture_output=True, text=True,
                          timeout=60, check=False)  # fmt: skip
    assert done.returncode == 1, "two lines were refused"
    assert "client > server: delay 5ms rate 100mbit queue 125000B up" in done.stdout
    assert "1 packets transmitted, 0 received" in done.stdout, "while it was down"
    assert "1 packets transmitted, 1 received" in done.stdout
    assert done.stdout.rstrip().endswith("server > client: delay 20ms rate 10mbit queue 125000B up")
    assert "longhaul>" not in done.stdout, "a script needs no prompt"
    first, second = done.stderr.strip().splitlines()
    assert first.startswith("longhaul: line 5: could not find link 'nobody-server'")
    assert second.startswith("longhaul: line 6: could not change link client-server: ")
    assert "rate 0 bit/s is not within 1 kbit/s and 100 Gbit/s" in second
    assert second.endswith("; it stays as it was")


def test_changes_and_traces_of_the_command_line_reach_the_links(tmp_path):
    (tmp_path / "trace").write_text("".join(f"{ms}\n" for ms in range(1, 101)))  # 12 Mbit/s
    out = longhaul("exec", "two_hosts", "--set", f"changes=server>client: delay 100ms | client>server: trace {tmp_path}/trace",
                   "client", "--", "ping", "-c", "3", "-i", "0.2", "server", check=0).stdout  # fmt: skip
    assert [float(time) for time in re.findall(r"time=([\d.]+)", out)] == pytest.approx([140.5] * 3, abs=2)
