"""One client's socket: what waits to be sent, and which of its events are awaited.

It does not know HTTP. It never blocks: what the kernel does not take now waits here, and goes on when `pump` is called
for EPOLLOUT. `tls_wire.py` is the same with TLS.
"""

from __future__ import annotations

import os
import select
import socket
from collections import deque

from nodes.http.prepared import OpenFile

READ, WRITE = select.EPOLLIN, select.EPOLLOUT
RECEIVE_BYTES = 64 * 1024
TURN_BYTES = 1024 * 1024
"""At most so much leaves in one turn of a client, so that a fast one does not hold the others up."""


class FileSpan:
    """A part of a file that waits to be sent."""

    __slots__ = ("file", "left", "offset")

    def __init__(self, file: OpenFile | int, offset: int, left: int) -> None:
        self.file, self.offset, self.left = file, offset, left


class Wire:
    """A non-blocking socket in an epoll. After `close` it is in neither."""

    scheme = "http"
    plain = True
    """Whether the bytes of the socket are the client's own."""
    inner = False
    """Whether a worker of this daemon is at the other end."""
    ready = True
    """Whether a handshake is over."""

    peer: str | None = None
    """Who the client is, where the wire knows better than the socket."""

    def __init__(self, sock: socket.socket, epoll: select.epoll) -> None:
        self.sock, self.fd = sock, sock.fileno()
        self._epoll = epoll
        self._queue: deque[memoryview | FileSpan] = deque()
        self._mask = READ
        self.reads = True
        self.unsent_bytes = 0
        self.closed = False
        epoll.register(self.fd, READ)

    @property
    def waiting(self) -> bool:
        """Whether something still has to be sent."""
        return bool(self._queue)

    def open(self) -> bool:
        """Go on with the handshake, if there is one; True when it is over. Raises OSError."""
        return True

    def receive(self) -> bytes:
        """What has come; b"" at the end of the stream. Raises BlockingIOError, OSError."""
        return self.sock.recv(RECEIVE_BYTES)

    def put(self, data: bytes | memoryview) -> None:
        """Send these bytes after what waits."""
        self._queue.append(memoryview(data))
        self.unsent_bytes += len(data)

    def put_file(self, file: OpenFile | int, offset: int, count: int) -> None:
        """Send a part of a file, which stays open until it is sent."""
        if count:
            self._queue.append(FileSpan(file, offset, count))
            self.unsent_bytes += count

    def pump(self) -> int:
        """Send what the kernel takes now; gives how much. Raises OSError, and EOFError when a file is too short."""
        queue, budget = self._queue, TURN_BYTES
        try:
            while queue and budget > 0:
                item = queue[0]
                if isinstance(item, FileSpan):
                    sent = self._send_file(item, budget)
                    item.left -= sent
                    item.offset += sent
                    if not item.left:
                        queue.popleft()
                else:
                    sent = self._send(item, more=len(queue) > 1)
                    if sent == len(item):
                        queue.popleft()
                    else:
                        queue[0] = item[sent:]
                self.unsent_bytes -= sent
                budget -= sent
        except BlockingIOError:
            pass  # the kernel's buffer is full; EPOLLOUT tells when it is not
        self.watch()
        return TURN_BYTES - budget

    def watch(self) -> None:
        """Await the events that matter now."""
        mask = (READ if self.reads else 0) | (WRITE if self._queue else 0)
        if mask != self._mask and not self.closed:
            self._mask = mask
            self._epoll.modify(self.fd, mask)

    def answered(self, *, keep: bool) -> None:
        """A response is whole, and has been put; `keep` when another may follow."""

    def finish_sending(self) -> None:
        """Tell the client that nothing more comes. Raises OSError."""
        self.sock.shutdown(socket.SHUT_WR)

    def close(self, *, abort: bool = False) -> None:
        """Close; `abort` makes the client see a reset, so that it does not take a part for the whole."""
        if self.closed:
            return
        self.closed = True
        self._queue.clear()
        self._epoll.unregister(self.fd)
        if abort:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
        self.sock.close()

    def _send(self, data: memoryview, *, more: bool) -> int:
        # with MSG_MORE the head waits for the first bytes of the file behind it, and both leave in one segment
        return self.sock.send(data, socket.MSG_MORE if more else 0)

    def _send_file(self, span: FileSpan, most: int) -> int:
        descriptor = span.file if isinstance(span.file, int) else span.file.fd
        sent = os.sendfile(self.fd, descriptor, span.offset, min(span.left, most))
        if not sent:
            raise EOFError("the file is shorter than its length says")
        return sent
