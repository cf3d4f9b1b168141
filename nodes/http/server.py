"""Listening, health, metrics and a clean stop: what every daemon does the same way.

It does not know what is served: the application does (`application.py`). Its clients' sockets are driven by `rounds.py`.
"""

from __future__ import annotations

import asyncio
import signal
import socket
import ssl
import sys
import time
from collections.abc import Callable

from nodes.http.access_log import AccessLog
from nodes.http.application import Application
from nodes.http.connection import Connection
from nodes.http.dates import http_date, parse_date
from nodes.http.families import COUNTERS, OTHERS
from nodes.http.limits import Limits
from nodes.http.link_wire import LinkWire
from nodes.http.listener import Listener
from nodes.http.message import Fields, HttpError, Request
from nodes.http.metrics import Metrics, summed
from nodes.http.origin_address import host_port
from nodes.http.prepared import Prepared, PreparedAnswers
from nodes.http.records import Records
from nodes.http.reply import Reply
from nodes.http.requests import RequestParser
from nodes.http.rounds import Rounds
from nodes.http.team import Workers

DRAIN_S = 10.0
RESERVED = frozenset(("/healthz", "/metrics", "/-/healthz", "/-/metrics"))
"""Unless the application says otherwise."""


def _nothing(_: bytes) -> Prepared | None:
    return None


