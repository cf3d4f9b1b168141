"""Frames as they arrive at a host, below IP, with what its checksums would throw away. It changes none."""

from __future__ import annotations

import socket
import struct

from topologies.emulator.links.backend import UnsupportedError
from topologies.emulator.links.netns import entered
from topologies.emulator.links.probe.stamps import SO_RCVBUFFORCE

_ETH_P_ALL = 3
_OUTGOING = 4
_SOL_PACKET, _STATISTICS = 263, 6
_BUFFER_BYTES = 64 << 20


class Frames:
    """All frames of `size_bytes` that arrive at `eth0` of the namespace of `pid`.

    Use it as a context, whose end raises UnsupportedError when frames that had arrived found no room in its buffer.
    """

    def __init__(self, pid: int, size_bytes: int) -> None:
        self.seen: list[bytes] = []
        self._size = size_bytes
        with entered(pid):
            self._sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(_ETH_P_ALL))
            self._sock.bind(("eth0", _ETH_P_ALL))
        try:
            self._sock.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, _BUFFER_BYTES)
        except PermissionError:  # an ordinary user gets at most net.core.rmem_max
            self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER_BYTES)
        self._sock.setblocking(False)

    def __enter__(self) -> Frames:
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        _, dropped = struct.unpack("II", self._sock.getsockopt(_SOL_PACKET, _STATISTICS, 8))
        self._sock.close()
        if dropped and kind is None:
            raise UnsupportedError(f"the suite's own capture buffer was too small for {dropped} frames, which says nothing "
                                   "of the link; run it as root, who may have larger ones")  # fmt: skip

    def fileno(self) -> int:
        """To wait for."""
        return self._sock.fileno()

    def drain(self) -> None:
        """Take what has arrived."""
        while True:
            try:
                data, sender = self._sock.recvfrom(65_536)
            except BlockingIOError:
                return
            if sender[2] != _OUTGOING and len(data) == self._size:
                self.seen.append(data)
