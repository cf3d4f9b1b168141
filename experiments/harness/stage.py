"""The stage of an experiment: daemons started in nodes, the measured client, and control calls to them.

It decides nothing about the question; it starts processes by name, waits until they are ready and knows when one died.
"""

from __future__ import annotations

import json
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import requests

from experiments.harness.flows import Flow, Flows, Running
from experiments.harness.pinging import Pinging
from experiments.harness.series import Series
from experiments.harness.stage_error import StageError
from nodes.http.failure import Failure
from nodes.nginx_edge.process import program
from topologies.emulator.lab import Lab, environment
from topologies.emulator.links.netns import entered

ROOT = Path(__file__).resolve().parents[2]
READY_WITHIN_S = 10.0
__all__ = ["ENGINES", "Daemon", "Stage", "StageError", "versions"]
STOP_WITHIN_S = 12.0
LOOK_EVERY_S = 0.25
ENGINES = {"longhaul": "edge", "nginx": "nginx_edge"}
"""What can serve as edge, and the daemon that does."""


def versions(engine: str) -> dict[str, list[str]]:
    """Commands that print the versions of programs which are not ours, by name. Raises StageError when one is missing."""
    if engine != "nginx":
        return {}
    try:
        return {"nginx": [program(), "-v"]}
    except Failure as failure:
        raise StageError(str(failure)) from None