class Server:
    """Serves an application until SIGTERM or SIGINT."""

    def __init__(self, application: Application, listening: socket.socket, log: AccessLog, metrics: Metrics,
                 limits: Limits, tls: ssl.SSLContext | None = None, team: Workers | None = None) -> None:  # fmt: skip
        self.application, self.metrics, self.limits, self.team = application, metrics, limits, team
        self.draining = self.failed = False
        self.loop = asyncio.get_running_loop()
        self.connections: set[Connection] = set()
        self._all_closed = asyncio.Event()
        self._all_closed.set()
        self._stop = asyncio.Event()
        host, port = listening.getsockname()[:2]
        self.address = host_port(host, port)
        self.parser = RequestParser(limits, self.address)
        metrics.declare(COUNTERS, OTHERS)
        log.name(application.name, None if team is None else team.index)
        self.records = Records(log, metrics, self.loop, getattr(application, "used", None))
        self._answers: PreparedAnswers | None = getattr(application, "prepared", None)
        self.prepared: Callable[[bytes], Prepared | None] = _nothing if self._answers is None else self._answers.by_head.get
        self._reserved_paths: frozenset[str] = getattr(application, "reserved", RESERVED)
        self._try_now: Callable[[Request, Connection], bool] | None = getattr(application, "try_now", None)
        self.rounds = Rounds(self)
        self._listener = Listener(self, self.rounds, listening, tls)

    async def run(self, ready: Callable[[str], None]) -> None:
        """Serve until a signal, then finish what is being served, for at most 10 s. `ready` gets the address."""
        for number in (signal.SIGTERM, signal.SIGINT):
            self.loop.add_signal_handler(number, self.stop)
        reload: Callable[[], None] | None = getattr(self.application, "reload", None)
        if reload is not None:
            self.loop.add_signal_handler(signal.SIGHUP, reload)
        if self.team is not None:
            self.team.serve(self, self.application)
        parse_date(http_date(0))  # loads strptime's tables now rather than inside the first measured request
        ready(self.address)
        sweeper = self.loop.create_task(self._sweep())
        await self._stop.wait()
        self._listener.close()
        await self._drain()
        sweeper.cancel()
        await self.application.close()
        self.rounds.close()
        self.records.flush()
        self.records.log.close()
        if self.team is not None:
            self.team.close()

    def stop(self, *, failed: bool = False) -> None:
        """Begin to stop; `failed` when that is because of a fault."""
        self.failed = self.failed or failed
        self._stop.set()

    async def _drain(self) -> None:
        self.draining, self.prepared, self._answers = True, _nothing, None
        for connection in list(self.connections):
            connection.drain()
        try:
            async with asyncio.timeout(DRAIN_S):
                await self._all_closed.wait()
                if self.team is not None:
                    await self.team.left_alone()
                    await self._all_closed.wait()
        except TimeoutError:
            print(f"longhaul: stopped with {len(self.connections)} responses unfinished after {DRAIN_S:.0f} s",
                  file=sys.stderr)  # fmt: skip
            for connection in list(self.connections):
                connection.abort(reset=True)
            await asyncio.sleep(0)

    async def _sweep(self) -> None:
        """Have every connection look at its times; often enough for the shortest of them."""
        limits = self.limits
        shortest_s = min(limits.header_timeout_s, limits.body_timeout_s, limits.write_timeout_s, limits.idle_timeout_s, 2.0)
        while True:
            await asyncio.sleep(shortest_s / 4)
            now_s = self.loop.time()
            for connection in list(self.connections):
                connection.sweep(now_s)

    # -- for Workers ----------------------------------------------------------------------------------------------
    def linked(self, sock: socket.socket) -> None:
        """Another worker has made a link."""
        sock.setblocking(False)
        self.opened(Connection(self, LinkWire(sock, self.rounds.epoll), "-"))

    def own_metrics(self) -> str:
        """This process's numbers; the log is written up to now."""
        self.records.flush()
        self.records.tell_used()
        self.metrics.gauge("longhaul_connections_open", sum(not one.wire.inner for one in self.connections))
        return self.metrics.text()

    # -- for Listener and Connection ------------------------------------------------------------------------------
    def opened(self, connection: Connection) -> None:
        """One more client."""
        self.connections.add(connection)
        self.rounds.members[connection.wire.fd] = connection
        self._all_closed.clear()
        if not connection.wire.inner:
            self.metrics.count("longhaul_connections_total")

    def closed(self, connection: Connection) -> None:
        """One client fewer."""
        self.connections.discard(connection)
        del self.rounds.members[connection.wire.fd]
        if not self.connections:
            self._all_closed.set()

    def ready_answer(self, head: bytes) -> Prepared | None:
        """The prepared answer to a head that holds now; one that does not is forgotten."""
        answer = self.prepared(head)
        if answer is None:
            return None
        now_s = time.time()
        if now_s < answer.until_s or answer.renew(now_s):
            return answer
        if self._answers is not None:
            self._answers.forget(head)
        return None

    def try_now(self, request: Request, connection: Connection) -> bool:
        """Whether the application has answered without waiting for anything."""
        if self._try_now is None or self.draining or request.path in self._reserved_paths:
            return False
        return self._try_now(request, connection)

    def refuse(self, error: HttpError, reply: Reply, started_s: float) -> None:
        """Tell a client that its request cannot be understood, and keep a record of that."""
        gone = self._refusal(error, reply)
        self.records.answered(None, reply, started_s, gone)

    async def answer(self, request: Request, reply: Reply) -> None:
        """One request: route to the reserved paths or the application, and log what happened."""
        started_s, gone = request.received_at, ""
        request.request_id = self.records.new_id()
        try:
            if request.path in self._reserved_paths and request.method in ("GET", "HEAD"):
                await self._reserved(request, reply)
            else:
                if request.path.startswith("/-/"):
                    await self._settled()  # who asks the daemon about itself reads its log too
                await self.application.handle(request, reply)
        except HttpError as error:
            gone = self._refusal(_of_body(request) or error, reply)
        except ConnectionError as error:
            broken = _of_body(request)
            if broken is not None and not reply.started:
                gone = self._refusal(broken, reply)
            else:
                gone = str(error)
                reply.abort()
        except asyncio.CancelledError:
            gone = "the client left"
            raise
        except Exception as error:
            gone = f"internal error: {error!r}"
            self.metrics.count("longhaul_internal_errors_total")
            self._refusal(HttpError(500, "internal error", close=True), reply)
            raise
        finally:
            if not reply.relayed:
                self.records.answered(request, reply, started_s, gone)

    def _refusal(self, error: HttpError, reply: Reply) -> str:
        """Answer with an error; gives what went wrong with that."""
        if reply.started:
            reply.abort()
            return error.text
        fields = Fields([("Content-Type", "text/plain; charset=utf-8"), *error.fields])
        if error.close:
            fields.add("Connection", "close")
        try:
            reply.full_now(error.status, fields, f"{error.status}: {error.text}\n".encode())
        except ConnectionError:
            return "the client left"
        return ""

    async def _reserved(self, request: Request, reply: Reply) -> None:
        if request.path.endswith("/healthz"):
            await reply.full(200, Fields([("Content-Type", "text/plain"), ("Cache-Control", "no-store")]), b"ok\n")
        elif self.team is not None and self.team.index:
            await self.team.relay(request, reply)
        else:
            texts = await self._settled()
            text = texts[0] if len(texts) == 1 else summed(texts)
            kind = ("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
            await reply.full(200, Fields([kind, ("Cache-Control", "no-store")]), text.encode())

    async def _settled(self) -> list[str]:
        """The numbers of every worker that this one can ask, itself first; what they have logged is written."""
        own = self.own_metrics()
        return [own] if self.team is None or self.team.index else [own, *await self.team.metrics()]


def _of_body(request: Request) -> HttpError | None:
    """What was wrong with the request's content, which is then the reason why it could not be served."""
    refusal: HttpError | None = getattr(request.body, "refusal", None)
    return refusal
