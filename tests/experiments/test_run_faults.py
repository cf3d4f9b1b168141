"""What becomes of a run when something breaks, is changed under it, or is missing: invalid, named, and nothing lost."""

import os
import re
import signal
import subprocess
import time

import pytest

from tests.labkit import LONGHAUL, ROOT, below, longhaul, manifest, rows, start, wait_until

pytestmark = pytest.mark.lab


def test_ctrl_c_keeps_what_is_done_and_says_so(tmp_path):
    out = tmp_path / "run"
    process = start(out, "new-vs-warm-connection")
    assert wait_until(lambda: len(rows(out)) >= 3, 20)
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does it: to everyone in the foreground
    said, errors = process.communicate(timeout=8)
    assert process.returncode == 130
    assert "killed" not in said, "what was to go on was interrupted too"
    assert "did not stop" not in said
    assert "what is done is kept" in errors
    assert "interrupted after" in said
    assert manifest(out)["interrupted"]
    assert len(rows(out)) >= 3
    assert (out / "report.html").exists()


def test_an_interrupted_run_goes_on_where_it_was_and_only_as_it_was_begun(tmp_path):
    out = tmp_path / "run"
    process = start(out, "new-vs-warm-connection", "--repetitions", "4")
    assert wait_until(lambda: len(rows(out)) >= 5, 20)
    busy = longhaul("run", "new-vs-warm-connection", "--repetitions", "4", "--resume", out, check=2)
    assert "the run still goes on" in busy.stderr
    os.killpg(process.pid, signal.SIGINT)
    process.communicate(timeout=8)
    before = rows(out)
    refused = longhaul("run", "new-vs-warm-connection", "--repetitions", "4", "--set", "size=65KB", "--resume", out, check=2)
    assert 'settings size was "64KB" and is "65KB" now; go on as it began: longhaul run' in refused.stderr
    done = longhaul("run", "new-vs-warm-connection", "--repetitions", "4", "--resume", out)
    assert done.returncode in (0, 3), done.stdout + done.stderr
    after = rows(out)
    assert after[: len(before)] == before, "what was measured is kept"
    again = {row["trial"] for row in before if row["warmup"] == "1"}
    assert len([row for row in after if row["warmup"] == "1"]) == 2 * len(again), "the new daemons are warmed up too"
    assert sorted(row["repetition"] for row in after if row["warmup"] == "0") == [str(n) for n in (1, 2, 3, 4) for _ in "ab"]
    assert [int(row["order"]) for row in after] == list(range(1, len(after) + 1))
    (part,) = manifest(out)["parts"]
    assert (part["trials"], part["links_after"], manifest(out)["interrupted"]) == (len(before), True, False)
    assert (out / "links.1.json").exists()
    assert "went on later in a new lab" in (out / "report.html").read_text()
    finished = longhaul("run", "new-vs-warm-connection", "--repetitions", "4", "--resume", out, check=2)
    assert "could not go on with" in finished.stderr


LYING = """
from dataclasses import replace
from topologies.two_hosts import TwoHosts
from experiments.new_vs_warm_connection import NewVsWarmConnection

class Lying(TwoHosts):
    def _plan(self):
        super()._plan()  # the links are built from this; what is said of them comes after
        self.links_info = [replace(link, spec=self.shaped(link.name, self.rtt + 4, self.rate)) for link in self.links_info]
"""


def test_links_that_are_not_as_specified_stop_every_verb_with_3(tmp_path):
    (tmp_path / "lying.py").write_text(LYING)
    asked = LYING + "\nclass Asked(NewVsWarmConnection):\n    topology = Lying\n"
    (tmp_path / "asked.py").write_text(asked)
    done = longhaul("verify", tmp_path / "lying.py", check=3)
    assert "is due" in done.stdout
    done = longhaul("exec", tmp_path / "lying.py", "client", "--", "touch", tmp_path / "ran", check=3)
    assert "could not trust the lab" in done.stderr
    assert not (tmp_path / "ran").exists()
    done = longhaul("run", tmp_path / "asked.py", "--out", tmp_path / "run", check=3)
    assert "verdict: invalid" in done.stdout
    assert rows(tmp_path / "run") == [], "no trial is measured over a wrong link"


def test_a_relay_that_does_not_run_for_a_moment_is_noticed(tmp_path):
    out = tmp_path / "run"
    process = start(out, "new-vs-warm-connection", "--repetitions", "3")
    relay = below(process, ["relay.worker"])
    while process.poll() is None:
        try:
            os.kill(relay, signal.SIGSTOP)
            time.sleep(0.03)
            os.kill(relay, signal.SIGCONT)
        except ProcessLookupError:
            break
        time.sleep(0.1)
    said, errors = process.communicate(timeout=60)
    assert process.returncode == 3, said + errors
    spoilt = [row["reason"] for row in rows(out) if row["valid"] == "0"]
    assert spoilt
    assert all("late" in reason or "stood still" in reason or "handshake" in reason for reason in spoilt)


def test_what_is_changed_in_a_node_during_a_run_makes_it_invalid(tmp_path):
    out = tmp_path / "run"
    process = start(out, "new-vs-warm-connection", "--repetitions", "3")
    server = below(process, ["mininet:server"])
    subprocess.run(["nsenter", "-t", str(server), "-n", "ip", "link", "set", "eth0", "mtu", "1000"], check=True)
    said, _ = process.communicate(timeout=60)
    assert process.returncode == 3, said
    assert "server eth0 was changed during the run" in said


