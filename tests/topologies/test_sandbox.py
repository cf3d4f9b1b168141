"""The sandbox: whatever happens to the command, the kernel removes all of the lab and the machine is as it was."""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from experiments.harness.status import status_of
from tests.labkit import LONGHAUL, ROOT, descendants, in_sandbox, longhaul, machine, namespaces, wait_until
from topologies.emulator import sandbox

pytestmark = pytest.mark.lab


def test_the_lab_sees_only_itself():
    found = in_sandbox(lambda: {
        "interfaces": os.listdir("/proc/self/net/dev_snmp6"), "processes": [p for p in os.listdir("/proc") if p.isdecimal()],
        "pid": os.getpid(),
    })  # fmt: skip
    assert found["interfaces"] == ["lo"]
    assert found["pid"] == 2
    assert len(found["processes"]) <= 3


def test_the_status_is_the_labs_own_and_a_signal_is_128_plus_its_number():
    assert sandbox.run(lambda: 7) == 7
    assert sandbox.run(lambda: os.kill(os.getpid(), signal.SIGKILL) or 0) == 137


def test_an_exception_in_the_lab_does_not_unwind_into_the_caller(capfd):
    def lab():
        raise ZeroDivisionError

    before = os.getpid()
    assert sandbox.run(lab) == 70
    assert os.getpid() == before
    assert "ZeroDivisionError" in capfd.readouterr().err


@pytest.mark.parametrize(("uid", "words"), [
    (1000, r"could not make a user namespace for the lab: Operation not permitted; run it with sudo"),
    (0, r"could not make namespaces for the lab: Operation not permitted; run it on a machine"),
])  # fmt: skip
def test_forbidden_namespaces_are_said_with_what_to_do(monkeypatch, uid, words):
    def refuse(name, *_arguments):
        raise OSError(1, "Operation not permitted", name)

    monkeypatch.setattr(sandbox, "_call", refuse)
    monkeypatch.setattr(sandbox.os, "geteuid", lambda: uid)
    with pytest.raises(sandbox.SandboxError, match=words) as caught:
        sandbox.run(lambda: 0)
    assert status_of(caught.value) == 127


def test_orphans_are_reaped_and_end_with_the_lab():
    def lab():
        subprocess.run(["sh", "-c", "sleep 1000 & sleep 0.01 & exit 0"], check=True)
        time.sleep(0.1)
        pids = [p for p in os.listdir("/proc") if p.isdecimal()]
        states = [Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] for pid in pids]
        return {"states": states}

    assert "Z" not in in_sandbox(lab)["states"]
    assert not [pid for pid in descendants(os.getpid()) if "sleep" in Path(f"/proc/{pid}/comm").read_text()]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_a_signal_that_can_be_caught_interrupts_the_lab_which_may_clean_up(tmp_path, number):
    script = (
        "import sys, time, os; sys.path.insert(0, sys.argv[1])\n"
        "from topologies.emulator import sandbox\n"
        "def lab():\n"
        "    try:\n        open(sys.argv[2] + '/up', 'w').close(); time.sleep(60)\n"
        "    except KeyboardInterrupt:\n        open(sys.argv[2] + '/cleaned', 'w').close(); return 5\n"
        "    return 0\n"
        "sys.exit(sandbox.run(lab))\n"
    )
    process = subprocess.Popen([sys.executable, "-c", script, str(ROOT), str(tmp_path)], start_new_session=True)
    assert wait_until((tmp_path / "up").exists)
    if number == signal.SIGINT:
        os.killpg(process.pid, number)  # as the terminal does it: to everyone at once
    else:
        process.send_signal(number)
    assert process.wait(5) == 5
    assert (tmp_path / "cleaned").exists()


def test_kill_9_at_ten_random_moments_leaves_nothing(tmp_path):
    before = machine()
    chance = random.Random(20261123)
    own = os.readlink("/proc/self/ns/net")
    for turn in range(5):  # two at a time
        runs = [subprocess.Popen([LONGHAUL, "run", "new-vs-warm-connection", "--out", str(tmp_path / f"run{2 * turn + one}")],
                                 stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) for one in range(2)]  # fmt: skip
        waits = sorted(chance.uniform(0.2, 4.0) for _ in runs)
        for process, wait_s in zip(runs, (waits[0], waits[1] - waits[0]), strict=True):
            time.sleep(wait_s)
            below = descendants(process.pid)
            process.kill()
            process.wait(5)
            assert wait_until(lambda pids=below: not any(Path(f"/proc/{pid}").exists() for pid in pids)), "processes are left"
            assert namespaces(below) <= {own}
    assert machine() == before
    left = {path.name for path in tmp_path.iterdir()} - {f"run{attempt}" for attempt in range(10)}
    assert not left, "files outside the run directories"


def test_what_a_killed_run_leaves_does_not_look_whole(tmp_path):
    out = tmp_path / "run"
    process = subprocess.Popen([LONGHAUL, "run", "new-vs-warm-connection", "--out", str(out)],
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)  # fmt: skip
    assert wait_until((out / "trials.csv").exists, 20)
    process.kill()
    process.wait(5)
    assert not (out / "report.html").exists()
    done = longhaul("report", out, check=3)
    assert "the run was cut off before it ended" in done.stdout
