"""A leader asks for what is not cached, a follower for the same while it comes: when has the follower its first byte?

It reads on as a real client would; it does not check the content.
"""

from __future__ import annotations

import socket
import threading
import time

from experiments.harness.load.engine import Engine
from experiments.harness.load.errors import LoadError

WITHIN_S = 30.0


def first_byte_ms(engine: Engine, target: str) -> float:
    """The follower's time from its request to its first byte of content; it asks when the leader has its own first one."""
    with _ask(engine, target) as leader:
        _until_content(leader)
        reading = threading.Thread(target=_read_on, args=(leader,))
        reading.start()
        began = time.perf_counter()
        with _ask(engine, target) as follower:
            _until_content(follower)
            took_ms = (time.perf_counter() - began) * 1e3
        leader.shutdown(socket.SHUT_RDWR)
        reading.join()
    return took_ms


def _ask(engine: Engine, target: str) -> socket.socket:
    sock = socket.create_connection((engine.host, engine.port), timeout=WITHIN_S)
    sock.sendall(f"GET {target} HTTP/1.1\r\nHost: {engine.host}:{engine.port}\r\nConnection: close\r\n\r\n".encode())
    return sock


def _until_content(sock: socket.socket) -> None:
    data = b""
    while not data.partition(b"\r\n\r\n")[2]:
        more = sock.recv(65536)
        if not more:
            raise LoadError(f"could not measure a follower: the answer ended after {data[:60]!r}")
        data += more
    if not data.startswith(b"HTTP/1.1 200"):
        raise LoadError(f"could not measure a follower: the answer is {data[:40]!r}")


def _read_on(sock: socket.socket) -> None:
    while sock.recv(1 << 20):
        pass
