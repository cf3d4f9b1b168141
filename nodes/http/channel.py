"""A channel between two workers of one daemon: small messages in order, and descriptors with them.

It gives the messages no meaning (`team.py` does). It never blocks: what the other end does not take now waits here.
"""

from __future__ import annotations

import array
import asyncio
import json
import socket
from collections import deque
from collections.abc import Callable

from nodes.http.application import Message

LARGEST_BYTES = 1024 * 1024
MOST_DESCRIPTORS = 4

OnMessage = Callable[[Message, list[int]], None]


def pair() -> tuple[socket.socket, socket.socket]:
    """Two ends, not yet in use."""
    ends = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    for end in ends:
        end.setblocking(False)
        end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, LARGEST_BYTES)
    return ends


class Channel:
    """One end. `on_message` gets what comes, `on_end` is called when the other end is gone."""

    def __init__(self, sock: socket.socket, on_message: OnMessage, on_end: Callable[[], None]) -> None:
        self._sock, self._on_message, self._on_end = sock, on_message, on_end
        self._loop = asyncio.get_running_loop()
        self._queue: deque[tuple[bytes, int | None]] = deque()
        self._loop.add_reader(sock.fileno(), self._readable)

    def send(self, message: Message, passed: socket.socket | None = None) -> None:
        """Send a message, perhaps with a socket, which stays the caller's."""
        # Not escaped to ASCII: fields of 128 KiB would become six times as long, more than a usual kernel takes at once.
        data = json.dumps(message, separators=(",", ":"), ensure_ascii=False).encode()
        if self._sock.fileno() < 0:
            return
        descriptor = None if passed is None else passed.fileno()
        if not self._queue and self._try(data, descriptor):
            return
        if passed is not None:
            descriptor = passed.dup().detach()
        if not self._queue:
            self._loop.add_writer(self._sock.fileno(), self._writable)
        self._queue.append((data, descriptor))

    def close(self) -> None:
        """No more messages."""
        if self._sock.fileno() >= 0:
            self._loop.remove_reader(self._sock.fileno())
            self._loop.remove_writer(self._sock.fileno())
            self._sock.close()

    def _try(self, data: bytes, descriptor: int | None) -> bool:
        """Whether it is with the kernel, or with nobody because the other end is gone."""
        passed = [] if descriptor is None else [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [descriptor]))]
        try:
            self._sock.sendmsg([data], passed)
        except BlockingIOError:
            return False
        except (BrokenPipeError, ConnectionResetError):
            return True  # told by the reader
        return True

    def _writable(self) -> None:
        while self._queue:
            data, descriptor = self._queue[0]
            if not self._try(data, descriptor):
                return
            self._queue.popleft()
            if descriptor is not None:
                socket.close(descriptor)
        self._loop.remove_writer(self._sock.fileno())

    def _readable(self) -> None:
        while self._sock.fileno() >= 0:
            try:
                data, descriptors, _, _ = socket.recv_fds(self._sock, LARGEST_BYTES, MOST_DESCRIPTORS)
            except BlockingIOError:
                return
            except ConnectionResetError:
                data, descriptors = b"", []
            if not data:
                self.close()
                self._on_end()
                return
            self._on_message(json.loads(data), descriptors)
