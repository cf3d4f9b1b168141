"""LRU and FIFO in a running edge: a Zipf stream over one connection has the hit ratio that theory gives."""

from __future__ import annotations

import socket
from collections.abc import Callable

import pytest

from nodes.edge.simulator.requests import Chunk
from nodes.edge.simulator.simulation import simulate
from tests.nodes.policies.approximations import fifo_hit_ratio, lru_hit_ratio, requests, zipf
from tests.nodes.wirekit import Daemon

OBJECTS, ROOM, WARM_UP, COUNTED = 400, 40, 1_000, 5_000


def is_hit(sock: socket.socket, number: int) -> bool:
    """Ask for one object of 100 bytes; whether the edge had it."""
    sock.sendall(f"GET /objects/100B/k{number:04} HTTP/1.1\r\nHost: test\r\n\r\n".encode())
    heard = b""
    while len(heard.partition(b"\r\n\r\n")[2]) < 100:
        data = sock.recv(1 << 16)
        assert data, heard
        heard += data
    head, _, body = heard.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 "), head
    assert len(body) == 100
    return b"edge1; hit;" in head


@pytest.mark.slow
@pytest.mark.parametrize(("policy", "theory"), [("lru", lru_hit_ratio), ("fifo", fifo_hit_ratio)])
def test_the_hit_ratio_of_a_zipf_stream_through_the_edge_is_that_of_theory(
    origin: Daemon, edge_for: Callable[..., Daemon], policy: str, theory: Callable[..., float]
) -> None:
    measuring = edge_for(origin.url)
    measuring.get("/objects/100B/k0000")
    file_bytes = measuring.stats()["used_bytes"]
    measuring.stop()
    edge = edge_for(origin.url, "--policy", policy, capacity=f"{ROOM * file_bytes}B")
    probabilities = zipf(OBJECTS, 0.8)
    keys = requests(probabilities, WARM_UP + COUNTED, seed=1).tolist()
    with socket.create_connection(("127.0.0.1", edge.port), timeout=5) as sock:
        hits = [is_hit(sock, key) for key in keys]
    assert edge.stats()["used_bytes"] <= ROOM * file_bytes
    ratio = sum(hits[WARM_UP:]) / COUNTED
    simulated = simulate([Chunk(keys, [1] * len(keys))], policy, ROOM, warm_up=WARM_UP).tally.object_hit_ratio
    assert ratio == pytest.approx(theory(probabilities, ROOM), abs=0.01)
    assert ratio == pytest.approx(simulated, abs=0.01)
