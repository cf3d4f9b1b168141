"""Sending numbered UDP frames many at a time: one call, cut into frames by the kernel (UDP_SEGMENT, udp(7)).

It paces nothing. A kernel that cannot cut them for an interface without checksum offload gets one call for each frame.
"""

from __future__ import annotations

import errno
import socket
import struct

from .plan import HEADERS

UDP_SEGMENT = 103
_CANNOT = (errno.EIO, errno.EINVAL, errno.ENOPROTOOPT)


class Sender:
    """Frames of `frame_bytes` out of a connected socket. Each begins with the turn and its number."""

    __slots__ = ("_buffer", "_out", "_segments", "_size", "_views")

    def __init__(self, out: socket.socket, frame_bytes: int, batch: int) -> None:
        self._out, self._size = out, frame_bytes - HEADERS
        self._buffer = bytearray(self._size * batch)
        self._views = [memoryview(self._buffer)[: self._size * count] for count in range(batch + 1)]
        self._segments = batch > 1
        if self._segments:
            try:
                out.setsockopt(socket.SOL_UDP, UDP_SEGMENT, self._size)
            except OSError as error:
                if error.errno not in _CANNOT:
                    raise
                self._segments = False

    def send(self, turn: int, first: int, count: int) -> None:
        """Frames `first` to `first + count - 1`. Raises OSError."""
        for index in range(count):
            struct.pack_into("!II", self._buffer, index * self._size, turn, first + index)
        if self._segments or count == 1:
            try:
                self._out.send(self._views[count])
            except OSError as error:
                if count == 1 or error.errno not in _CANNOT:
                    raise
                self._segments = False
                self._out.setsockopt(socket.SOL_UDP, UDP_SEGMENT, 0)
            else:
                return
        for index in range(count):
            self._out.send(self._views[count][index * self._size : (index + 1) * self._size])