@pytest.mark.parametrize(("victim", "words"), [
    (["nodes.origin"], "nodes.origin on server ended with status -9"),
    (["relay.worker"], "could not go on without the links: the relay process was killed by signal 9"),
    (["nodes.client"], "nodes.client on client"),
])  # fmt: skip
def test_a_part_that_dies_makes_the_run_invalid_and_is_named(tmp_path, victim, words):
    out = tmp_path / "run"
    process = start(out, "new-vs-warm-connection")
    os.kill(below(process, victim), signal.SIGKILL)
    said, errors = process.communicate(timeout=60)
    assert process.returncode == 3, said + errors
    assert "verdict: invalid" in said
    assert words in said
    assert "Traceback" not in said + errors


def test_a_run_whose_relay_dies_ends_at_once_whatever_it_waits_for(tmp_path):
    out = tmp_path / "run"
    process = start(out, "new-vs-warm-connection", "--set", "rtt=1s", "--repetitions", "1")  # a trial takes seconds
    time.sleep(0.5)  # the next one has begun
    os.kill(below(process, ["relay.worker"]), signal.SIGKILL)
    began = time.monotonic()
    said, errors = process.communicate(timeout=60)
    assert time.monotonic() - began < 3
    assert process.returncode == 3, said + errors
    assert "did not stop" not in said, "what could not finish without links is no finding"


IN_A_NODE = ("exec", "two_hosts", "client", "--", "sh", "-c", "echo is up; exec sleep 60")


@pytest.mark.parametrize("verb", [IN_A_NODE, ("shell", "two_hosts")], ids=["exec", "shell"])
def test_a_command_and_a_shell_end_with_3_when_the_relay_dies(verb):
    piped = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
    process = subprocess.Popen([LONGHAUL, *verb], **piped, text=True)
    if verb[0] == "shell":
        process.stdin.write("client echo is up\n")
        process.stdin.flush()
    assert process.stdout.readline() == "is up\n"
    os.kill(below(process, ["relay.worker"]), signal.SIGKILL)
    began = time.monotonic()
    status = process.wait(30)  # while its standard input stays open: it waits for a command
    assert time.monotonic() - began < 3
    assert status == 3
    said = "longhaul: could not go on without the links: the relay process was killed by signal 9; run it again\n"
    assert process.communicate()[1] == said


@pytest.mark.parametrize("to_all", [False, True])
def test_sigterm_keeps_what_is_done_as_ctrl_c_does(tmp_path, to_all):
    out = tmp_path / "run"
    process = start(out, "new-vs-warm-connection")
    assert wait_until(lambda: len(rows(out)) >= 3, 20)
    (os.killpg if to_all else os.kill)(process.pid, signal.SIGTERM)
    said, errors = process.communicate(timeout=15)
    assert process.returncode == 130, said + errors
    assert "interrupted after" in said
    assert manifest(out)["interrupted"]
    assert manifest(out)["ended"]
    assert (out / "report.html").exists()


def test_sigterm_reaches_the_command_in_a_node():
    process = subprocess.Popen([LONGHAUL, *IN_A_NODE], stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "is up\n"
    process.terminate()
    assert process.wait(10) == 128 + signal.SIGTERM


def test_output_that_cannot_be_printed_costs_no_run_and_no_traceback(tmp_path):
    with open("/dev/full", "w") as full:
        done = subprocess.run([LONGHAUL, "run", "new-vs-warm-connection", "--repetitions", "3", "--out", tmp_path / "run"],
                              stdout=full, stderr=subprocess.PIPE, text=True, timeout=60, check=False)  # fmt: skip
    assert "Traceback" not in done.stderr
    assert "longhaul: could not print: No space left on device" in done.stderr
    assert manifest(tmp_path / "run")["verdict"]["outcome"] == {0: "holds", 3: "invalid"}[done.returncode]


def test_a_full_disk_is_one_line_and_nothing_looks_whole(tmp_path):
    if os.geteuid() != 0:
        pytest.skip("only root can mount a small disk")
    script = f"mount -t tmpfs -o size=400k none {tmp_path} && exec {LONGHAUL} run edge-vs-origin --out {tmp_path}/run"
    done = subprocess.run(["unshare", "-m", "sh", "-c", script], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 3, done.stdout + done.stderr
    assert re.search(r"longhaul: could not write .*: No space left on device; free space", done.stderr), done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(("hide", "words"), [
    ("mount -t tmpfs none /dev/net", "could not open /dev/net/tun: No such file"),
    ("chmod 000 /proc/self/cwd; PATH=/nowhere", "mnexec"),
])  # fmt: skip
def test_what_the_machine_lacks_is_unsupported_and_says_what_to_do(tmp_path, hide, words):
    if os.geteuid() != 0:
        pytest.skip("only root can hide a device")
    hide = hide.rpartition("; ")[2]
    done = subprocess.run(["unshare", "-m", "/bin/sh", "-c", f"{hide}; export PATH; exec {ROOT}/.venv/bin/python -P -m "
                           "experiments.harness verify two_hosts --link relay"], capture_output=True, text=True,
                          timeout=60, check=False, env={**os.environ, "PYTHONPATH": str(ROOT)})  # fmt: skip
    assert done.returncode == 127, done.stdout + done.stderr
    assert words in done.stderr
    assert re.match(r"longhaul: could not .*; ", done.stderr), done.stderr
