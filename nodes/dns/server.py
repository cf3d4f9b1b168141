"""The sockets of a name server: UDP and TCP on one address, and a log line for each answer.

It understands no DNS: what is answered, at once or later, is the daemon's own.
"""

from __future__ import annotations

import asyncio
import errno
import ipaddress
import os
import socket
import time
from collections.abc import Awaitable, Callable
from typing import Any, Protocol

from nodes.dns.families import COUNTERS, OTHERS
from nodes.http.access_log import LATE_S, AccessLog
from nodes.http.failure import USAGE, Failure
from nodes.http.metrics import Metrics
from nodes.http.origin_address import host_port

ROUND = 64
"""Datagrams that are answered before others get their turn."""
IDLE_S = 10.0
MOST_CONNECTIONS = 128
MOST_WAITING = 1024
"""Datagrams whose answers are still to come; what comes beyond that is left to its sender's patience."""
MOST_BYTES = 65535

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


class Answered(Protocol):
    """An answer (`wire` None: silence), its code, and what the log is to say of it."""

    @property
    def wire(self) -> bytes | None: ...
    @property
    def rcode(self) -> str: ...
    def record(self) -> dict[str, Any]: ...


Answer = Callable[[bytes, Address, bool], Answered | Awaitable[Answered]]
"""What came, from where, and whether by TCP."""


def bind(host: str, port: int) -> tuple[socket.socket, socket.socket]:
    """A UDP and a TCP socket on one port. Raises Failure with the kernel's reason."""
    where = host_port(host, port)
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    datagrams, streams = socket.socket(family, socket.SOCK_DGRAM), socket.socket(family, socket.SOCK_STREAM)
    try:
        streams.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        streams.bind((host, port))
        datagrams.bind((host, streams.getsockname()[1]))
        streams.listen(MOST_CONNECTIONS)
    except OSError as error:
        datagrams.close()
        streams.close()
        remedy = "choose another --dns"
        if error.errno == errno.EADDRINUSE:
            remedy += " or end the process that holds it"
        elif error.errno == errno.EACCES:
            remedy += " with a port above 1023, or run as root"
        cause = os.strerror(error.errno).lower() if error.errno else str(error)
        raise Failure(f"answer DNS on {where}", cause, remedy, USAGE) from error
    datagrams.setblocking(False)
    streams.setblocking(False)
    return datagrams, streams


class NameServer:
    """Serves from the moment it is made, inside a running loop, until it is closed."""

    def __init__(self, sockets: tuple[socket.socket, socket.socket], answer: Answer, log: AccessLog, metrics: Metrics) -> None:
        self._datagrams, self._streams = sockets
        self._answer, self._log, self._metrics = answer, log, metrics
        metrics.declare(COUNTERS, OTHERS)
        self._loop = asyncio.get_running_loop()
        self._flush: asyncio.TimerHandle | None = None
        self._connections: set[asyncio.Task[None]] = set()
        self._waiting: set[asyncio.Task[None]] = set()
        self._loop.add_reader(self._datagrams, self._read)
        self._accepting = self._loop.create_task(self._accept())

    async def close(self) -> None:
        """Answer no more."""
        self._loop.remove_reader(self._datagrams)
        tasks = [self._accepting, *self._connections, *self._waiting]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._datagrams.close()
        self._streams.close()
        if self._flush is not None:
            self._flush.cancel()
        self._log.close()

    def _read(self) -> None:
        for _ in range(ROUND):
            try:
                wire, sender = self._datagrams.recvfrom(MOST_BYTES)
            except BlockingIOError:
                return
            except OSError:
                continue  # ICMP says of an earlier answer that nobody took it
            if len(self._waiting) >= MOST_WAITING:
                self._metrics.count("longhaul_dns_unsent_total")
                continue
            began_s = time.perf_counter()
            found = self._answer(wire, _address(sender[0]), False)
            if isinstance(found, Awaitable):
                task = self._loop.create_task(self._later(found, sender, began_s))
                self._waiting.add(task)
                task.add_done_callback(self._waiting.discard)
            else:
                self._send(found, sender, began_s)

    async def _later(self, coming: Awaitable[Answered], sender: tuple[str, int], began_s: float) -> None:
        self._send(await coming, sender, began_s)

    def _send(self, found: Answered, sender: tuple[str, int], began_s: float) -> None:
        self._record(found, sender[0], began_s, tcp=False)
        if found.wire is not None:
            try:
                self._datagrams.sendto(found.wire, sender)
            except OSError:
                self._metrics.count("longhaul_dns_unsent_total")

    async def _accept(self) -> None:
        while True:
            try:
                stream, sender = await self._loop.sock_accept(self._streams)
            except OSError:
                await asyncio.sleep(0.1)  # no descriptor is left; one will be
                continue
            if len(self._connections) >= MOST_CONNECTIONS:
                stream.close()
                continue
            task = self._loop.create_task(self._serve(stream, sender[0]))
            self._connections.add(task)
            task.add_done_callback(self._connections.discard)

    async def _serve(self, stream: socket.socket, host: str) -> None:
        """Queries and answers, each behind its length in two bytes (RFC 1035, section 4.2.2)."""
        with stream:
            stream.setblocking(False)
            try:
                while True:
                    async with asyncio.timeout(IDLE_S):
                        size = int.from_bytes(await self._exactly(stream, 2), "big")
                        wire = await self._exactly(stream, size)
                        began_s = time.perf_counter()
                        found = self._answer(wire, _address(host), True)
                        answered = await found if isinstance(found, Awaitable) else found
                        self._record(answered, host, began_s, tcp=True)
                        if answered.wire is None:
                            return
                        await self._loop.sock_sendall(stream, len(answered.wire).to_bytes(2, "big") + answered.wire)
            except (OSError, EOFError, TimeoutError):
                return

    async def _exactly(self, stream: socket.socket, size: int) -> bytes:
        taken = b""
        while len(taken) < size:
            data = await self._loop.sock_recv(stream, size - len(taken))
            if not data:
                raise EOFError
            taken += data
        return taken

    def _record(self, found: Answered, host: str, began_s: float, *, tcp: bool) -> None:
        self._metrics.count("longhaul_dns_queries_total", transport="tcp" if tcp else "udp", rcode=found.rcode)
        if self._log.open:
            took_ms = round((time.perf_counter() - began_s) * 1e3, 3)
            self._log.add({"ts_ns": time.time_ns(), **found.record(), "asked_by": host, "rcode": found.rcode,
                           "duration_ms": took_ms, "tcp": tcp})  # fmt: skip
            if self._flush is None:
                self._flush = self._loop.call_later(LATE_S, self._write)

    def _write(self) -> None:
        self._flush = None
        if lost := self._log.flush():
            self._metrics.count("longhaul_log_errors_total", lost)


def _address(host: str) -> Address:
    found = ipaddress.ip_address(host.partition("%")[0])
    return getattr(found, "ipv4_mapped", None) or found
