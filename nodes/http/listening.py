"""Binding: the sockets on which a daemon's workers accept.

It accepts nothing (`listener.py` does).
"""

from __future__ import annotations

import errno
import os
import socket

from nodes.http.congestion import set_congestion_control
from nodes.http.failure import USAGE, Failure


class Bound(socket.socket):
    """A listening socket that knows which congestion control its connections are to have, None: no matter which."""

    congestion_control: str | None = None


def listen(host: str, port: int, congestion_control: str | None, count: int = 1) -> list[socket.socket]:
    """Bound sockets that share one port and, between them, its clients. Raises Failure with the kernel's reason."""
    first = _listen(host, port, congestion_control, shared=False)
    if count == 1:
        return [first]
    port = first.getsockname()[1]  # nobody else listens there: a shared port alone would not tell
    first.close()
    return [_listen(host, port, congestion_control, shared=True) for _ in range(count)]


def _listen(host: str, port: int, congestion_control: str | None, *, shared: bool) -> socket.socket:
    where = f"{host}:{port}"
    try:
        family, kind, protocol, _, target = socket.getaddrinfo(
            host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]  # fmt: skip
    except OSError as error:
        raise Failure(f"listen on {where}", f"{host} has no address here", "choose another --listen", USAGE) from error
    sock = Bound(family, kind, protocol)
    sock.congestion_control = congestion_control
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if shared:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        set_congestion_control(sock, congestion_control)
        sock.bind(target)
        sock.listen(4096)
        sock.setblocking(False)
    except OSError as error:
        sock.close()
        remedy = "choose another --listen"
        if error.errno == errno.EADDRINUSE:
            remedy += " or end the process that holds it"
        elif error.errno == errno.EACCES:
            remedy += " with a port above 1023, or run as root"
        raise Failure(f"listen on {where}", os.strerror(error.errno or 0).lower(), remedy) from error
    except Failure:
        sock.close()
        raise
    return sock
