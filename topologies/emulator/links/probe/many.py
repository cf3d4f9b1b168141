"""Reading many small datagrams at one call (recvmmsg(2)): their first bytes, and when the kernel received each.

Python's own sockets read one at a call, which is most of what a verification would cost. It is not for datagrams whose whole
content matters: all but the first bytes is thrown away.
"""

from __future__ import annotations

import ctypes
import errno
import os
import socket
import struct
from collections.abc import Iterator

MOST = 64
_DATA, _CONTROL = 8, 64
_SLOT = struct.Struct("@qiiqqqiiI12x")  # cmsghdr and timespec of SO_TIMESTAMPNS; cmsghdr and count of SO_RXQ_OVFL; see cmsg(3)
_NUMBERS = struct.Struct("!II")


class _Buffer(ctypes.Structure):
    _fields_ = [("base", ctypes.c_void_p), ("length", ctypes.c_size_t)]


class _Message(ctypes.Structure):
    _fields_ = [
        ("name", ctypes.c_void_p), ("name_length", ctypes.c_uint32), ("buffers", ctypes.c_void_p),
        ("buffer_count", ctypes.c_size_t), ("control", ctypes.c_void_p), ("control_length", ctypes.c_size_t),
        ("flags", ctypes.c_int), ("length", ctypes.c_uint32), ("_", ctypes.c_uint32),
    ]  # fmt: skip


_libc = ctypes.CDLL(None, use_errno=True)


class Reader:
    """Of one socket that `stamps.prepare` has prepared. `overflowed` counts what found the socket's buffer full."""

    def __init__(self, sock: socket.socket) -> None:
        self._fd, self.overflowed = sock.fileno(), 0
        self._data, self._control = (ctypes.create_string_buffer(size * MOST) for size in (_DATA, _CONTROL))
        self._buffers = (_Buffer * MOST)()
        self._messages = (_Message * MOST)()
        for number, (buffer, message) in enumerate(zip(self._buffers, self._messages, strict=True)):
            buffer.base, buffer.length = ctypes.addressof(self._data) + number * _DATA, _DATA
            message.buffers, message.buffer_count = ctypes.addressof(buffer), 1
            message.control, message.control_length = ctypes.addressof(self._control) + number * _CONTROL, _CONTROL
        self._fresh = bytes(self._messages)

    def read(self) -> Iterator[tuple[int, int, int]]:
        """(first number, second number, time received in ns) of at most `MOST` datagrams that wait. Raises OSError."""
        # The kernel writes lengths and flags into the headers: they are made new for every call.
        ctypes.memmove(self._messages, self._fresh, len(self._fresh))
        count = _libc.recvmmsg(self._fd, self._messages, MOST, socket.MSG_DONTWAIT, None)
        if count < 0:
            number = ctypes.get_errno()
            if number in (errno.EAGAIN, errno.EINTR):
                return
            raise OSError(number, os.strerror(number))
        slots = _SLOT.iter_unpack(memoryview(self._control)[: count * _CONTROL])
        for (first, second), slot in zip(_NUMBERS.iter_unpack(memoryview(self._data)[: count * _DATA]), slots, strict=True):
            self.overflowed = max(self.overflowed, slot[8])
            yield first, second, slot[3] * 1_000_000_000 + slot[4]
