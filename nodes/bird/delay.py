"""How long a round trip into a prefix takes: a TCP handshake with its first address, whether it is taken or refused.

It keeps nothing and knows no routes. What does not answer in time has no delay: it is not far, it is unknown.
"""

from __future__ import annotations

import errno
import select
import socket
import time
from collections.abc import Iterable

from nodes.steering.routes import Network

PORT = 179
"""Where a router answers, and others refuse: both take one round trip."""
MOST_AT_ONCE = 256


def first_address(prefix: Network) -> str:
    """The address that is asked: the first that a host may have."""
    alone = prefix.prefixlen >= prefix.max_prefixlen - 1
    return str(prefix.network_address if alone else prefix.network_address + 1)


def measure(prefixes: Iterable[Network], within_s: float, port: int = PORT) -> dict[Network, float]:
    """Milliseconds of those that answered, at most MOST_AT_ONCE of them asked."""
    waiting: dict[int, tuple[socket.socket, Network, float]] = {}
    found: dict[Network, float] = {}
    poll, deadline = select.poll(), time.monotonic() + within_s
    try:
        for prefix in list(prefixes)[:MOST_AT_ONCE]:
            sock = socket.socket(socket.AF_INET6 if prefix.version == 6 else socket.AF_INET, socket.SOCK_STREAM)
            sock.setblocking(False)
            began_s = time.monotonic()
            said = sock.connect_ex((first_address(prefix), port))
            if said == errno.EINPROGRESS:
                waiting[sock.fileno()] = sock, prefix, began_s
                poll.register(sock, select.POLLOUT)
                continue
            if said in (0, errno.ECONNREFUSED):
                found[prefix] = (time.monotonic() - began_s) * 1e3
            sock.close()
        while waiting and (left_s := deadline - time.monotonic()) > 0:
            for number, _ in poll.poll(left_s * 1e3):
                sock, prefix, began_s = waiting.pop(number)
                poll.unregister(sock)
                if sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) in (0, errno.ECONNREFUSED):
                    found[prefix] = (time.monotonic() - began_s) * 1e3
                sock.close()
    finally:
        for sock, _, _ in waiting.values():
            sock.close()
    return found
