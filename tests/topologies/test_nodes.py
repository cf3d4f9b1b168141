"""Nodes of a lab: Mininet's to whoever uses them, cheap until somebody does, and gone with their lab."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.labkit import ROOT, in_sandbox, wait_until
from topologies.dumbbell import Dumbbell
from topologies.emulator.holder import Holder
from topologies.emulator.lab import Lab
from topologies.emulator.plan import NodeError
from topologies.two_hosts import TwoHosts

pytestmark = pytest.mark.lab


def shells():
    """Interactive shells of nodes, among the processes of this PID namespace."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            words = (entry / "cmdline").read_bytes().split(b"\0")
            found += [words] if words[0] == b"bash" and b"-is" in words else []
    return len(found)


def test_a_shell_starts_when_a_command_is_asked_for_and_not_before():
    def work():
        lab = Lab(TwoHosts())
        before, client = shells(), lab.net.get("client")
        said = [client.cmd("echo one; exit_status() { return 3; }"), client.cmd("exit_status; echo $?")]
        return [before, shells(), said]

    assert in_sandbox(work) == [0, 1, ["one\r\n", "3\r\n"]]


def test_the_shell_the_processes_and_the_pid_of_a_node_are_of_one_network_and_one_mount_namespace():
    def work():
        lab = Lab(TwoHosts())
        client, server = lab.net.get("client"), lab.net.get("server")
        pid = client.pid
        found = [client.cmd("readlink /proc/self/ns/net /proc/self/ns/mnt").split(),
                 client.popen("readlink /proc/self/ns/net /proc/self/ns/mnt").communicate()[0].decode().split(),
                 [os.readlink(f"/proc/{pid}/ns/{kind}") for kind in ("net", "mnt")]]
        client.cmd("mount -t tmpfs tmpfs /mnt && touch /mnt/only-here")
        return [found, client.pexec("ls /mnt")[0], client.pexec("ls /sys/class/net")[0].split(), pid == client.pid,
                server.cmd("readlink /proc/self/ns/net /proc/self/ns/mnt").split()]

    (by_shell, by_popen, by_pid), mounted, interfaces, same_pid, others = in_sandbox(work)
    assert by_shell == by_popen == by_pid
    assert not set(others) & set(by_shell)
    assert (mounted, interfaces, same_pid) == ("only-here\n", ["eth0", "lo"], True)


def test_what_mininet_does_with_a_shell_works():
    def work():
        net = Lab(TwoHosts()).net
        client, server = net.get("client", "server")
        server.sendCmd("cat")  # waits, as a server started in the background of a script does
        waiting = server.waiting
        server.sendInt()
        server.waitOutput()
        client.sendCmd("echo started & wait; echo done", printPid=True)
        heard = ""
        while client.waiting:
            heard += client.monitor()
        lost = net.ping([client, server], timeout="1")
        return [waiting, server.waiting, heard, client.lastPid is None, lost, client.intf().name, client.IP(), repr(server)]

    waiting, still, heard, no_pid, lost, interface, address, text = in_sandbox(work)
    assert (waiting, still, lost) == (True, False, 0)
    assert "started" in heard
    assert "done" in heard
    assert (no_pid, interface, address) == (True, "eth0", "10.0.0.1")
    assert text.startswith("<LabNode server: eth0:10.0.0.2 pid=")


def test_a_stopped_network_leaves_no_process():
    def work():
        net = Lab(TwoHosts()).net
        net.get("client").cmd("true")
        pids = [node.pid for node in net.hosts] + [net.get("client").shell.pid]
        net.stop()
        return [Path(f"/proc/{pid}").exists() for pid in pids]

    assert in_sandbox(work) == [False, False, False]


def test_namespaces_end_with_whoever_made_them_however_that_ends():
    script = "from topologies.emulator.holder import Holder; import time; print(Holder('lone').pid, flush=True); time.sleep(60)"
    maker = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True, cwd=ROOT)
    holder = Path("/proc", maker.stdout.readline().strip())
    assert holder.exists()
    assert os.readlink(holder / "ns/net") != os.readlink("/proc/self/ns/net")
    maker.send_signal(signal.SIGKILL)
    maker.communicate()
    assert wait_until(lambda: not holder.exists())


def test_an_end_is_final_and_may_be_said_twice():
    holder = Holder("twice")
    pid = holder.pid
    holder.end()
    holder.end()
    assert not Path(f"/proc/{pid}").exists()


@pytest.mark.parametrize(("mnexec", "why"), [("echo no more of them >&2; exit 1", "no more of them"),
                                             ("exit 1", "mnexec ended without a word")])  # fmt: skip
def test_namespaces_that_cannot_be_made_are_named_with_the_reason(tmp_path, monkeypatch, mnexec, why):
    (tmp_path / "mnexec").write_text(f"#!/bin/sh\n{mnexec}\n")
    (tmp_path / "mnexec").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    holder = Holder("edge1")
    with pytest.raises(NodeError, match=f"could not make the namespaces of edge1: {why}; run `longhaul doctor`"):
        _ = holder.pid
    holder.end()


def test_a_process_that_cannot_be_started_is_named_with_the_reason(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(NodeError, match=r"could not start edge1: .*No such file or directory: 'mnexec'"):
        Holder("edge1")


def test_tuned_metrics_are_on_every_route_beside_cubic_and_unknown_ones_are_refused():
    def work():
        node = Lab(Dumbbell(pairs=2)).node("receiver1")
        node.tune({"net.ipv4.tcp_sack": "0"}, {"initcwnd": 20, "initrwnd": 30, "quickack": 1, "window": 20000})
        found = node.cmd("ip route; cat /proc/sys/net/ipv4/tcp_sack").splitlines()
        said = []
        for sysctls, metrics in (({}, {"initcwmd": 20}), ({}, {"cc_algo": "no-such"}), ({"net.ipv4.no_such": "1"}, {})):
            try:
                node.tune(sysctls, metrics)
            except NodeError as error:
                said.append(str(error))
        return [found, said]

    (*found, sack), said = in_sandbox(work)
    routes = [line for line in found if "proto static" in line]
    assert len(routes) == 2
    for metric in ("initcwnd 20", "initrwnd 30", "quickack 1", "window 20000", "congctl cubic"):
        assert all(metric in route for route in routes), metric
    assert sack == "0"
    assert said[0].startswith("could not set initcwmd in receiver1: there is no 'initcwmd'; name metrics of initcwnd,")
    assert said[1].startswith("could not set cc_algo in receiver1: route to 10.0.0.")
    assert said[2].startswith("could not set net.ipv4.no_such=1 in receiver1: No such file or directory")


def test_a_plan_that_the_kernel_refuses_is_told_in_its_words():
    def work():
        world = TwoHosts()
        world.plans["client"].routes.append(("10.9.9.9", "10.77.0.1", "eth0"))
        try:
            Lab(world)
        except NodeError as error:
            return str(error)
        return "built"

    what, why = "could not give client its addresses and routes", "route to 10.9.9.9: Nexthop has invalid gateway"
    assert in_sandbox(work) == f"{what}: {why}; run `longhaul doctor`"
