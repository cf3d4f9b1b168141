"""`longhaul vm` as its user meets it: the errors before a guest, then real guests under QEMU. They are slow under TCG."""

import json
import os
import pty
import select
import shutil
import subprocess
import sys
import time
import uuid
from pathlib import Path

import pytest

from experiments.harness.vm import build, cache
from experiments.harness.vm.errors import VmError, VmUnsupportedError
from tests.labkit import LONGHAUL, ROOT, longhaul, wait_until

guest = [pytest.mark.slow, pytest.mark.lab,
         pytest.mark.skipif(os.geteuid() != 0, reason="only root can make the image")]  # fmt: skip


def harness(*arguments, **more):
    """The command without its installer: what it says on a machine that lacks something."""
    command = [sys.executable, "-P", "-m", "experiments.harness", "vm", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False, **more)


def without(tmp_path, *tools):
    """The environment with a PATH on which nothing but `tools` is found, and an empty cache."""
    (tmp_path / "bin").mkdir()
    for tool in tools:
        (tmp_path / "bin" / tool).symlink_to(shutil.which(tool))
    return {"PATH": str(tmp_path / "bin"), "XDG_CACHE_HOME": str(tmp_path), "PYTHONPATH": str(ROOT), "HOME": str(tmp_path)}


def test_without_qemu_a_run_says_what_to_install(tmp_path):
    done = harness("run", "--", "true", env=without(tmp_path))
    assert done.returncode == 127
    assert done.stderr.startswith("longhaul: could not run in the VM: qemu-system-")
    assert done.stderr.endswith(" is missing; run: sudo ./provision.sh --vm\n")


def test_without_mmdebstrap_a_build_says_what_to_install(tmp_path):
    done = harness("build", env=without(tmp_path, "mke2fs", "unshare", "apt-get"))
    assert done.returncode == 127
    assert done.stderr == "longhaul: could not build the image: mmdebstrap missing; run: sudo ./provision.sh --vm\n"


def test_status_says_what_is_not_here(tmp_path):
    done = harness("status", "--json", env=without(tmp_path))
    found = json.loads(done.stdout)
    assert done.returncode == 127
    assert (found["image"], found["qemu"]) == (None, None)
    assert "sudo ./longhaul vm build" in harness("status", env=os.environ | {"XDG_CACHE_HOME": str(tmp_path)}).stdout


