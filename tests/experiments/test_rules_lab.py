"""Balancers in one running lab: every rule chooses as its pure form does, from all well to two dead nodes; and nodes that flap,
return or are all down, and redirects, are as a daemon on loopback has them.
"""

import json
import re
import time
from collections import Counter, deque
from http.client import HTTPConnection
from urllib.parse import urlsplit

import pytest

from experiments.harness import balanced
from experiments.harness.stage import Stage
from nodes.balancer import catalogue
from nodes.balancer.balance import Settings
from nodes.balancer.health.outliers import Limits
from nodes.balancer.members import from_json
from tests.labkit import ATTEMPTS, in_sandbox
from tests.nodes.balancer.replay import replayed
from topologies.emulator.lab import Lab
from topologies.emulator.links.netns import entered
from topologies.open_connect import OpenConnect

pytestmark = [pytest.mark.lab, pytest.mark.slow]

WORLD = {"zones": "2", "edges_per_zone": "3", "balancers": "regional", "zone_rtts": "1ms,2ms",
         "rtt": "Chennai/Mumbai=2ms,Virginia/Mumbai=2ms,Virginia/Chennai=2ms"}  # fmt: skip
CLIENT, BALANCER, SEED = "client1.chennai", "balancer.mumbai", 7
RULES = [*((name, "zone_rule") for name in catalogue.zone_rule_names()),
         *((name, "node_rule") for name in catalogue.node_rule_names())]  # fmt: skip
DEAD = ("edge1.az1.mumbai", "edge2.az1.mumbai")
THINK_MS = (35, 60, 85)
"""Of the nodes of a zone. Answers come half-way between two requests, and one node is slower than the next, so that a machine
that is some milliseconds late changes nothing of the order in which a balancer learns."""
EVERY_S, REQUESTS, CONNECTIONS = 0.025, 60, 12

CHECK_S, FALL, RISE, SLOW_START_S = 0.1, 3, 5, 2.0
HEALTH = ("--check-interval", "100ms", "--check-timeout", "80ms", "--fall", str(FALL), "--rise", str(RISE), "--slow-start",
          f"{SLOW_START_S:g}s", "--node-timeout", "300ms", "--outlier-failures", "1000")  # fmt: skip
LATE_S = 0.5
"""For a busy machine."""
FLAPS = "edge3.az1.mumbai"
AT_ONCE = "/objects/1KiB/x?think=0ms"


class Asking:
    """A client's kept connections to a server; answers are read in the order of the requests."""

    def __init__(self, lab, where, connections=1):
        self._free, self._asked = deque(), deque()
        with entered(lab.node(CLIENT).pid):
            for _ in range(connections):
                self._free.append(HTTPConnection(*where, timeout=10))
                self._free[-1].connect()
                self._free[-1].auto_open = False  # it would dial from the wrong namespace

    def send(self, path):
        if not self._free:
            self.receive()
        self._asked.append(self._free.popleft())
        self._asked[-1].request("GET", path)

    def receive(self):
        connection = self._asked.popleft()
        answer = connection.getresponse()
        answer.read()
        self._free.append(connection)
        return answer

    def get(self, path=AT_ONCE):
        self.send(path)
        answer = self.receive()
        route = answer.headers.get("x-longhaul-route", "")
        said = {name: text or number for name, text, number in re.findall(r';(\w+)=(?:"([^"]*)"|(\d+))', route)}
        return {"status": answer.status, "location": answer.headers.get("location", ""), **said}

    def some(self, seconds):
        """Answers to a request each 10 ms."""
        found, began = [], time.monotonic()
        while time.monotonic() < began + seconds:
            found.append(self.get())
            time.sleep(max(0.0, began + 0.01 * len(found) - time.monotonic()))
        return found

    def finish(self):
        while self._asked:
            self.receive()


