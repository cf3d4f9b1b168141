"""Steering at size: ranked answers a second with 1,000 edges, 100,000 prefixes and 1,000,000 stored files.

Over HTTP the daemon has one processor and those who ask the other; the deciding alone is measured in this process.
"""

from __future__ import annotations

import ipaddress
import json
import random
import socket
import tempfile
import time
import urllib.request
from dataclasses import dataclass
from pathlib import Path

from experiments.harness.bench import Row
from experiments.harness.load.engine import Engine
from experiments.harness.load.errors import LoadError
from nodes.steering.directory import Directory
from nodes.steering.ranking import explain, rank
from nodes.steering.reports import parse

GOAL_PER_S = 2000.0
SERVER = "0"
CONNECTIONS, PIPELINED = 8, 8


@dataclass(frozen=True)
class Size:
    """How much steering knows. Each file is on one edge or more, each prefix is announced to one site or more."""

    edges: int
    per_site: int
    prefixes: int
    files: int
    asked: int


FULL = Size(1000, 2, 100_000, 1_000_000, 10_000)


def measure(repetitions: int) -> list[Row]:
    """Answers a second, alone and over HTTP."""
    return _measure(FULL, repetitions)


def quick() -> list[Row]:
    """The same, smaller."""
    return _measure(Size(100, 2, 2_000, 10_000, 500), 1)


def _measure(size: Size, repetitions: int) -> list[Row]:
    reports = world(size)
    directory = Directory(sorted({str(report["site"]) for report in reports}))
    began = time.perf_counter()
    for report in reports:
        directory.take(parse(report, time.time()))
    taking_s = time.perf_counter() - began
    if len(directory.prefixes) < size.prefixes or len(directory.files) < size.files:
        raise LoadError(f"could not measure steering: it knows {len(directory.prefixes)} prefixes and {len(directory.files)} "
                        "files, fewer than were told; mend `world`")  # fmt: skip
    questions = asked(size)
    alone = [_alone(directory, questions) for _ in range(repetitions)]
    over_http, log_lines = _over_http(reports, questions, repetitions)
    if log_lines < len(questions) * repetitions:
        raise LoadError(f"could not measure steering: its log has {log_lines} decisions of {len(questions) * repetitions}")
    what = f"{size.edges:,} edges, {size.prefixes:,} prefixes, {size.files:,} files"
    return [
        Row(f"ranked answers with reasons, {what}", "1/s", tuple(alone), at_least=GOAL_PER_S),
        Row("the same over HTTP, each decision logged", "1/s", tuple(over_http), at_least=GOAL_PER_S),
        Row("taking all their reports", "s", (taking_s,)),
    ]


