"""Sends what is due when it is due, and writes down how each request went. It does not choose what or when.

Connections are kept and shared by all requests of one server, as a browser's are; a request that finds none free waits, and
that waiting counts.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import urlsplit

from nodes.http.message import Fields, request_bytes
from nodes.http.origin_address import Origin, parse_origin
from nodes.http.pool import Pool
from nodes.http.response import Response
from nodes.http.timeouts import Timeouts
from nodes.http.tls import ClientTls
from nodes.http.upstream import Upstream
from nodes.http.upstream_error import UpstreamError, may_repeat
from nodes.load.record import Record

IDLE_S = 300.0
STOPPED = "the generator was stopped"


@dataclass(frozen=True)
class How:
    """How each request is made. `timeout_s` counts from when it is sent off, waiting for a connection included."""

    method: str = "GET"
    timeout_s: float = 10.0
    connections: int = 256
    keep: bool = True
    congestion_control: str | None = None


class Sender:
    """Of one generator; `records` grows. Times count from `began_s` of the loop's clock."""

    def __init__(self, how: How, tls: ClientTls, began_s: float) -> None:
        self.how, self.began_s = how, began_s
        self.records: list[Record] = []
        timeouts = Timeouts(how.timeout_s, how.timeout_s, how.timeout_s)
        self._pool = Pool(how.connections, IDLE_S, timeouts, how.congestion_control, tls)
        self._clock = asyncio.get_running_loop().time
        self._fields = () if how.keep else (("Connection", "close"),)

    async def open_loop(self, times: Iterator[float], urls: Iterator[str]) -> None:
        """Each request at its time, whatever became of the others."""
        under_way: set[asyncio.Task[None]] = set()
        try:
            for due_s in times:
                wait_s = self.began_s + due_s - self._clock()
                if wait_s > 0:
                    await asyncio.sleep(wait_s)
                elif len(self.records) % 64 == 63:
                    await asyncio.sleep(0)  # when late: answers are taken meanwhile
                task = asyncio.ensure_future(self.one(self._record(due_s, next(urls))))
                under_way.add(task)
                task.add_done_callback(under_way.discard)
            while under_way:
                await asyncio.wait(under_way)
        finally:
            await _cancelled(under_way)

    async def closed_loop(self, clients: int, think_s: float, seconds: float, requests: int, urls: Iterator[str]) -> None:
        """So many clients, each asking again once it has its answer and has thought."""

        async def client() -> None:
            await asyncio.sleep(max(0.0, self.began_s - self._clock()))
            while (now_s := self._clock() - self.began_s) < seconds and len(self.records) < requests:
                record = self._record(now_s, next(urls))
                await self.one(record)
                # a server that refuses at once must not make this a busy loop
                await asyncio.sleep(max(think_s, 0.001 if record.failed else 0.0))

        tasks = {asyncio.ensure_future(client()) for _ in range(clients)}
        try:
            await asyncio.gather(*tasks)
        finally:
            await _cancelled(tasks)

    async def one(self, record: Record) -> None:
        """One request to its end; it raises nothing that a server can do."""
        record.late_ms = max(0.0, self._now_ms() - record.due_ms)
        try:
            async with asyncio.timeout(self.how.timeout_s):
                await self._exchange(record)
        except TimeoutError:
            record.error = f"no whole answer within {self.how.timeout_s:g} s"
        except UpstreamError as error:
            record.error = f"{error.phase}: {error}"
        except asyncio.CancelledError:
            record.error = STOPPED
            raise
        finally:
            record.last_byte_ms = self._now_ms()
            if not record.failed:
                record.latency_ms = record.last_byte_ms - record.due_ms

    async def _exchange(self, record: Record) -> None:
        origin, target, host = split(record.url)
        head = request_bytes(self.how.method, target, Fields([("Host", host), *self._fields]))
        connection = await self._pool.take(origin, fresh=not self.how.keep)
        try:
            try:
                response = await self._head(record, connection, head)
            except UpstreamError as error:
                if not may_repeat(error, self.how.method, has_body=False, reused=connection.used > 1):
                    raise
                # as any client does: the server had closed the idle connection, and has not seen the request
                self._pool.give(origin, connection)
                connection = await self._pool.take(origin, fresh=True)
                response = await self._head(record, connection, head)
            record.first_byte_ms = self._now_ms()
            record.answered(response.status, response.fields)
            while data := await connection.read():
                record.size_bytes += len(data)
        finally:
            self._pool.give(origin, connection)

    async def _head(self, record: Record, connection: Upstream, head: bytes) -> Response:
        record.connection = "reused" if connection.used else "new"
        record.sent_ms = self._now_ms()
        connection.send(self.how.method, head)
        return await connection.head()

    def _record(self, due_s: float, url: str) -> Record:
        self.records.append(Record(len(self.records) + 1, url, due_s * 1e3))
        return self.records[-1]

    def _now_ms(self) -> float:
        return (self._clock() - self.began_s) * 1e3

    def close(self) -> None:
        """Close what is idle. What was never sent was stopped with the generator."""
        self._pool.close()
        for record in self.records:
            if record.last_byte_ms is None:
                record.error = STOPPED


async def _cancelled(tasks: set[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def split(url: str) -> tuple[Origin, str, str]:
    """Where a URL's server is, the target to ask it for, and what stands in Host. Raises ValueError."""
    parts = urlsplit(url)
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return parse_origin(f"{parts.scheme}://{parts.netloc}"), target, parts.netloc