class Scene:
    """The lab, its edges' hosts with origins on them, and every balancer on the host for it."""

    def __init__(self, folder):
        for name in ("logs", "scratch"):
            (folder / name).mkdir()
        self.folder, self.lab = folder, Lab(OpenConnect(**WORLD))
        self.lab.begin()
        self.stage, self.address = Stage(self.lab, folder / "logs", folder / "scratch"), self.lab.address(BALANCER)
        zones = balanced.site(self.lab.topology, "mumbai")
        for nodes in zones.values():
            for node, think_ms in zip(nodes, THINK_MS, strict=True):
                self._start(node, "origin", f"{self.lab.address(node)}:80", "--think", f"{think_ms}ms")
        members = balanced.members(self.lab.topology, BALANCER, zones)
        for node, one in members["nodes"].items():
            one |= {"url": f"http://{self.lab.address(node)}", "weight": 2.0 if node in DEAD else 1.0}
        self.members = folder / "members.json"
        self.members.write_text(json.dumps(members))
        self.ports = {}
        for name, option in RULES:
            self._balancer(f"{option}-{name}", f"--{option.replace('_', '-')}", name, "--checks", "off", "--seed", str(SEED),
                           "--outlier-most", "100%")  # fmt: skip
        self._balancer("health", *HEALTH)
        for status in ("302", "307"):
            self._balancer(f"to-{status}", "--checks", "off", "--redirect", status)
        for one in self.stage.daemons:
            one.wait_ready()

    def asking(self, name, connections=1):
        return Asking(self.lab, (self.address, self.ports[name]), connections)

    def health(self):
        said = self.stage.control(CLIENT, "GET", f"http://{BALANCER}:{self.ports['health']}/-/status").json()
        return {name: one["health"] for name, one in said["nodes"].items()}

    def until(self, nodes, health, asking=None):
        """(seconds until these nodes are so, answers that came meanwhile)."""
        began, found = time.monotonic(), []
        while (now := self.health()) and any(now[node] != health for node in nodes):
            assert time.monotonic() < began + 10, f"{now}, where {nodes} should be {health}"
            found += [asking.get()] if asking else []
        return time.monotonic() - began, found

    def _start(self, node, name, listen, *options):
        self.stage.daemon(node, name, "--listen", listen, *options, ready=False)

    def _balancer(self, name, *options):
        self.ports[name] = 8000 + len(self.ports)
        self._start(BALANCER, "balancer", f"{self.address}:{self.ports[name]}", "--members", str(self.members), "--name", name,
                    "--log", str(self.folder / f"{name}.jsonl"), *options)  # fmt: skip


def load(scene):
    """Requests that overlap, to the balancer of each rule at the same rate, with all well and then with two nodes dead."""
    asking = [scene.asking(f"{option}-{name}", CONNECTIONS) for name, option in RULES]
    for phase in range(2):
        if phase:
            for node in DEAD:
                scene.stage.faults.kill(node)
        began = time.monotonic()
        for number in range(REQUESTS):
            path = f"/objects/1KiB/{number % 12}?header=X-Netflix.server.utilization:{20 + number * 7 % 70}"
            for turn, one in enumerate(asking):
                time.sleep(max(0.0, began + (number + turn / len(asking)) * EVERY_S - time.monotonic()))
                one.send(path)
        for one in asking:
            one.finish()
    for node in DEAD:
        scene.stage.faults.restart(node)


def flapping(scene):
    """A node stands still, comes and goes three times, and comes back for good."""
    asking, faults, found = scene.asking("health"), scene.stage.faults, {"flaps": []}
    scene.until(DEAD, "up")
    faults.pause(FLAPS)
    found["down_s"], found["until_down"] = scene.until([FLAPS], "down", asking)
    found["meanwhile"] = []
    found["well_s"] = []
    for _ in range(3):
        faults.resume(FLAPS)
        began = time.monotonic()
        found["meanwhile"] += asking.some(0.15)
        faults.pause(FLAPS)
        found["well_s"].append(time.monotonic() - began)
        found["meanwhile"] += asking.some(0.3)
        found["flaps"].append(scene.health()[FLAPS])
    faults.resume(FLAPS)
    found["back_s"], more = scene.until([FLAPS], "slow-start", asking)
    found["meanwhile"] += more
    found["new"] = asking.some(0.25 * SLOW_START_S)
    scene.until([FLAPS], "up")
    found["usual"] = asking.some(0.25 * SLOW_START_S)
    return found


def all_down(scene):
    """Every node of both zones stands still; then all go on, before any check has said so."""
    asking, zones = scene.asking("health"), ("az1.mumbai", "az2.mumbai")
    for zone in zones:
        scene.stage.faults.pause(zone)
    scene.until(scene.health(), "down")
    found = {"still": asking.get()}
    for zone in zones:
        scene.stage.faults.resume(zone)
    found["going"] = asking.get()
    scene.until(scene.health(), "up")
    found["well"] = asking.get()
    return found


