"""TCP congestion control of a socket, by name. It does not choose one.

Where the route to the other end names one, a connection takes that when it is made, whatever its socket was told before; so it
is to be told before, to hear of a refusal, and again when the connection stands.
"""

from __future__ import annotations

import socket

from nodes.http.failure import USAGE, Failure


def set_congestion_control(sock: socket.socket, name: str | None) -> None:
    """Ask the kernel for a congestion control. Raises Failure when it refuses."""
    if name is None:
        return
    try:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, name.encode())
    except OSError as error:
        try:
            with open("/proc/sys/net/ipv4/tcp_available_congestion_control", encoding="ascii") as file:
                known = ", ".join(file.read().split())
        except OSError:
            known = "those of this kernel"
        raise Failure(f"use congestion control '{name}'", (error.strerror or str(error)).lower(),
                      f"choose one of: {known}", USAGE) from error  # fmt: skip
