"""A running lab: nodes with names, routes that carry packets, links as specified, the machine untouched."""

import json
import subprocess

import pytest

from tests.labkit import LONGHAUL, longhaul, machine, stock_mininet_pings

pytestmark = pytest.mark.lab

@pytest.mark.parametrize("topo", ["two_hosts,rtt=10ms", "dumbbell,pairs=2,rtts=10ms", "open_connect,network=azure"])
def test_stock_mininet_builds_every_topology_and_pings_all(topo):
    assert stock_mininet_pings(f"topologies/{topo.split(',')[0]}.py", topo)


def test_nodes_find_each_other_by_name_and_only_each_other():
    script = "getent hosts origin1.az1.virginia; getent hosts example.org || echo nobody; ip -o link | cut -d: -f2"
    out = longhaul("exec", "open_connect", "client1.chennai", "--", "sh", "-c", script, check=0).stdout
    assert out.splitlines()[0].split() == ["10.0.0.6", "origin1.az1.virginia"]
    assert "nobody" in out
    assert [line.strip().split("@")[0] for line in out.splitlines()[2:]] == ["lo", "eth0"]


def test_the_status_of_a_command_in_a_node_is_passed_on():
    assert longhaul("exec", "two_hosts", "client", "--", "sh", "-c", "exit 42").returncode == 42
    assert longhaul("exec", "two_hosts", "client", "--", "sh", "-c", "kill -9 $$").returncode == 137


def test_packets_take_the_published_time_on_the_published_path():
    out = longhaul("exec", "open_connect", "client1.chennai", "--", "ping", "-c", "5", "-i", "0.2", "-q",
                   "origin1.az1.virginia", check=0).stdout  # fmt: skip
    least_ms = float(out.rpartition("=")[2].split("/")[0])
    assert 235 <= least_ms <= 235 + 2.35


def test_policy_rules_send_packets_where_the_topology_asks():
    out = longhaul("exec", "open_connect", "--set", "detour=Chennai/Mumbai", "client1.chennai", "--", "ping", "-c", "5", "-i",
                   "0.2", "-q", "origin1.az1.virginia", check=0).stdout  # fmt: skip
    assert float(out.rpartition("=")[2].split("/")[0]) == pytest.approx(233, abs=1.5), "15 + 100.5 there, 117.5 back"


def test_the_shell_is_mininets_and_reads_a_script():
    done = subprocess.run([LONGHAUL, "shell", "open_connect"], input="client1.chennai ping -c 1 edge1.az1.mumbai\nnodes\n",
                          capture_output=True, text=True, timeout=60, check=True)  # fmt: skip
    assert "1 received" in done.stdout
    assert "router.az1.mumbai" in done.stdout


def test_verify_says_specified_against_achieved_for_every_link():
    found = json.loads(longhaul("verify", "open_connect", "--json", check=0).stdout)
    by_name = {row["name"]: row for row in found["links"]}
    mumbai = by_name["virginia-mumbai"]
    assert mumbai["specified"]["rtt_ms"] == 201
    assert mumbai["before"]["rtt_ms"]["median"] == pytest.approx(201, abs=2.01)
    assert mumbai["before"]["a_to_b"]["rate_bps"] == pytest.approx(100e6, rel=0.05)
    assert sum(row["backend"] == "veth" for row in found["links"]) == 5
    assert all(row["ok"] for row in found["links"])


def test_settings_reach_the_links():
    found = json.loads(longhaul("verify", "two_hosts", "--set", "rtt=20ms", "--set", "rate=10mbit", "--set", "queue=64KiB",
                                "--set", "mtu=1400B", "--json", check=0).stdout)  # fmt: skip
    (row,) = found["links"]
    assert row["before"]["rtt_ms"]["median"] == pytest.approx(20, abs=0.7), "and the echo's own 0.17 ms at 10 Mbit/s"
    assert row["before"]["b_to_a"]["rate_bps"] == pytest.approx(10e6, rel=0.05)
    assert (row["specified"]["a_to_b"]["queue_bytes"], row["specified"]["mtu"]) == (65536, 1400)


def test_every_node_uses_cubic_whatever_the_machines_default():
    script = "ip route get 10.0.0.2; sysctl -n net.ipv4.tcp_no_metrics_save net.ipv6.conf.all.disable_ipv6"
    out = longhaul("exec", "two_hosts", "client", "--", "sh", "-c", script, check=0).stdout
    assert "congctl cubic" in out or "congctl" not in out
    assert out.split()[-2:] == ["1", "1"]
    route = longhaul("exec", "two_hosts", "client", "--", "ip", "route", check=0).stdout
    assert "congctl cubic" in route


def test_a_lab_changes_nothing_of_the_machine():
    before = machine()
    longhaul("exec", "open_connect", "client1.chennai", "--", "true", check=0)
    assert machine() == before
