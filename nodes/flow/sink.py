"""A sink: it takes connections and throws away what comes, as fast as it comes. It counts nothing; the sender's kernel does."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import socket

from nodes.flow.order import Sink

_ROOM = 1 << 20
_TCP_WINDOW_CLAMP, _SO_RCVBUFFORCE = 10, 33


class Listening:
    """An open sink; `port` is where it listens. Raises OSError when it cannot."""

    def __init__(self, order: Sink, loop: asyncio.AbstractEventLoop) -> None:
        self._loop, self._window_bytes = loop, order.window_bytes
        self._nowhere = bytearray(_ROOM)
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        try:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            # Before listening: the window's scale is agreed upon in the handshake, and connections inherit both.
            if order.receive_buffer_bytes is not None:
                self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, order.receive_buffer_bytes)
            if order.window_bytes is not None:
                self._clamp(order.window_bytes, order.receive_buffer_bytes)
            self._socket.bind((order.host, order.port))
            self._socket.listen(1024)
        except OSError:
            self._socket.close()
            raise
        self._socket.setblocking(False)
        self.port = int(self._socket.getsockname()[1])
        loop.add_reader(self._socket, self._accept)

    def _clamp(self, window_bytes: int, buffer_bytes: int | None) -> None:
        """Advertise no more than that. Linux makes the clamp follow a buffer that it tunes, so the buffer is fixed as well,
        unless it was given: at four times the window, since the kernel counts what packets weigh in memory; at least twice."""
        if buffer_bytes is None:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2 * window_bytes)  # the kernel doubles it
            if self._granted() < 4 * window_bytes:
                with contextlib.suppress(PermissionError):
                    self._socket.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, 2 * window_bytes)
            if (granted := self._granted()) < 2 * window_bytes:
                raise OSError(errno.ENOBUFS, f"a window of {window_bytes} bytes needs a buffer of {2 * window_bytes}, and the "
                              f"kernel grants {granted}; raise net.core.rmem_max or use a smaller window")  # fmt: skip
        self._socket.setsockopt(socket.IPPROTO_TCP, _TCP_WINDOW_CLAMP, window_bytes)

    def _granted(self) -> int:
        return self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF)

    def _accept(self) -> None:
        try:
            taken, _ = self._socket.accept()
        except OSError:
            return  # it went away before it was taken
        taken.setblocking(False)
        self._loop.add_reader(taken, self._take, taken)

    def _take(self, taken: socket.socket) -> None:
        if self._window_bytes is not None:
            # Again and again: Linux lifts the clamp when it learns how much memory a segment takes (tcp_measure_rcv_mss).
            with contextlib.suppress(OSError):
                taken.setsockopt(socket.IPPROTO_TCP, _TCP_WINDOW_CLAMP, self._window_bytes)
        try:
            # MSG_TRUNC of a TCP socket: the kernel throws the bytes away itself (tcp(7)).
            got = taken.recv_into(self._nowhere, _ROOM, socket.MSG_TRUNC)
        except BlockingIOError:
            return
        except OSError:  # a sender that ended by a reset
            got = 0
        if not got:
            self._loop.remove_reader(taken)
            taken.close()