def test_a_disk_that_is_too_full_is_said_before_anything_is_made(tmp_path, monkeypatch):
    monkeypatch.setattr(build.os, "geteuid", lambda: 0)
    monkeypatch.setattr(build.shutil, "which", lambda tool: tool)
    monkeypatch.setattr(build.shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(1, 1, 1 << 30))
    with pytest.raises(VmUnsupportedError, match=r"has 1 GiB free, 4 GiB are needed; free space"):
        build.build(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["lock"]


def test_a_build_that_fails_leaves_no_image_and_shows_why(tmp_path, monkeypatch):
    monkeypatch.setattr(build.os, "geteuid", lambda: 0)
    monkeypatch.setattr(build.shutil, "which", lambda tool: tool)
    monkeypatch.setattr(build, "bound", lambda command: ["sh", "-c", "echo longhaul: a step; echo E: no space left; exit 3"])
    with pytest.raises(VmError, match=r"could not build the image: unshare failed; .*\n  longhaul: a step\n  E: no space left"):
        build.build(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["lock"]


def test_installing_alone_starts_nothing():
    done = subprocess.run([LONGHAUL, "--install"], capture_output=True, text=True, timeout=300, check=False)
    assert (done.returncode, done.stdout) == (0, "")


@pytest.mark.parametrize(("arguments", "why"), [
    (["run"], "no command is given"),
    (["run", "--memory", "2", "--", "true"], "has no unit"),
    (["run", "--memory", "1MiB", "--", "true"], "--memory is at least 256 MiB"),
    (["run", "--cpus", "0", "--", "true"], "--cpus at least 1"),
    (["run", "--timeout", "0s", "--", "true"], "--timeout above 0s"),
    (["run", "--bring", "/etc", "--", "true"], "could not bring back '/etc'"),
    (["shell"], "standard input is no terminal"),
    (["fly"], "invalid choice"),
    ([], "required: ACTION"),
])  # fmt: skip
def test_a_request_that_makes_no_sense_is_refused_at_once(arguments, why):
    done = harness(*arguments, stdin=subprocess.DEVNULL)
    assert (done.returncode, why in done.stderr, done.stderr.count("\n")) == (2, True, 1), done.stderr


@pytest.fixture(scope="module")
def image():
    longhaul("vm", "build", check=0)


@pytest.mark.usefixtures("image")
class TestGuest:
    pytestmark = guest

    def test_streams_and_status_are_the_commands_own(self):
        done = longhaul("vm", "run", "--", "sh", "-c", "echo out; echo e >/dev/stderr; exit 7", check=7)
        assert (done.stdout, done.stderr) == ("out\n", "e\n")

    def test_bytes_go_in_and_come_out_unchanged_and_what_is_left_running_ends(self, tmp_path):
        (tmp_path / "in").write_bytes(os.urandom(2_000_000))
        with (tmp_path / "in").open("rb") as given:
            command = [LONGHAUL, "vm", "run", "--", "sh", "-c", "sleep 1000 & cat"]
            done = subprocess.run(command, stdin=given, capture_output=True, timeout=120, check=False)
        assert (done.returncode, done.stderr) == (0, b"")
        assert done.stdout == (tmp_path / "in").read_bytes()

    def test_the_checkout_is_inside_and_results_come_back(self):
        name = f"vm-{uuid.uuid4().hex}"
        untracked = ROOT / f"{name}.txt"
        run = ROOT / "results" / "runs" / name
        untracked.write_text("sent")
        try:
            new = f"results/runs/{name}"
            script = f"pwd; mkdir -p {new}; cat {name}.txt >{new}/a; echo changed >{name}.txt; exit 5"
            done = longhaul("vm", "run", "--bring", f"{name}.txt", "--bring", "nowhere", "--", "sh", "-c", script)
            assert (done.returncode, done.stdout) == (5, "/longhaul\n")
            assert done.stderr == "longhaul: could not bring back nowhere: the guest has no such file; check the path\n"
            assert (run / "a").read_text() == "sent"
            assert untracked.read_text() == "changed\n"
        finally:
            untracked.unlink()
            shutil.rmtree(run, ignore_errors=True)

    def test_the_guest_has_netem_no_network_and_what_provision_installs(self):
        script = "tc qdisc add dev lo root netem delay 1ms; ./provision.sh --check; ip -br link | wc -l; mount | grep -c devpts"
        done = longhaul("vm", "run", "--", "sh", "-c", script, check=0)
        assert (done.stdout.split(), done.stderr) == (["1", "1"], "")

    def test_a_lab_is_built_by_netem(self):
        done = longhaul("vm", "run", "--", "./longhaul", "verify", "two_hosts", "--link", "netem")
        assert done.returncode in (0, 3), done.stderr  # how exact an emulated processor is, is for `verify --all` to say
        assert "links by netem" in done.stdout

    def test_a_kernel_that_panics_is_an_error_with_its_last_words(self):
        done = longhaul("vm", "run", "--", "sh", "-c", "echo c >/proc/sysrq-trigger")
        assert done.returncode == 1
        assert done.stderr.startswith("longhaul: could not run in the VM: the guest ended before the command did; ")
        assert "Kernel panic" in done.stderr

    def test_a_timeout_ends_it(self):
        done = longhaul("vm", "run", "--timeout", "10s", "--", "sleep", "1000")
        assert done.returncode == 1
        assert "the command did not end within 10 s" in done.stderr

    def test_memory_that_runs_out_is_said(self):
        hungry = "x = [bytearray(10 << 20) for _ in range(100)]"
        done = longhaul("vm", "run", "--memory", "512MiB", "--", "python3", "-c", hungry)
        assert done.returncode == 137
        assert "the guest ran out of memory (512 MiB); give more with --memory" in done.stderr

    def test_the_shell_is_a_terminal_and_gives_its_status(self):
        pid, terminal = pty.fork()
        if pid == 0:
            os.execv(LONGHAUL, [LONGHAUL, "vm", "shell"])
        seen, until = b"", time.monotonic() + 60
        while b"longhaul# " not in seen and time.monotonic() < until:
            seen += os.read(terminal, 4096) if select.select([terminal], [], [], 1)[0] else b""
        os.write(terminal, b"test -t 0 && echo is''terminal; exit 5\r")
        status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        seen += os.read(terminal, 4096)
        assert (status, b"isterminal" in seen) == (5, True), seen

    def test_an_ordinary_user_can_run_what_root_has_built(self, tmp_path):
        (tmp_path / "longhaul" / "vm").mkdir(parents=True)
        image = build.current(cache.folder()).path
        subprocess.run(["cp", "-r", "--sparse=always", str(image), str(tmp_path / "longhaul/vm/image")], check=True)
        for path in (tmp_path, *tmp_path.parents):
            if path.owner() == "root" and path != Path("/"):
                path.chmod(path.stat().st_mode | 0o055)
        nobody = ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups", "env", f"XDG_CACHE_HOME={tmp_path}"]
        done = subprocess.run([*nobody, LONGHAUL, "vm", "run", "--accel", "tcg", "--", "id", "-u"], cwd=ROOT, timeout=120,
                              capture_output=True, text=True, check=False)  # fmt: skip
        assert (done.returncode, done.stdout) == (0, "0\n"), done.stderr

    def test_a_build_that_is_killed_leaves_no_process_no_mount_and_no_image(self, tmp_path):
        environment = {**os.environ, "XDG_CACHE_HOME": str(tmp_path)}
        command = subprocess.Popen([LONGHAUL, "vm", "build"], env=environment, stderr=subprocess.DEVNULL)
        where = tmp_path / "longhaul" / "vm"
        assert wait_until(lambda: list(where.glob(f"{cache.BUILDING}*/root/usr/bin")), 60)
        command.kill()
        command.wait()
        assert wait_until(lambda: not _processes(str(tmp_path)))
        assert str(tmp_path) not in Path("/proc/mounts").read_text()
        assert cache.images(where) == []


def _processes(words):
    found = []
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdecimal() and words in (entry / "cmdline").read_text():
                found.append(entry.name)
        except OSError:
            continue
    return found
