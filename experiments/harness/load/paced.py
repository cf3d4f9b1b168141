"""A client that sends at a steady rate whatever comes back, and measures each answer from the moment it was due.

So a server that stalls for a moment delays all that was due meanwhile, and none of it is omitted (wrk waits for answers, and
would omit them). It runs as a process of its own on a processor of its own, which it keeps busy:
`python -m experiments.harness.load.paced HOST PORT TARGET RATE SECONDS CONNECTIONS` prints one line of JSON.
"""

from __future__ import annotations

import gc
import json
import select
import socket
import subprocess
import sys
import time
from collections import deque
from dataclasses import asdict, dataclass

from experiments.harness.load.errors import LoadError, TooSlowError
from nodes.load.summary import percentile

DRAIN_S = 1.0
LEAST_OF_RATE = 0.99


@dataclass(frozen=True)
class Latencies:
    """Of one run. `late_p99_us` is how late this client itself sent, when a connection was free: its own error."""

    rate_per_s: float
    p50_us: float
    p99_us: float
    most_us: float
    late_p99_us: float


def measure(host: str, port: int, target: str, rate_per_s: float, seconds: float, connections: int, cpus: str) -> Latencies:
    """Run the client on these processors. Raises LoadError when it could not keep the rate."""
    command = ["taskset", "-c", cpus, sys.executable, "-P", "-m", __name__, host, str(port), target, str(rate_per_s),
               str(seconds), str(connections)]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, timeout=seconds + DRAIN_S + 30, check=False)
    if done.returncode != 0:
        said = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
        raise LoadError(f"could not drive {target}: {said}; see the server's log")
    found = Latencies(**json.loads(done.stdout))
    if found.rate_per_s < LEAST_OF_RATE * rate_per_s:
        raise TooSlowError(f"could not drive {target} at {rate_per_s:.0f}/s: {found.rate_per_s:.0f}/s were answered; "
                           "end what else uses the processors")
    return found


def drive(host: str, port: int, target: str, rate_per_s: float, seconds: float, connections: int) -> Latencies:
    """In this process. Raises ConnectionError when the server closes, LoadError when it answers something else than 200."""
    socks = {sock.fileno(): sock for sock in (_connected(host, port) for _ in range(connections))}
    request = f"GET {target} HTTP/1.1\r\nHost: {host}:{port}\r\n\r\n".encode()
    epoll = select.epoll()
    for descriptor in socks:
        epoll.register(descriptor, select.EPOLLIN)
    whole_of = _body_bytes(next(iter(socks.values())), request)
    free, sent_for = deque(socks), dict.fromkeys(socks, 0)
    partly: dict[int, bytes] = {}
    taken: list[int] = []
    late: list[int] = []
    total, step_ns = round(rate_per_s * seconds), 1e9 / rate_per_s
    clock, poll = time.perf_counter_ns, epoll.poll
    gc.disable()
    begun = clock() + 1_000_000
    number, due, now, waiting = 0, begun, clock(), False
    end = begun + round((seconds + DRAIN_S) * 1e9)
    while len(taken) < total and now < end:
        now = clock()
        while due <= now and number < total and free:
            descriptor = free.popleft()
            socks[descriptor].send(request)
            sent_for[descriptor] = due
            if not waiting:
                late.append(now - due)
            number += 1
            due = begun + round(number * step_ns)
        waiting = due <= now and not free  # what is due waits for the server then, which is no lateness of ours
        for descriptor, _ in poll(0):
            data = socks[descriptor].recv(65536)
            if not data:
                raise ConnectionError("the server closed a connection")
            if descriptor in partly:
                data = partly.pop(descriptor) + data
            if len(data) - data.find(b"\r\n\r\n") - 4 < whole_of or b"\r\n\r\n" not in data:
                partly[descriptor] = data
                continue
            if not data.startswith(b"HTTP/1.1 200"):
                raise LoadError(f"the server answered {data[:40]!r}")
            taken.append(clock() - sent_for[descriptor])
            free.append(descriptor)
    gc.enable()
    last = clock()
    for sock in socks.values():
        sock.close()
    answered_s = max((last - begun) / 1e9, seconds)
    us = [value / 1e3 for value in taken]
    return Latencies(len(taken) / answered_s, percentile(us, 0.5), percentile(us, 0.99), max(us),
                     percentile(late, 0.99) / 1e3)  # fmt: skip


def _connected(host: str, port: int) -> socket.socket:
    sock = socket.create_connection((host, port), timeout=5)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return sock


def _body_bytes(sock: socket.socket, request: bytes) -> int:
    """How long the content of the answer is; it is read away."""
    sock.sendall(request)
    data = b""
    while b"\r\n\r\n" not in data:
        data += sock.recv(65536)
    head, _, body = data.partition(b"\r\n\r\n")
    lengths = [int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")]
    if not head.startswith(b"HTTP/1.1 200") or not lengths:
        raise LoadError(f"the server answered {head[:40]!r}")
    while len(body) < lengths[0]:
        body += sock.recv(65536)
    return lengths[0]


if __name__ == "__main__":
    _, host_, port_, target_, rate_, seconds_, connections_ = sys.argv
    print(json.dumps(asdict(drive(host_, int(port_), target_, float(rate_), float(seconds_), int(connections_)))))
