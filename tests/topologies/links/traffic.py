"""Numbered datagrams between two namespaces, with the kernel's receive stamps."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
import time
from collections.abc import Iterator

from topologies.emulator.links import netns
from topologies.emulator.links.probe import Target, stamps

HEADERS = 14 + 20 + 8


class Stream:
    """From one end of a link to the other. `arrived` has (number, ms on the way) in the order of arrival, `came_ms` when."""

    def __init__(self, target: Target, way: str = "a_to_b") -> None:
        ends = ((target.pid_a, target.ip_a), (target.pid_b, target.ip_b))
        (source, _), (sink, self._address) = ends if way == "a_to_b" else reversed(ends)
        self._out = netns.socket_in(source, socket.AF_INET, socket.SOCK_DGRAM)
        self._out.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 22)
        self._in = netns.socket_in(sink, socket.AF_INET, socket.SOCK_DGRAM)
        stamps.prepare(self._in, 1 << 24)
        self._in.bind(("", 9000))
        self.sent = 0
        self.arrived: list[tuple[int, float]] = []
        self.came_ms: list[float] = []

    def send(self, frames: int, frame_bytes: int = 100, gap_s: float = 0.0) -> None:
        """So many at once, or one every `gap_s`."""
        began = time.monotonic()
        for number in range(frames):
            if gap_s:
                time.sleep(max(0.0, began + number * gap_s - time.monotonic()))
            head = struct.pack("QQ", self.sent, time.time_ns())
            self._out.sendto(head + bytes(frame_bytes - HEADERS - len(head)), (self._address, 9000))
            self.sent += 1
            if gap_s:
                self.collect()

    def collect(self, wait_s: float = 0.0) -> list[tuple[int, float]]:
        """What has arrived, after waiting for the rest."""
        time.sleep(wait_s)
        while (one := stamps.receive(self._in)) is not None:
            number, sent_ns = struct.unpack_from("QQ", one[0])
            self.arrived.append((number, (one[1] - sent_ns) / 1e6))
            self.came_ms.append(one[1] / 1e6)
        return self.arrived

    @property
    def numbers(self) -> list[int]:
        """Of what arrived."""
        return [number for number, _ in self.arrived]

    def close(self) -> None:
        """Both sockets."""
        self._out.close()
        self._in.close()


def transfer(a: int, b: int, address: str, size_bytes: int) -> int:
    """So many bytes by one TCP connection from the namespace of a process to that of another; the most that came at once."""
    with netns.socket_in(b, socket.AF_INET, socket.SOCK_STREAM) as server:
        server.bind(("", 80))
        server.listen()
        with netns.socket_in(a, socket.AF_INET, socket.SOCK_STREAM) as client:
            client.settimeout(20)
            client.connect((address, 80))
            sender = threading.Thread(target=client.sendall, args=(bytes(size_bytes),), daemon=True)
            sender.start()
            accepted, _ = server.accept()
            with accepted:
                accepted.settimeout(20)
                got, most = 0, 0
                while got < size_bytes:
                    taken = len(accepted.recv(1 << 20))
                    got, most = got + taken, max(most, taken)
            sender.join(20)
    return most


@contextlib.contextmanager
def stream(target: Target, way: str = "a_to_b") -> Iterator[Stream]:
    """One that is closed afterwards."""
    made = Stream(target, way)
    try:
        yield made
    finally:
        made.close()
