"""Listening, health, metrics, log and a clean stop: what every daemon does the same way.

It does not know what is served: `Application.handle` does.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import signal
import socket
import ssl
import sys
import time
from typing import Protocol

from nodes.http.access_log import AccessLog
from nodes.http.connection import ServerConnection
from nodes.http.dates import http_date, parse_date
from nodes.http.message import Fields, HttpError, Request
from nodes.http.metrics import Metrics
from nodes.http.reply import Reply

DRAIN_S = 10.0
IDLE_S = 300.0
UNFINISHED_HEAD_S = 30.0
STALLED_CLIENT_S = 120.0
RESERVED = "/-/"


class Application(Protocol):
    """A daemon: answers requests, and has something to say about itself."""

    name: str

    async def handle(self, request: Request, reply: Reply) -> None:
        """Answer one request. Raise HttpError to refuse it."""
        ...

    async def close(self) -> None:
        """Called once when everything is served."""
        ...


class Server:
    """Accepts connections for an application until SIGTERM or SIGINT."""

    def __init__(self, application: Application, listening: socket.socket, log: AccessLog, metrics: Metrics,
                 tls: ssl.SSLContext | None = None) -> None:  # fmt: skip
        self.application, self.metrics, self.draining, self._tls = application, metrics, False, tls
        self._listening, self._log = listening, log
        self._connections: set[ServerConnection] = set()
        self._numbers = itertools.count(1)
        self._all_closed = asyncio.Event()
        self._prefix = f"{time.time_ns() & 0xFFFFFFFF:08x}"
        self.loop = asyncio.get_running_loop()

    async def run(self) -> None:
        """Serve until a signal, then finish what is being served, for at most 10 s."""
        stop = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            self.loop.add_signal_handler(number, stop.set)
        acceptor = await self.loop.create_server(
            lambda: ServerConnection(self), sock=self._listening, backlog=4096, ssl=self._tls)  # fmt: skip
        parse_date(http_date(0))  # loads strptime's tables now rather than inside the first measured request
        host, port = self._listening.getsockname()[:2]
        address = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        print(json.dumps({"event": "ready", "listen": address, "name": self.application.name}), flush=True)
        sweeper = self.loop.create_task(self._sweep())
        await stop.wait()
        acceptor.close()
        sweeper.cancel()
        await self._drain()
        await self.application.close()
        self._log.close()

    async def _drain(self) -> None:
        self.draining = True
        for connection in [one for one in self._connections if one.task is None]:
            connection.transport.close()
        if self._connections:
            try:
                await asyncio.wait_for(self._all_closed.wait(), DRAIN_S)
            except TimeoutError:
                print(f"longhaul: stopped with {len(self._connections)} responses unfinished after {DRAIN_S:.0f} s",
                      file=sys.stderr)  # fmt: skip
                for connection in list(self._connections):
                    connection.transport.abort()
                await asyncio.sleep(0)

    async def _sweep(self) -> None:
        """Close connections on which nothing happens: idle, an unfinished head, or a client that takes nothing."""
        while True:
            await asyncio.sleep(5)
            now = self.loop.time()
            for one in list(self._connections):
                quiet_s = now - one.last_active
                if one.task is None and quiet_s > (UNFINISHED_HEAD_S if one.in_head else IDLE_S):
                    one.transport.close()
                elif one.stalled and quiet_s > STALLED_CLIENT_S:
                    one.transport.abort()

    def opened(self, connection: ServerConnection) -> None:
        """Called by each connection."""
        self._connections.add(connection)
        self._all_closed.clear()
        self.metrics.count("longhaul_connections_total")

    def closed(self, connection: ServerConnection) -> None:
        """Called by each connection."""
        self._connections.discard(connection)
        if not self._connections:
            self._all_closed.set()

    async def answer(self, item: Request | HttpError, reply: Reply) -> None:
        """One request: route to the reserved paths or the application, and log what happened."""
        started = item.received_at if isinstance(item, Request) else self.loop.time()
        gone = ""
        if isinstance(item, Request):
            item.request_id = f"{self._prefix}-{next(self._numbers)}"
        try:
            if isinstance(item, HttpError):
                raise item
            if not await self._reserved(item, reply):
                await self.application.handle(item, reply)
        except HttpError as error:
            gone = await self._refuse(error, reply)
        except ConnectionError as error:
            gone = str(error)
            reply.abort()
        except asyncio.CancelledError:
            gone = "the client left"
            raise
        except Exception as error:
            gone = f"internal error: {error!r}"
            self.metrics.count("longhaul_internal_errors_total")
            if reply.started:
                reply.abort()
            else:
                await self._refuse(HttpError(500, "internal error", close=True), reply)
            raise
        finally:
            self._record(item, reply, started, gone)

    async def _refuse(self, error: HttpError, reply: Reply) -> str:
        if reply.started:
            reply.abort()
            return error.text
        fields = Fields([("Content-Type", "text/plain; charset=utf-8"), *error.fields])
        if error.close:
            fields.add("Connection", "close")
        try:
            await reply.full(error.status, fields, f"{error.status}: {error.text}\n".encode())
        except ConnectionError:
            return "the client left"
        return ""

    async def _reserved(self, request: Request, reply: Reply) -> bool:
        path = request.path.removeprefix("/-") if request.path.startswith(RESERVED) else request.path
        if path == "/healthz" and request.method in ("GET", "HEAD"):
            await reply.full(200, Fields([("Content-Type", "text/plain"), ("Cache-Control", "no-store")]), b"ok\n")
            return True
        if path == "/metrics" and request.method in ("GET", "HEAD"):
            self.metrics.gauge("longhaul_connections_open", len(self._connections))
            kind = ("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
            await reply.full(200, Fields([kind, ("Cache-Control", "no-store")]), self.metrics.text().encode())
            return True
        return False

    def _record(self, item: Request | HttpError, reply: Reply, started: float, gone: str) -> None:
        now = self.loop.time()
        request = item if isinstance(item, Request) else None
        self.metrics.count("longhaul_requests_total", status=str(reply.status), result=reply.outcome.result)
        self.metrics.count("longhaul_sent_bytes_total", reply.body_bytes)
        self.metrics.observe("longhaul_request_duration_seconds", now - started)
        first = reply.first_byte_at
        record = {
            "ts_ns": time.time_ns(), "node": self.application.name, "client": reply.peer,
            "method": request.method if request else "-", "target": request.target if request else "-",
            "status": reply.status, "bytes": reply.body_bytes, "duration_ms": round((now - started) * 1e3, 3),
            "first_byte_ms": None if first is None else round((first - started) * 1e3, 3),
            "result": reply.outcome.result, "cache_status": reply.outcome.cache_status,
            "upstream_ms": reply.outcome.upstream_ms, "request_id": request.request_id if request else "-",
            "finished": reply.finished,
        }  # fmt: skip
        if gone:
            record["error"] = gone
        self._log.add({**record, **reply.outcome.notes})
        self.metrics.count("longhaul_log_errors_total", self._log.flush())
