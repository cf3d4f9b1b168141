"""The time to the first byte of an answer, one request after another on one connection. It does not check the content."""

from __future__ import annotations

import re
import socket
import statistics
import time

from experiments.harness.load.engine import Engine
from experiments.harness.load.errors import LoadError

_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)


def median_ms(engine: Engine, target: str, count: int) -> float:
    """Of so many requests."""
    asked = f"GET {target} HTTP/1.1\r\nHost: {engine.host}:{engine.port}\r\n\r\n".encode()
    took = []
    with socket.create_connection((engine.host, engine.port), timeout=10) as sock:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for _ in range(count):
            began = time.perf_counter()
            sock.sendall(asked)
            data = sock.recv(65536)
            took.append(time.perf_counter() - began)
            _rest(sock, data)
    return statistics.median(took) * 1e3


def _rest(sock: socket.socket, data: bytes) -> None:
    """Take the answer to its end."""
    while b"\r\n\r\n" not in data:
        more = sock.recv(65536)
        if not more:
            raise LoadError(f"could not measure first bytes: the answer ended after {data[:60]!r}")
        data += more
    head, _, content = data.partition(b"\r\n\r\n")
    length = _LENGTH.search(head)
    if not head.startswith(b"HTTP/1.1 200") or length is None:
        raise LoadError(f"could not measure first bytes: the answer is {head[:60]!r}")
    left = int(length[1]) - len(content)
    while left > 0:
        left -= len(sock.recv(min(left, 65536)))
