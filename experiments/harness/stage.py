"""The stage of an experiment: daemons started in nodes, the measured client, and control calls to them.

It decides nothing about the question; it starts processes by name, waits until they are ready and knows when one died.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import requests

from experiments.harness.daemon import Daemon, StageError
from experiments.harness.faults import Faults
from experiments.harness.flows import Flow, Flows, Running
from experiments.harness.generators import Generators, Load, longest_s
from experiments.harness.pinging import Pinging
from experiments.harness.rundir import explained
from experiments.harness.series import Series
from nodes.http.authority import AUTHORITY
from nodes.http.failure import Failure
from nodes.nginx_edge.process import program
from topologies.emulator.lab import Lab
from topologies.emulator.links.netns import entered

__all__ = ["ENGINES", "Daemon", "Stage", "StageError", "versions"]
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


class Stage:
    """All daemons of a run. `scratch` is the folder for caches: on the run directory's disk, removed afterwards.

    `engine` is what serves as edge where `edge` is not told otherwise; `trial` is the number of the trial that goes on. With
    `keys` the daemons write the keys of their TLS connections into the folder of that name, a file each.
    """

    def __init__(self, lab: Lab, logs: Path, scratch: Path, engine: str = "longhaul", keys: bool = False) -> None:
        self.lab, self.logs, self.scratch, self.engine = lab, logs, scratch, engine
        self.keys, self._keep_keys = scratch / "keys", keys
        self.series, self.trial = Series(logs.parent / "series"), 0
        self.authority = scratch / "authority"
        self.daemons: list[Daemon] = []
        self._workers: dict[tuple[str, str], Daemon] = {}
        self._flows = Flows(lab, lambda node: self._worker(node, "flow", says_ready=True), self.trouble, self.keep)
        self.faults = Faults(lab, lambda: self.daemons)
        self._fetched: dict[int, int] = {}
        """How many fetches each trial has made."""

    def daemon(self, node: str, name: str, *options: str, instrument: bool = False, ready: bool = True) -> Daemon:
        """Start `nodes/NAME` on a node and, if `ready`, wait until it is. No fault touches an instrument. Raises StageError."""
        log = self.logs / f"{node}.jsonl"
        found = Daemon(self.lab, node, f"nodes.{name}", ["--name", node, "--log", str(log), *options], self.logs,
                       self._secrets(node, name), instrument=instrument)  # fmt: skip
        self.daemons.append(found)
        if ready:
            found.wait_ready()
        return found

    def origin(self, node: str, *options: str, https: bool = False) -> Daemon:
        """Start an origin on port 80 of a node, or with `https` on 443."""
        return self.daemon(node, "origin", *self._listening(node, https), *options)

    def edge(
        self, node: str, origin: str, *options: str, capacity: str = "10GiB", engine: str = "", https: bool = False
    ) -> Daemon:
        """Start an edge on port 80 of a node, or with `https` on 443, with a cache of files, in front of an origin node.

        `engine` is one of ENGINES; empty: what the run's setting `edge.engine` says.
        """
        cache = self.scratch / node
        cache.mkdir(parents=True, exist_ok=True)
        return self.daemon(node, ENGINES[engine or self.engine], *self._listening(node, https), "--origin",
                           f"http://{self.lab.address(origin)}:80", "--cache", str(cache), "--capacity", capacity,
                           *options)  # fmt: skip

    def _listening(self, node: str, https: bool) -> list[str]:
        """Options for where a daemon listens. With `https` it has a certificate for its name from the lab's own authority,
        which the clients of `fetch` trust."""
        secured = ["--tls-authority", str(self.authority)] if https else []
        return ["--listen", f"{self.lab.address(node)}:{443 if https else 80}", *secured]

    def balancer(self, node: str, members: Mapping[str, Any], *options: str) -> Daemon:
        """Start a balancer on port 80 of a node. `members` are as in docs/balancer.md, where a node may leave out its `url`:
        then it is the lab's node of that name, port 80."""
        nodes = {name: {"url": f"http://{self.lab.address(name)}:80", **one} if "url" not in one else dict(one)
                 for name, one in members["nodes"].items()}  # fmt: skip
        file = self.logs / f"{node}.members.json"
        file.write_text(json.dumps({**members, "nodes": nodes}, indent=1), encoding="utf-8")
        return self.daemon(node, "balancer", "--listen", f"{self.lab.address(node)}:80", "--members", str(file), *options)

    def fetch(
        self, node: str, url: str, *, connection: str = "new", sha256: str = "", within_s: float = 120, resolver: str = "",
        **order: Any,
    ) -> dict[str, Any]:  # fmt: skip
        """One measured fetch by the client of a node: the client's columns of trials.csv. Raises StageError.

        `connection`: `new` is closed afterwards, `keep` is new and kept, `reuse` is the one kept before. `resolver` (HOST:PORT)
        looks the URL's name up. `order` are more fields of the client's orders: `ranked` (the URL is steering's, and the client
        goes down its list), `tls_version`, `tls_session`, `http_version`, `fast_open`, `congestion_control`, `headers`.
        Each fetch has a record in the node's log, with `request_id`: the trial's number, a dot, and which fetch of the trial
        it is. A fetch that fails is a result (`ok` false with `error`), not an exception; a dead client is one.
        """
        client = self._worker(node, "client")
        order = {"url": url, "connection": connection, "timeout_s": within_s, **self._trust(url), **order}
        if sha256:
            order["expect_sha256"] = sha256
        if resolver:
            order["resolver"] = resolver
        client.order(order, f"fetch {url}")
        result = {"node": node, **client.read(within_s + 10, f"fetch {url}", self.trouble)}
        self._fetched[self.trial] = number = self._fetched.get(self.trial, 0) + 1
        record = {"ts_ns": time.time_ns(), "node": node, "request_id": f"{self.trial}.{number}", "fetch": result}
        with explained(self.logs / f"{node}.jsonl"), (self.logs / f"{node}.jsonl").open("a", encoding="utf-8") as log:
            log.write(json.dumps(record, separators=(",", ":")) + "\n")
        return result

    def page(
        self, node: str, page: Sequence[Mapping[str, Any]], *, connections: int = 6, http_version: str = "1.1",
        within_s: float = 120,
    ) -> dict[str, Any]:  # fmt: skip
        """One page load by a node, over new connections: `ok`, `error`, `page_load_ms`, `connections`, `size_bytes` and a row
        for each of its `objects` (see nodes/page). Raises StageError."""
        loader = self._worker(node, "page")
        loader.order({"page": list(page), "connections": connections, "http_version": http_version, "timeout_s": within_s,
                      **self._trust(str(page[0]["url"]))}, "load the page")  # fmt: skip
        return loader.read(within_s + 10, "load the page", self.trouble)

    @contextmanager
    def playing(self, node: str, url: str, *, for_s: float, **order: Any) -> Iterator[dict[str, Any]]:
        """A video that a node plays while the body runs; after it, the dictionary has `ok`, `error`, `stalled_s` and a row for
        each of its `segments` (see nodes/player, for `order` too). Raises StageError."""
        player, found = self._worker(node, "player"), dict[str, Any]()
        player.order({"url": url, "for_s": for_s, **order}, f"play {url}")
        began = time.monotonic()
        yield found
        left_s = max(0.0, for_s - (time.monotonic() - began)) + float(order.get("timeout_s", 60)) + 10
        found.update(player.read(left_s, f"play {url}", self.trouble))

    def flows(self, *flows: Flow, sample_ms: float = 100.0) -> Running:
        """Begin bulk flows together; `.results()` waits for their ends. Raises StageError."""
        return self._flows.begin(flows, sample_ms)

    def ping(self, node: str, target: str, seconds: float, every_ms: float = 100.0) -> Pinging:
        """Begin pinging a node from another; `.results()` waits for the end. Raises StageError."""
        return Pinging(self.lab, node, target, seconds, every_ms)

    def rest(self, a: str, b: str) -> None:
        """Wait until what is under way between two nodes has arrived: before a delay becomes shorter, since order is kept, and
        what is sent afterwards would wait behind it. A connection that is being closed takes one round trip and a half."""
        time.sleep(2 * self.lab.topology.path(a, b)[0] / 1e3)

    def _worker(self, node: str, name: str, says_ready: bool = False) -> Daemon:
        """The process on a node that takes orders of a kind; it is started once. Raises StageError."""
        if (node, name) not in self._workers:
            self._workers[node, name] = Daemon(self.lab, node, f"nodes.{name}", ["--worker"], self.logs,
                                               self._secrets(node, name), instrument=True)  # fmt: skip
            self.daemons.append(self._workers[node, name])
            if says_ready:
                self._workers[node, name].wait_ready()
        return self._workers[node, name]

    def load(self, urls: Mapping[str, str], *options: str, faults: str = "") -> Load:
        """Load servers from nodes, each with what it asks for: `{"client1": "http://edge1/objects/64KiB/{}"}`. All begin at
        once, each with the options of `longhaul node load` (for each of them, not for all together); `faults` is a timetable
        whose times count from the same beginning.

        Returns (columns for a row of trials.csv: those of `generators.COLUMNS`, rows for `keep`: one for each request).
        Requests that fail are a result; so is `unexpected` when a generator itself was late. Raises StageError.
        """
        steps = self.faults.check(faults) if faults else ()
        running = Generators(self.lab, urls, options, self.scratch, self.logs, 100 * self.trial)
        try:
            within_s = longest_s(options)
            return running.run(within_s, self.trouble,
                               lambda began_ns: self.faults.played(steps, began_ns) if steps else nullcontext())  # fmt: skip
        finally:
            running.stop()

    def _trust(self, url: str) -> dict[str, str]:
        """Whom the client of an https URL trusts: the lab's authority, and nobody where there is none."""
        return {"cacert": str(self.authority / AUTHORITY)} if url.startswith("https:") else {}

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


__all__ = ["ENGINES", "Daemon", "Load", "Stage", "StageError", "versions"]
