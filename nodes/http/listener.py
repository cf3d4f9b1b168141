"""The listening socket: accepts clients and makes their connections.

It does not bind (`listening.py` does).
"""

from __future__ import annotations

import contextlib
import errno
import socket
import ssl
from typing import TYPE_CHECKING

from nodes.http.congestion import set_congestion_control
from nodes.http.connection import Connection
from nodes.http.failure import Failure
from nodes.http.listening import Bound
from nodes.http.origin_address import host_port
from nodes.http.tls_wire import TlsWire
from nodes.http.wire import READ, Wire

if TYPE_CHECKING:
    from nodes.http.rounds import Rounds
    from nodes.http.server import Server

AT_ONCE = 64
PAUSE_S = 0.1
"""How long nothing is accepted when this process has no descriptor left."""


class Listener:
    """A member of the rounds."""

    quick = False

    def __init__(self, server: Server, rounds: Rounds, listening: socket.socket, tls: ssl.SSLContext | None) -> None:
        self._server, self._rounds, self._listening, self._tls = server, rounds, listening, tls
        self._descriptor = listening.fileno()
        self._congestion = listening.congestion_control if isinstance(listening, Bound) else None
        rounds.join(self._descriptor, self)

    def event(self, mask: int) -> None:
        """Clients are waiting."""
        for _ in range(AT_ONCE):
            try:
                sock, peer = self._listening.accept()
            except BlockingIOError:
                return
            except OSError as error:
                if error.errno not in (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM):
                    continue  # that one client left while it waited: accept(2)
                self._server.metrics.count("longhaul_accept_errors_total")
                self._rounds.epoll.modify(self._descriptor, 0)
                self._server.loop.call_later(PAUSE_S, self._again)
                return
            self._admit(sock, peer)

    def close(self) -> None:
        """Accept no more."""
        self._rounds.leave(self._descriptor)
        self._listening.close()

    def _again(self) -> None:
        if self._descriptor in self._rounds.members:
            self._rounds.epoll.modify(self._descriptor, READ)

    def _admit(self, sock: socket.socket, peer: tuple[str, int]) -> None:
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if self._congestion is not None:
            with contextlib.suppress(Failure):  # it could when the daemon began; the client may be gone
                set_congestion_control(sock, self._congestion)
        name = host_port(*peer[:2])
        wire = Wire(sock, self._rounds.epoll) if self._tls is None else TlsWire(sock, self._rounds.epoll, self._tls)
        self._server.opened(Connection(self._server, wire, name))