class Daemon:
    """A process in a node. `url` is where it listens, when it said so."""

    def __init__(
        self, lab: Lab, node: str, module: str, arguments: list[str], logs: Path, more: Mapping[str, str] | None = None
    ) -> None:
        self.lab, self.node, self.module = lab, node, module
        self.errors = logs / f"{node}.stderr"
        command = [sys.executable, "-P", "-m", module, *arguments]
        with self.errors.open("ab") as stderr:
            self.process: subprocess.Popen[str] = lab.node(node).start(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=stderr, text=True, bufsize=1,
                env={**environment(ROOT), **(more or {})}, cwd="/",
            )  # fmt: skip
        self.url = ""

    def wait_ready(self) -> None:
        """Wait for its `ready` line. Raises StageError."""
        event = self.read(READY_WITHIN_S, "become ready")
        if event.get("event") != "ready":
            raise StageError(
                f"could not start {self.module} on {self.node}: it said {event} instead of that it is ready"
            )
        self.url = f"http://{event['listen']}" if "listen" in event else ""

    def read(self, within_s: float, attempt: str, trouble: Callable[[], str] = lambda: "") -> dict[str, Any]:
        """One line of JSON from it. Raises StageError when none comes in time, when it ended, or when `trouble` says
        that something else did, without which none can come."""
        assert self.process.stdout is not None
        deadline = time.monotonic() + within_s
        while not select.select([self.process.stdout], [], [], LOOK_EVERY_S)[0]:
            if time.monotonic() > deadline:
                raise StageError(f"could not {attempt}: {self.module} on {self.node} said nothing for {within_s:g} s")
            if problem := trouble():
                raise StageError(f"could not {attempt}: {problem}")
        line = self.process.stdout.readline()
        if not line:
            raise StageError(f"could not {attempt}: {self.dead() or 'it closed its output'}")
        found: dict[str, Any] = json.loads(line)
        return found

    def order(self, order: Mapping[str, Any], attempt: str) -> None:
        """Give it an order, one line of JSON. Raises StageError when it reads no more."""
        assert self.process.stdin is not None
        try:
            self.process.stdin.write(json.dumps(order) + "\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            raise StageError(f"could not {attempt}: {self.dead() or f'{self.module} closed its input'}") from None

    def dead(self) -> str:
        """Empty while it runs; else how it ended, with its last words."""
        status = self.process.poll()
        if status is None:
            return ""
        said = self.errors.read_text(errors="replace").strip().splitlines()
        return f"{self.module} on {self.node} ended with status {status}" + (f" ({said[-1]})" if said else "")

    def stop(self) -> str:
        """End it cleanly; empty, or what was wrong with its end."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(STOP_WITHIN_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            return f"{self.module} on {self.node} did not stop within {STOP_WITHIN_S:g} s of SIGTERM"
        return "" if self.process.returncode in (0, -signal.SIGTERM) else self.dead()


class Stage:
    """All daemons of a run. `scratch` is the folder for caches: on the run directory's disk, removed afterwards.

    `engine` is what serves as edge where `edge` is not told otherwise; `trial` is the number of the trial that goes on. With
    `keys` the daemons write the keys of their TLS connections into the folder of that name, a file each.
    """

    def __init__(self, lab: Lab, logs: Path, scratch: Path, engine: str = "longhaul", keys: bool = False) -> None:
        self.lab, self.logs, self.scratch, self.engine = lab, logs, scratch, engine
        self.keys, self._keep_keys = scratch / "keys", keys
        self.series, self.trial = Series(logs.parent / "series"), 0
        self.daemons: list[Daemon] = []
        self._workers: dict[tuple[str, str], Daemon] = {}
        self._flows = Flows(lab, lambda node: self._worker(node, "flow", says_ready=True), self.trouble, self.keep)

    def daemon(self, node: str, name: str, *options: str) -> Daemon:
        """Start `nodes/NAME` on a node and wait until it is ready. Raises StageError."""
        log = self.logs / f"{node}.jsonl"
        found = Daemon(self.lab, node, f"nodes.{name}", ["--name", node, "--log", str(log), *options], self.logs,
                       self._secrets(node, name))  # fmt: skip
        self.daemons.append(found)
        found.wait_ready()
        return found

    def origin(self, node: str, *options: str) -> Daemon:
        """Start an origin on port 80 of a node."""
        return self.daemon(node, "origin", "--listen", f"{self.lab.address(node)}:80", *options)

    def edge(self, node: str, origin: str, *options: str, capacity: str = "10GiB", engine: str = "") -> Daemon:
        """Start an edge on port 80 of a node, with a cache of files, in front of an origin node.

        `engine` is one of ENGINES; empty: what the run's setting `edge.engine` says.
        """
        cache = self.scratch / node
        cache.mkdir(parents=True, exist_ok=True)
        return self.daemon(node, ENGINES[engine or self.engine], "--listen", f"{self.lab.address(node)}:80", "--origin",
                           f"http://{self.lab.address(origin)}:80", "--cache", str(cache), "--capacity", capacity,
                           *options)  # fmt: skip

    def balancer(self, node: str, members: Mapping[str, Any], *options: str) -> Daemon:
        """Start a balancer on port 80 of a node. `members` are as in docs/balancer.md, where a node may leave out its `url`:
        then it is the lab's node of that name, port 80."""
        nodes = {name: {"url": f"http://{self.lab.address(name)}:80", **one} if "url" not in one else dict(one)
                 for name, one in members["nodes"].items()}  # fmt: skip
        file = self.logs / f"{node}.members.json"
        file.write_text(json.dumps({**members, "nodes": nodes}, indent=1), encoding="utf-8")
        return self.daemon(node, "balancer", "--listen", f"{self.lab.address(node)}:80", "--members", str(file), *options)

    def fetch(
        self, node: str, url: str, *, connection: str = "new", sha256: str = "", within_s: float = 120
    ) -> dict[str, Any]:
        """One measured fetch by the client of a node: the client's columns of trials.csv. Raises StageError.

        `connection`: `new` is closed afterwards, `keep` is new and kept, `reuse` is the one kept before.
        A fetch that fails is a result (`ok` false with `error`), not an exception; a dead client is one.
        """
        client = self._worker(node, "client")
        order = {"url": url, "connection": connection, "timeout_s": within_s}
        if sha256:
            order["expect_sha256"] = sha256
        client.order(order, f"fetch {url}")
        return client.read(within_s + 10, f"fetch {url}", self.trouble)

    def flows(self, *flows: Flow, sample_ms: float = 100.0) -> Running:
        """Begin bulk flows together; `.results()` waits for their ends. Raises StageError."""
        return self._flows.begin(flows, sample_ms)

    def ping(self, node: str, target: str, seconds: float, every_ms: float = 100.0) -> Pinging:
        """Begin pinging a node from another; `.results()` waits for the end. Raises StageError."""
        return Pinging(self.lab, node, target, seconds, every_ms)

    def rest(self, a: str, b: str) -> None:
        """Wait until what is under way between two nodes has arrived: before a delay becomes shorter, since order is kept, and
        what is sent afterwards would wait behind it."""
        time.sleep(self.lab.topology.path(a, b)[0] / 1e3)

    def _worker(self, node: str, name: str, says_ready: bool = False) -> Daemon:
        """The process on a node that takes orders of a kind; it is started once. Raises StageError."""
        if (node, name) not in self._workers:
            self._workers[node, name] = Daemon(self.lab, node, f"nodes.{name}", ["--worker"], self.logs,
                                               self._secrets(node, name))  # fmt: skip
            self.daemons.append(self._workers[node, name])
            if says_ready:
                self._workers[node, name].wait_ready()
        return self._workers[node, name]

    def control(
        self, node: str, method: str, url: str, headers: Mapping[str, str] | None = None, data: object = None
    ) -> requests.Response:  # fmt: skip
        """One control call from inside a node, not measured. Raises StageError for a failure or a status over 399."""
        with entered(self.lab.node(node).pid), requests.Session() as session:
            session.trust_env = False
            try:
                response = session.request(method, url, headers=dict(headers or {}), json=data, timeout=60)
                response.raise_for_status()
            except requests.RequestException as error:
                raise StageError(f"could not {method} {url} from {node}: {error}") from None
        return response

    def keep(self, name: str, rows: Sequence[Mapping[str, Any]]) -> None:
        """Write rows of this trial, all with the same keys, to `series/NAME.csv`. Raises SeriesError."""
        self.series.add(name, self.trial, rows)

    def _secrets(self, node: str, name: str) -> dict[str, str]:
        if not self._keep_keys:
            return {}
        self.keys.mkdir(exist_ok=True)
        return {"SSLKEYLOGFILE": str(self.keys / f"{node}.{name}.keys")}

    def trouble(self) -> str:
        """Empty while every daemon and the links' backend work; else what died."""
        return next(filter(None, (daemon.dead() for daemon in self.daemons)), "") or self.lab.links.alive()

    def stop(self) -> list[str]:
        """End all daemons, the clients first; what was wrong with their ends. Without links none can finish what it serves."""
        if self.lab.links.alive():
            ended = [words for daemon in reversed(self.daemons) if (words := daemon.dead())]
            for daemon in self.daemons:
                daemon.process.kill()
            return ended
        return [problem for daemon in reversed(self.daemons) if (problem := daemon.stop())]
