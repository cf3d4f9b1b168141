"""Sockets whose datagrams carry the kernel's receive time.

It reads ancillary data and nothing else; times are CLOCK_REALTIME nanoseconds, as the kernel gives them.
"""

from __future__ import annotations

import socket
import struct

SO_TIMESTAMPNS, SO_RXQ_OVFL, SO_RCVBUFFORCE = 35, 40, 33
_ANCILLARY = 128


def prepare(sock: socket.socket, buffer_bytes: int) -> int:
    """Stamps on, overflow counted, a large buffer; returns the buffer the kernel granted, in its own accounting."""
    sock.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
    sock.setsockopt(socket.SOL_SOCKET, SO_RXQ_OVFL, 1)
    try:
        sock.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, buffer_bytes)
    except PermissionError:  # an ordinary user gets at most net.core.rmem_max, and shorter trains
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer_bytes)
    sock.setblocking(False)
    return sock.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF)


def receive(sock: socket.socket) -> tuple[bytes, int, int, str] | None:
    """One datagram: data, receive time, frames dropped by this socket so far, sender; None when there is none."""
    try:
        data, ancillary, _, sender = sock.recvmsg(256, _ANCILLARY)
    except BlockingIOError:
        return None
    at_ns = dropped = 0
    for level, kind, value in ancillary:
        if level == socket.SOL_SOCKET and kind == SO_TIMESTAMPNS:
            seconds, nanoseconds = struct.unpack("qq", value)
            at_ns = seconds * 10**9 + nanoseconds
        elif level == socket.SOL_SOCKET and kind == SO_RXQ_OVFL:
            dropped = struct.unpack("I", value)[0]
    return data, at_ns, dropped, sender[0]
