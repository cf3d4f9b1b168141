"""A balancer in front of scripted nodes, for dialogues."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from tests.nodes.wirekit import Daemon, ScriptedOrigin, ok

QUICK = ("--check-interval", "50ms", "--check-timeout", "40ms")
"""With the usual 3 bad checks a dead node is known within 200 ms: four intervals, the first of which may just have passed."""
KNOWN_S = 0.2 + 0.04
NO_CHECKS = ("--checks", "off")


class Balanced:
    """One balancer; `nodes` are the scripted ones by name, two in each zone."""

    scripts: Any
    """Of the nodes, by name, where they have such."""

    def __init__(self, start: Callable[..., Daemon], folder: Path, nodes: Mapping[str, ScriptedOrigin], *options: str) -> None:
        self.nodes, self.file = nodes, folder / "members.json"
        self.write(self.data())
        self.daemon = start("balancer", "--members", str(self.file), "--name", "bal", "--seed", "1",
                            "--log", str(folder / "bal.jsonl"), *options)  # fmt: skip

    def data(self, **changed: dict[str, Any]) -> dict[str, Any]:
        """Members: node `a1` is in zone `a`."""
        zones = {name[0]: {"distance": f"{ord(name[0]) - ord('a')}ms"} for name in self.nodes}
        return {"zones": zones, "nodes": {name: {"zone": name[0], "url": node.url, **changed.get(name, {})}
                                          for name, node in self.nodes.items()}}  # fmt: skip

    def write(self, data: object) -> None:
        self.file.write_text(json.dumps(data))

    def health(self) -> dict[str, str]:
        """Of each node, one word."""
        return {name: node["health"] for name, node in json.loads(self.daemon.get("/-/status").body)["nodes"].items()}

    def until(self, node: str, health: str, within_s: float) -> float:
        """Wait for a node's health; gives how long it took."""
        began = time.monotonic()
        while self.health()[node] != health:
            assert time.monotonic() < began + within_s, f"{node} is {self.health()[node]}, not {health}, after {within_s} s"
            time.sleep(0.005)
        return time.monotonic() - began

    def chosen(self, times: int, path: str = "/x") -> list[str]:
        """Which nodes answered so many requests; every one must succeed."""
        found = []
        for _ in range(times):
            answer = self.daemon.get(path)
            assert answer.status == 200, answer.raw
            found.append(answer.body.decode())
        return found

    def change(self, change: object, *fields: str, method: str = "PATCH") -> Any:
        """One call of the control interface."""
        return self.daemon.get("/-/members", *fields, method=method, body=json.dumps(change).encode())

    def records(self) -> list[dict[str, Any]]:
        """The access log without the control calls."""
        self.daemon.get("/-/status")
        lines = map(json.loads, self.daemon.log.read_text().splitlines())
        return [line for line in lines if not line["target"].startswith("/-/")]


class Node:
    """A script for a node: answers with its name, and does what its flags say. Checks see `healthy` only."""

    def __init__(self, name: str, slow_s: float = 0.0) -> None:
        self.name, self.healthy, self.requests = name, True, 0
        self.breaks = False
        """Close the connection instead of answering."""
        self.slow_s = slow_s
        self.status, self.fields = "200 OK", list[str]()

    def __call__(self, head: str, sock: Any) -> bool | None:
        if head.startswith("GET /-/healthz"):
            sock.sendall(ok(b"ok") if self.healthy else ok(b"", status="503 Service Unavailable"))
            return False
        self.requests += 1
        if self.breaks:
            return False
        time.sleep(self.slow_s)
        sock.sendall(ok(self.name.encode(), *self.fields, status=self.status))
        return None
