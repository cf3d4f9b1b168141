"""A balancer in a running lab: an experiment starts it, changes its members, and its answers say who was chosen."""

import json

import pytest

from tests.labkit import longhaul, manifest, rows

pytestmark = pytest.mark.lab

BALANCED = '''
"""Does a drained node get nothing?"""

from experiments.harness.experiment import Experiment, within
from topologies.two_hosts import TwoHosts


class Balanced(Experiment):
    """A balancer and two origins on the server's host: one zone near, one far."""

    topology = TwoHosts
    topology_settings = {"rtt": "20ms"}
    minutes = 0.1

    def question(self):
        return "Does it move?"

    def captures(self):
        return ("client", "server")

    def arms(self):
        return [{"near": "takes traffic"}, {"near": "drains"}]

    def start(self, stage):
        urls = {name: f"http://{stage.lab.address('server')}:{port}" for name, port in (("o1", 8081), ("o2", 8082))}
        for url in urls.values():
            stage.daemon("server", "origin", "--listen", url.removeprefix("http://"))
        stage.balancer("server", {"zones": {"near": {"distance": "1ms"}, "far": {"distance": "9ms"}},
                                  "nodes": {"o1": {"zone": "near", "url": urls["o1"]},
                                            "o2": {"zone": "far", "url": urls["o2"]}}})

    def prepare(self, stage, arm, trial):
        stage.control("client", "PATCH", "http://server/-/members", data={"nodes": {"o1": {"drain": arm["near"] == "drains"}}})

    def measure(self, stage, arm, trial):
        row = stage.fetch("client", "http://server/objects/1KiB/x")
        route = (row.get("headers") or {}).get("x-longhaul-route") or ""
        wanted = 'zone="far";node="o2"' if arm["near"] == "drains" else 'zone="near";node="o1"'
        if wanted not in route:
            row["unexpected"] = f"X-Longhaul-Route is '{route}' where {wanted} was due"
        return row

    def claims(self):
        return [within(arm["near"], "first_byte_ms", arm, 40.0, 0.05, 5.0, "two round trips") for arm in self.arms()]
'''


def test_an_experiment_drains_a_node_and_the_other_zone_answers(tmp_path):
    (tmp_path / "balanced.py").write_text(BALANCED)
    longhaul("run", tmp_path / "balanced.py", "--repetitions", "1", "--set", "warmup=0", "--out", tmp_path / "run", check=0)
    assert manifest(tmp_path / "run")["verdict"]["outcome"] == "holds"
    assert len(rows(tmp_path / "run")) == 2
    log = [json.loads(line) for line in (tmp_path / "run/logs/server.jsonl").read_text().splitlines()]
    asked = [(line["zone"], line["chosen_node"]) for line in log if "zone" in line]
    assert set(asked) == {("near", "o1"), ("far", "o2")}
