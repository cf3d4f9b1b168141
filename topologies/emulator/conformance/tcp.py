"""One TCP connection that always has something to send, and what of it has arrived when. It is not a benchmark tool.

Only complete moments count: those at which the receiving socket had been emptied, so that the bytes read by then are all
that had arrived in order.
"""

from __future__ import annotations

import math
import socket
import threading
import time
from bisect import bisect_left
from collections.abc import Iterator
from contextlib import contextmanager

from topologies.emulator.links.netns import socket_in

_LOOK_S = 0.001
_BLOCK = 1 << 20
_PATIENCE_S = 20.0
CONGESTION_CONTROL = b"cubic"


class Transfer:
    """A connection from `source` to `target`, each a (pid, address), with buffers of `buffer_bytes`. Use it as a context."""

    def __init__(self, source: tuple[int, str], target: tuple[int, str], buffer_bytes: int) -> None:
        self.samples: list[tuple[float, int]] = []
        self.received = 0
        self._stop = threading.Event()
        with socket_in(target[0], socket.AF_INET, socket.SOCK_STREAM) as server:
            server.bind((target[1], 0))
            server.listen(1)
            self._out = socket_in(source[0], socket.AF_INET, socket.SOCK_STREAM)
            self._out.setsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, CONGESTION_CONTROL)
            self._out.settimeout(_PATIENCE_S)
            self._out.connect(server.getsockname())
            self._into, _ = server.accept()
        self._into.setblocking(False)

    def __enter__(self) -> Transfer:
        return self

    def __exit__(self, *_: object) -> None:
        self._into.close()
        self._out.close()

    def run(self, seconds: float) -> None:
        """Send for so long; `samples` has (seconds since the beginning, bytes in order by then), `received` all bytes."""
        with self._sending():
            self._receive(time.monotonic() + seconds)

    @contextmanager
    def running(self) -> Iterator[None]:
        """Send while the body runs."""
        receiver = threading.Thread(target=self._receive, args=(math.inf,), daemon=True)
        with self._sending():
            receiver.start()
            yield
        receiver.join(_PATIENCE_S)

    @contextmanager
    def _sending(self) -> Iterator[None]:
        sender = threading.Thread(target=self._send, daemon=True)
        sender.start()
        try:
            yield
        finally:
            self._stop.set()
            self._out.shutdown(socket.SHUT_RDWR)
            sender.join(_PATIENCE_S)

    def _receive(self, until: float) -> None:
        room, began = bytearray(_BLOCK), time.monotonic()
        while (now := time.monotonic()) < until and not self._stop.is_set():
            try:
                self.received += self._into.recv_into(room)
            except BlockingIOError:
                self.samples.append((now - began, self.received))
                time.sleep(_LOOK_S)

    def _send(self) -> None:
        block = bytes(_BLOCK // 4)
        try:
            while not self._stop.is_set():
                self._out.sendall(block)
        except OSError:
            if not self._stop.is_set():
                raise

    def goodput_bps(self, begin_s: float, end_s: float) -> float:
        """Payload a second between two of the complete moments, the first from `begin_s` and the last until `end_s`."""
        times = [at for at, _ in self.samples]
        first, last = bisect_left(times, begin_s), bisect_left(times, end_s) - 1
        if last <= first:
            return 0.0
        return (self.samples[last][1] - self.samples[first][1]) * 8 / (times[last] - times[first])