def world(size: Size) -> list[dict[str, object]]:
    """One report of each edge. A quarter of the prefixes are IPv6; each is announced to one to three sites; every tenth site
    also announces the default routes, as sites at exchanges do, and these have all titles between them. A tenth of the titles
    is on ten edges more."""
    chance = random.Random(5)
    sites = size.edges // size.per_site
    routes: list[list[dict[str, object]]] = [[] for _ in range(sites)]
    for number in range(size.prefixes):
        for site in chance.sample(range(sites), chance.randint(1, 3)):
            routes[site].append({"prefix": prefix(number), "as_path": [64500 + n for n in range(chance.randint(1, 5))],
                                 "next_hop": "10.0.0.1", "rtt_ms": chance.randint(1, 300)})  # fmt: skip
    for site in range(0, sites, 10):
        for anything in ("0.0.0.0/0", "::/0"):
            routes[site].append({"prefix": anything, "as_path": [64499], "rtt_ms": chance.randint(1, 300)})
    files: list[list[str]] = [[] for _ in range(size.edges)]
    for number in range(size.files):
        files[number * size.per_site * 10 % size.edges].append(title(number))
        for edge in chance.sample(range(size.edges), 10) if number < size.files // 10 else ():
            files[edge].append(title(number))
    return [
        {"edge": f"edge{n}", "site": f"site{n // size.per_site}", "url": f"http://10.9.{n // 256}.{n % 256}", "at": time.time(),
         "health": {"used": {"cpu": chance.random() * 0.96, "network": chance.random() * 0.9}}, "files": files[n],
         "routes": [] if n % size.per_site else routes[n // size.per_site]}
        for n in range(size.edges)
    ]  # fmt: skip


def prefix(number: int) -> str:
    """The n-th prefix: of four, three are IPv4 of 24 bits, one IPv6 of 48."""
    if number % 4 == 3:
        return f"2001:{number >> 16:x}:{number & 0xFFFF:x}::/48"
    return f"{ipaddress.IPv4Address((20 << 24) + number * 256)}/24"


def title(number: int) -> str:
    """The n-th title."""
    return f"/titles/{number:07}/video.mp4"


def asked(size: Size) -> list[tuple[str, str]]:
    """Clients and titles: half ask for the tenth of the titles that is on ten edges."""
    chance = random.Random(6)
    found = []
    for _ in range(size.asked):
        network = ipaddress.ip_network(prefix(chance.randrange(size.prefixes)))
        number = chance.randrange(size.files // 10 if chance.random() < 0.5 else size.files)
        found.append((str(network[chance.randrange(1, 255)]), title(number)))
    return found


def _alone(directory: Directory, questions: list[tuple[str, str]]) -> float:
    began = time.perf_counter()
    answered, now_s = 0, max(edge.latest["health"] for edge in directory.edges.values())
    for client, wanted in questions:
        decision = rank(directory, ipaddress.ip_address(client), wanted, now_s)
        json.dumps(explain(decision))
        answered += bool(decision.candidates)
    if answered < 0.9 * len(questions):
        raise LoadError(f"could not measure steering: only {answered} of {len(questions)} questions had an answer")
    return len(questions) / (time.perf_counter() - began)


def _over_http(reports: list[dict[str, object]], questions: list[tuple[str, str]], repetitions: int) -> tuple[list[float], int]:
    sites = sorted({str(report["site"]) for report in reports})
    with tempfile.TemporaryDirectory(prefix="longhaul-bench-") as folder:
        log = Path(folder) / "steering.jsonl"
        options = [word for site in sites for word in ("--site", site)]
        with Engine("steering", *options, "--silent", "1h", "--log", str(log), cpus=SERVER) as engine:
            for report in reports:
                body = json.dumps(report).encode()
                with urllib.request.urlopen(urllib.request.Request(f"{engine.url}/-/reports", body, method="POST"), timeout=60):
                    pass
            heads = [f"GET /steer{wanted}?client={client} HTTP/1.1\r\nHost: s\r\n\r\n".encode() for client, wanted in questions]
            rates = [_ask(engine.host, engine.port, heads) for _ in range(repetitions)]
        lines = sum('"decision"' in line for line in log.open(encoding="utf-8"))
    return rates, lines


def _ask(host: str, port: int, heads: list[bytes]) -> float:
    """Answers a second to requests over a few connections, each with a few requests under way."""
    socks = [socket.create_connection((host, port), timeout=30) for _ in range(CONNECTIONS)]
    began = time.perf_counter()
    step = CONNECTIONS * PIPELINED
    for start in range(0, len(heads), step):
        shares = [heads[start + n : start + step : CONNECTIONS] for n in range(CONNECTIONS)]
        for sock, share in zip(socks, shares, strict=True):
            sock.sendall(b"".join(share))
        for sock, share in zip(socks, shares, strict=True):
            _hear(sock, len(share))
    elapsed_s = time.perf_counter() - began
    for sock in socks:
        sock.close()
    return len(heads) / elapsed_s


def _hear(sock: socket.socket, count: int) -> None:
    """So many whole answers. Raises LoadError."""
    heard = b""
    for _ in range(count):
        while (end := heard.find(b"\r\n\r\n")) < 0:
            heard += _more(sock)
        head = heard[:end].lower()
        length = int(head.split(b"content-length: ")[1].split(b"\r\n")[0])
        if not head.startswith((b"http/1.1 200", b"http/1.1 404", b"http/1.1 503")):
            raise LoadError(f"could not measure steering: it said {head[:80]!r}")
        while len(heard) < end + 4 + length:
            heard += _more(sock)
        heard = heard[end + 4 + length :]


def _more(sock: socket.socket) -> bytes:
    data = sock.recv(1 << 20)
    if not data:
        raise LoadError("could not measure steering: it closed a connection; see what it said above")
    return data
