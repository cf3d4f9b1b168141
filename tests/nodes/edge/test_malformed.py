"""10,000 malformed requests to an edge: each gets an error of the client or a closed connection, and good ones go on as before.

What each single fault is answered with stands in `framing_cases.py`.
"""

from __future__ import annotations

import random
import re
import socket
import time
from collections.abc import Callable, Iterator

from tests.nodes.framing_cases import CASES
from tests.nodes.wire_dialogues import chunked, get, post
from tests.nodes.wirekit import Daemon, hear

COUNT, AT_ONCE = 10_000, 20
FAULTS = [b"\x00", b"\r", b"\n", b" ", b":", b"\xff", b"\r\n", b";", b"0"]
BAD = [
    (said.replace(b"POST / ", b"POST /echo "), status)  # whose content is read, where the fault may be
    for section in CASES.values() for said, status in section if status >= 400 and len(said) < 3000
]  # fmt: skip
RIGHT = [get("/echo"), post("/echo", b"abc"), chunked("/echo", b"1\r\na\r\n0\r\n\r\n")]


def malformed(seed: int) -> Iterator[tuple[bytes, int | None]]:
    """What an attacker who knows the grammar says: known faults with their status, valid requests with faults, and noise."""
    seeded = random.Random(seed)
    while True:
        kind = seeded.random()
        said = bytearray(seeded.choice([*(case for case, _ in BAD), *RIGHT]))
        if kind < 0.5:
            yield seeded.choice(BAD)
        elif kind < 0.9:
            for _ in range(seeded.randint(1, 4)):
                place = seeded.randrange(len(said))
                said[place : place + seeded.randint(0, 2)] = seeded.choice(FAULTS)
            yield bytes(said), None
        else:
            yield seeded.randbytes(seeded.randint(1, 200)), None


def statuses(edge: Daemon, batch: list[tuple[bytes, int | None]]) -> list[list[int]]:
    """All of them at the same time; what each is answered with until the edge closes."""
    socks = []
    for said, status in batch:
        socks.append(socket.create_connection(("127.0.0.1", edge.port), timeout=10))
        socks[-1].sendall(said)
        if status is None:
            socks[-1].shutdown(socket.SHUT_WR)  # it may be the beginning of something right; a known fault is told unasked
    heard = []
    for sock in socks:
        with sock:
            heard.append([int(found) for found in re.findall(rb"HTTP/1\.1 (\d{3}) ", hear(sock))])
    return heard


def good_s(edge: Daemon) -> float:
    """How long a right request on a new connection takes, through the edge to the origin and back."""
    before = time.monotonic()
    assert edge.get("/echo", method="POST", body=b"abc").body == b"abc"
    return time.monotonic() - before


def test_10000_malformed_requests(wire: Daemon, edge_for: Callable[..., Daemon]) -> None:
    edge, requests = edge_for(wire.url), malformed(9112)
    took, errors = [], 0
    for _ in range(COUNT // AT_ONCE):
        batch = [next(requests) for _ in range(AT_ONCE)]
        for (said, status), heard in zip(batch, statuses(edge, batch), strict=True):
            assert all(one < 500 or one in (501, 505) for one in heard), said  # no fault of a client is one of the server
            if status is not None:
                assert heard == [status], said
            errors += bool(heard and heard[-1] >= 400)
        took.append(good_s(edge))
    assert errors > 0.7 * COUNT
    assert max(took) < 1.0
    assert sorted(took)[len(took) // 2] < 0.05
    for daemon, metrics in ((edge, "/-/metrics"), (wire, "/metrics")):
        told = daemon.get(metrics).body.decode()
        assert re.search(r"^longhaul_internal_errors_total\{.*\} 0$", told, re.M)
    assert edge.stats()["fetches_running"] == 0
    assert edge.stats()["reserved_bytes"] == 0