def redirects(scene):
    """What a client is told by each status, and what it finds there."""
    found = {}
    for status in ("302", "307"):
        told = scene.asking(f"to-{status}").get()
        to = urlsplit(told["location"])
        there = Asking(scene.lab, (to.hostname, to.port or 80)).get(f"{to.path}?{to.query}")
        found[status] = {"told": told, "there": there, "address": scene.lab.address(told["node"])}
    return found


def everything(folder):
    scene = Scene(folder)
    load(scene)
    found = {"redirects": redirects(scene), "flapping": flapping(scene), "all down": all_down(scene)}
    found["problems"] = scene.stage.stop()
    return found


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    """(what became of each rule's log, what else was seen); once more where the machine was so late that both tell nothing."""
    for _ in range(ATTEMPTS):
        folder = tmp_path_factory.mktemp("rules")
        found = in_sandbox(lambda folder=folder: everything(folder))
        again = {rule: decided_again(folder, *rule) for rule in RULES}
        unclear = any(one.wrong and one.unclear for one in again.values())
        if not unclear and max(found["flapping"]["well_s"]) < (RISE - 2) * CHECK_S:
            break
    return again, found


def decided_again(folder, rule, option):
    """What the pure balance says to the requests that a rule's balancer logged."""
    members, settings = from_json((folder / "members.json").read_text()), Settings(**{option: rule}, outliers=Limits(most=1.0))
    lines = map(json.loads, (folder / f"{option}-{rule}.jsonl").read_text().splitlines())
    return replayed([line for line in lines if "chosen_node" in line], members, settings, SEED)


@pytest.mark.parametrize(("rule", "option"), RULES)
def test_a_rule_chooses_in_a_lab_as_its_pure_form_does(lab, rule, option):
    found = lab[0][rule, option]
    assert found.wrong == []
    assert found.first.total() == 2 * REQUESTS
    assert found.together >= 2, "requests overlap, so that rules which look at them have something to see"
    assert len(found.first) >= 3
    assert set(found.first) & set(DEAD)
    assert any("retry" in reason for reason in found.reasons)


def test_a_flapping_node_stays_down_and_costs_no_request(lab):
    found = lab[1]["flapping"]
    assert found["down_s"] < FALL * CHECK_S + 0.08 + LATE_S
    assert found["flaps"] == ["down"] * 3
    assert {one["status"] for one in (*found["until_down"], *found["meanwhile"])} == {200}
    assert FLAPS not in {one["node"] for one in found["meanwhile"]}
    assert found["back_s"] < (RISE + 1) * CHECK_S + LATE_S


def test_a_node_that_returns_starts_slowly(lab):
    found = lab[1]["flapping"]
    new, usual = ([one["node"] for one in found[name]] for name in ("new", "usual"))
    assert min(len(new), len(usual)) > 20
    share = Counter(usual)[FLAPS] / len(usual)
    assert share == pytest.approx(1 / 5, abs=0.03), "its weight is one of five"
    assert Counter(new)[FLAPS] / len(new) < 0.5 * share, "at most a quarter of its weight in the first quarter"
    assert any("slow-start" in one["reason"] for one in found["new"])


def test_when_all_are_down_all_are_tried(lab):
    found = lab[1]["all down"]
    assert (found["still"]["status"], found["still"]["tries"]) == (504, "2")
    assert (found["going"]["status"], found["going"]["reason"]) == (200, "all down")
    assert (found["well"]["status"], found["well"]["reason"]) == (200, "nearest")


@pytest.mark.parametrize("status", ["302", "307"])
def test_a_client_is_redirected_to_the_node_and_finds_the_object_there(lab, status):
    found = lab[1]["redirects"][status]
    assert found["told"]["status"] == int(status)
    assert found["told"]["reason"] == "nearest"
    assert urlsplit(found["told"]["location"]).hostname == found["address"]
    assert found["there"]["status"] == 200
    assert "node" not in found["there"], "no balancer stands between"


def test_every_daemon_ends_well(lab):
    assert lab[1]["problems"] == []
