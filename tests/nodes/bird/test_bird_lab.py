"""Three networks in a lab with real BGP: what one announces the site learns and steering hears, withdrawals and death too."""

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

from nodes.bird.config import Network, Session, configurations, protocol
from nodes.http.failure import Failure
from nodes.programs import program
from tests.labkit import ROOT, in_sandbox, wait_until
from topologies.emulator.lab import Lab, environment
from topologies.emulator.topology import Topology

pytestmark = [pytest.mark.lab]

try:
    program("bird", "bird2")
except Failure:
    pytest.skip("BIRD is not here: sudo ./provision.sh --peers", allow_module_level=True)

NETWORKS = {
    "client": Network(64501, ["198.51.100.0/24"], {"site": ["203.0.113.0/24"]}),
    "transit": Network(64500, ["192.0.2.0/24"]),
    "site": Network(64510),
}


class Triangle(Topology):
    """A client network with a session to the edge site inside it and one to its transit, which the site has too.

        client ------ site
           \\\\         /
            transit
    """

    def build(self):
        for name in NETWORKS:
            self.router(name)
        self.cable("client", "transit")
        self.cable("client", "site")
        self.cable("transit", "site")


class Nodes:
    """Daemons in the lab's nodes."""

    def __init__(self, folder):
        self.folder, self.lab, self.running = folder, Lab(Triangle()), {}
        address = {(name, one.link): one.address for name, plan in self.lab.topology.plans.items() for one in plan.interfaces}
        sessions = [Session("client", address["client", 0], "transit", address["transit", 0], "provider"),
                    Session("client", address["client", 1], "site", address["site", 1], "customer"),
                    Session("transit", address["transit", 2], "site", address["site", 2], "customer")]  # fmt: skip
        for name, text in configurations(NETWORKS, sessions, hold_s=3).items():
            (folder / f"{name}.conf").write_text(text)

    def start(self, node, name, *arguments):
        command = [sys.executable, "-P", "-m", *map(str, arguments)]
        self.running[name] = self.lab.node(node).start(command, stdout=subprocess.PIPE, stderr=(self.folder / name).open("w"),
                                                       text=True, env=environment(ROOT), cwd=str(ROOT))  # fmt: skip
        return json.loads(self.running[name].stdout.readline())

    def bird(self, name, *more):
        return self.start(name, f"bird-{name}", "nodes.bird", "--control", self.folder / f"{name}.ctl", *more)

    def in_site(self, path):
        """GET from steering, which runs at the site."""
        code = f"import urllib.request as u; print(u.urlopen('http://127.0.0.1:8070{path}').read().decode())"
        done = self.lab.node("site").start([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                           text=True, env=environment(ROOT))  # fmt: skip
        output, errors = done.communicate(timeout=20)
        return json.loads(output) if done.returncode == 0 else errors

    def steer(self, client):
        """The reasons of the only candidate, or what went wrong."""
        found = self.in_site(f"/steer/film?client={client}")
        return found["urls"][0]["reason"] if isinstance(found, dict) else found

    def birdc(self, name, command):
        from nodes.bird.control import ask  # the socket is a file: no namespace is between

        return ask(self.folder / f"{name}.ctl", command)


def story(folder):
    nodes = Nodes(folder)
    found = {}
    nodes.start("site", "steering", "nodes.steering", "--listen", "127.0.0.1:8070", "--site", "chennai", "--silent", "1h")
    for name in ("client", "transit"):
        nodes.bird(name, "--config", folder / f"{name}.conf")
    nodes.bird("site", "--config", folder / "site.conf", "--steering", "http://127.0.0.1:8070", "--edge", "edge1", "--site",
               "chennai", "--url", "http://10.0.0.9:8080", "--interval", "100ms")  # fmt: skip
    health = {"edge": "edge1", "site": "chennai", "url": "http://10.0.0.9:8080", "at": time.time(), "files": ["/film"],
              "health": {"used": {"cpu": 0.1}}}  # fmt: skip
    code = f"import urllib.request as u; u.urlopen('http://127.0.0.1:8070/-/reports', {json.dumps(health).encode()!r})"
    assert nodes.lab.node("site").start([sys.executable, "-c", code], env=environment(ROOT)).wait(20) == 0

    def hears(client, words):
        return wait_until(lambda: words in nodes.steer(client), 15)

    found["inside"] = hears("203.0.113.7", "203.0.113.0/24 is announced to chennai; AS path of 1: 64501")
    found["direct"] = hears("198.51.100.7", "198.51.100.0/24 is announced to chennai; AS path of 1: 64501")
    found["transit"] = hears("192.0.2.7", "AS path of 1: 64500")
    found["kept from others"] = "203.0.113.0/24" not in nodes.birdc("transit", "show route all")
    nodes.birdc("client", f"disable {protocol('site', 'customer')}")
    found["withdrawn"] = hears("203.0.113.7", "404")
    found["round about"] = hears("198.51.100.7", "AS path of 2: 64500 64501")
    nodes.birdc("client", f"enable {protocol('site', 'customer')}")
    found["announced again"] = hears("203.0.113.7", "AS path of 1: 64501")
    bird = next(Path(f"/proc/{pid}") for pid in _children(nodes.running["bird-site"].pid))
    subprocess.run(["kill", "-9", bird.name], check=True)
    found["stale"] = hears("203.0.113.7", "AS path of 1: 64501; delay unknown; up: cpu 10% in use; has the file; its routes "
                           "are stale: ")  # fmt: skip
    found["status"] = nodes.running["bird-site"].wait(15)
    found["said"] = (folder / "bird-site").read_text()
    for process in nodes.running.values():
        if process.poll() is None:
            process.terminate()
            process.wait(15)
    return found


def _children(pid):
    return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def test_steering_hears_of_what_is_announced_withdrawn_and_of_a_dead_bird(tmp_path):
    found = in_sandbox(lambda: story(tmp_path))
    said = found.pop("said")
    assert found == {"inside": True, "direct": True, "transit": True, "kept from others": True, "withdrawn": True,
                     "round about": True, "announced again": True, "stale": True, "status": 1}  # fmt: skip
    assert "could not learn routes from BIRD: " in said
    assert "could not go on: BIRD ended by itself with status -9;" in said
