"""Several workers are one edge: one fetch for an object, hits by each, and nothing old from any of them."""

import asyncio
import json
import re
import socket
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from unittest.mock import AsyncMock, Mock

import pytest

from nodes.edge.worker import EdgeWorker
from nodes.http.message import Fields, Request
from nodes.http.prepared import LONGEST_HEAD_BYTES
from nodes.origin.generate import content
from tests.nodes.edge.kept import get
from tests.nodes.wirekit import Daemon, ScriptedOrigin, ok

Edges = Callable[..., Daemon]
Scripts = Callable[..., ScriptedOrigin]


def records(log: Path) -> list[dict[str, object]]:
    """The access log."""
    return [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]


@pytest.mark.parametrize(("size", "count"), [("1KB", 1000), ("300KB", 300_000)])
def test_each_worker_answers_hits_itself(origin: Daemon, edge_for: Edges, tmp_path: Path, size: str, count: int) -> None:
    log = tmp_path / "log"
    edge = edge_for(origin.url, "--workers", "2", "--log", str(log))
    bodies = [get(edge, f"/objects/{size}/w").body for _ in range(60)]
    assert all(body == content("w", count, 0, count) for body in bodies)
    assert edge.stats()["origin_requests"] == 1
    edge.stop()
    told = [one for one in records(log) if one["target"] != "/-/cache"]
    assert len(told) == 60
    by = [sum(one["worker"] == worker for one in told if one["result"] == "TCP_HIT") for worker in (0, 1)]
    assert min(by) >= 5, by


def test_one_fetch_for_all_workers(script: Scripts, edge_for: Edges) -> None:
    go = threading.Event()

    def answer(head: str, sock: socket.socket) -> None:
        go.wait(5)
        sock.sendall(ok(b"data" * 1000, "Cache-Control: max-age=60"))

    behind = script(answer)
    edge = edge_for(behind.url, "--workers", "3")
    with ThreadPoolExecutor(30) as pool:
        waiting = [pool.submit(edge.get, "/x") for _ in range(30)]
        while edge.stats()["collapsed"] < 29:
            pass
        go.set()
        assert all(one.result().body == b"data" * 1000 for one in waiting)
    assert len(behind.heads) == 1


def test_what_an_unsafe_request_ends_no_worker_gives_again(script: Scripts, edge_for: Edges) -> None:
    version, lock = 0, threading.Lock()

    def answer(head: str, sock: socket.socket) -> None:
        nonlocal version
        with lock:
            if head.startswith("POST"):
                version += 1
            sock.sendall(ok(f"{version}".encode(), "Cache-Control: max-age=60"))

    edge = edge_for(script(answer).url, "--workers", "2")
    for wanted in range(1, 16):
        for _ in range(6):
            get(edge, "/x")
        assert edge.get("/x", method="POST").body == f"{wanted}".encode()
        assert [get(edge, "/x").body for _ in range(6)] == [f"{wanted}".encode()] * 6


@pytest.mark.parametrize(("length", "wants"), [(100, 2), (LONGEST_HEAD_BYTES, 0)])
def test_a_worker_asks_only_for_answers_that_may_be_ready(tmp_path: Path, length: int, wants: int) -> None:
    team, worker = AsyncMock(tell_home=Mock()), EdgeWorker("edge1", tmp_path, 10, 2**20)
    worker.join(team)
    head = b"GET / HTTP/1.1\r\nX: " + b"x" * length + b"\r\n\r\n"
    request = Request("GET", "/", "1.1", Fields(), "/", "", raw=head)
    for _ in range(4):
        asyncio.run(worker.handle(request, Mock()))
    assert team.relay.await_count == 4
    assert team.tell_home.call_count == wants
    assert not worker._relayed


def test_metrics_are_those_of_all_workers(origin: Daemon, edge_for: Edges) -> None:
    edge = edge_for(origin.url, "--workers", "2")
    for _ in range(40):
        get(edge, "/objects/1KB/m")
    text = edge.metrics()
    hits = sum(float(line.split()[-1]) for line in text.splitlines() if re.match('longhaul_requests_.*result="TCP_HIT"', line))
    assert hits == 39
    assert edge.stats()["hits"] <= 39
