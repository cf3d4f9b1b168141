"""What tests of labs share: a function run inside a sandbox, and a look at the machine from outside."""

import csv
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

from topologies.emulator import sandbox

ROOT = Path(__file__).parents[1]
LONGHAUL = str(ROOT / "longhaul")


def in_sandbox(work):
    """What `work()` returns, as JSON, from inside a new sandbox."""
    reading, writing = os.pipe()

    def lab():
        os.write(writing, json.dumps(work()).encode())
        return 0

    status = sandbox.run(lab)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        text = pipe.read()
    assert status == 0, f"the sandbox ended with status {status}"
    return json.loads(text)


INVALID = 3
ATTEMPTS = 3


def longhaul(*arguments, check=None, **more):
    """Run the command; its status, output and errors. With `check`, its status must be that.

    Invalid (3) where something else is due means that the machine was disturbed, which is no finding about the code: it is
    tried again. Three times in a row is a finding.
    """
    for attempt in range(ATTEMPTS):
        command = [LONGHAUL, *map(str, arguments)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False, **more)
        if done.returncode != INVALID or check in (None, INVALID) or attempt == ATTEMPTS - 1:
            break
        if "--out" in arguments:
            shutil.rmtree(arguments[arguments.index("--out") + 1])
    if check is not None:
        assert done.returncode == check, f"status {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done


def machine():
    """What a lab could leave behind: interfaces, mounts, network namespaces and sysctls of the machine itself."""
    links = subprocess.run(["ip", "-o", "link"], capture_output=True, text=True, check=True).stdout
    routes = subprocess.run(["ip", "route", "show", "table", "all"], capture_output=True, text=True, check=True).stdout
    return {
        "interfaces": sorted(line.split(":")[1].strip() for line in links.splitlines()),
        "routes": routes,
        "mounts": Path("/proc/self/mountinfo").read_text(),
        "sysctls": {name: Path(f"/proc/sys/{name}").read_text() for name in
                    ("net/ipv4/ip_forward", "fs/file-max", "net/core/netdev_max_backlog", "net/ipv4/tcp_rmem",
                     "net/ipv4/neigh/default/gc_thresh3", "net/ipv6/conf/all/disable_ipv6")},
        "hosts": Path("/etc/hosts").read_text(),
    }  # fmt: skip


def descendants(pid):
    """Every process below `pid`, by the kernel's own table."""
    children = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            try:
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            children.setdefault(int(fields[1]), []).append(int(entry.name))
    found, todo = [], [pid]
    while todo:
        below = children.get(todo.pop(), [])
        found += below
        todo += below
    return found


def namespaces(pids):
    """The network namespaces of these processes, as the kernel numbers them."""
    found = set()
    for pid in pids:
        try:
            found.add(os.readlink(f"/proc/{pid}/ns/net"))
        except OSError:
            continue
    return found


def wait_until(condition, within_s=5.0):
    """Whether the condition came true in time."""
    deadline = time.monotonic() + within_s
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.01)
    return bool(condition())


MN = """
import subprocess, sys
sys.path.insert(0, {root!r})
from topologies.emulator import sandbox
sys.exit(sandbox.run(lambda: subprocess.call({command!r}, cwd={root!r})))
"""


def stock_mininet_pings(file, topo):
    """Whether stock `mn` builds the topology of a file and pings all of it without loss.

    In a sandbox of ours, because `mn` cleans up after itself by killing every process of its kind.
    """
    command = ["mn", "--custom", str(file), "--topo", topo, "--link", "longhaul", "--controller", "none", "--test", "pingall"]
    script = MN.format(root=str(ROOT), command=command)
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return "Results: 0% dropped" in done.stdout + done.stderr


def rows(run):
    return list(csv.DictReader((run / "trials.csv").open(newline="")))


def manifest(run):
    return json.loads((run / "manifest.json").read_text())


def start(out, *arguments):
    process = subprocess.Popen([LONGHAUL, "run", *arguments, "--out", str(out)], stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE, text=True, start_new_session=True)  # fmt: skip
    assert wait_until(lambda: (out / "trials.csv").exists() or process.poll() is not None, 30)
    return process


def below(process, words):
    """The pid of a process under `process` whose command line holds all of `words`."""
    for pid in descendants(process.pid):
        try:
            line = Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ")
        except OSError:
            continue
        if all(word in line for word in words):
            return pid
    raise AssertionError(f"no process of the run is {words}")
