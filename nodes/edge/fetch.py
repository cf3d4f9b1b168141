"""One fetch from an origin for everyone who wants the same object now.

It does not answer clients: they wait for `head`, then read from `transfer`. It outlives the client that started it
while others wait, when more than half has come, or when it was asked to be kept.
"""

from __future__ import annotations

import asyncio
import hashlib
import time

from nodes.edge import freshness
from nodes.edge.exchange import Ask, Exchange, exchange
from nodes.edge.record import Record, secondary_key, vary_names
from nodes.edge.spool import Spool
from nodes.edge.store import Store
from nodes.edge.transfer import Reader, Transfer
from nodes.http.dates import http_date
from nodes.http.digest import sha256_of
from nodes.http.message import Fields
from nodes.http.metrics import Metrics
from nodes.http.pool import Pool
from nodes.http.upstream import UpstreamError


class Fetch:
    """Await `head()`, then look: `refreshed` is a stored object that is right again, else `exchange` and `transfer`."""

    def __init__(self, ask: Ask, pool: Pool, store: Store, metrics: Metrics) -> None:
        self.ask, self._pool, self._store, self._metrics = ask, pool, store, metrics
        self._head = asyncio.get_running_loop().create_future()
        self.exchange: Exchange | None = None
        self.transfer = Transfer()
        self.refreshed: Record | None = None
        self.vary: tuple[str, ...] = ()
        self.verdict = freshness.Verdict(False)
        self.initial_age_s = 0.0
        self.shared = False
        """Whether the response was begun as one that may be stored, so that it answers whoever joined."""
        self.stores = False
        """Whether it is still on its way into the store."""
        self.keep = False
        self.task = asyncio.get_running_loop().create_task(self._run())

    async def head(self) -> None:
        """Until the response's head is known. Raises UpstreamError."""
        await asyncio.shield(self._head)

    def join(self) -> Reader:
        """One more client is interested; it reads from the first byte."""
        return self.transfer.attach()

    def leave(self, reader: Reader) -> None:
        """One client fewer; the fetch ends with the last."""
        reader.close()
        if self.transfer.readers == 0 and not self.keep and not self.task.done() and not self._over_half():
            self.task.cancel()

    @property
    def joinable(self) -> bool:
        """Whether one more client could have all of it: nothing has come yet, or what has come is in the file."""
        return self.transfer.available_bytes == 0 or self.stores

    def shareable_with(self, request: Fields) -> bool:
        """Whether the response answers another client's request too: it is stored, and Vary selects it."""
        if self.refreshed is not None:
            return True
        if not self.shared:
            return False
        wanted = secondary_key(self.ask.primary, self.vary, request)
        return wanted == secondary_key(self.ask.primary, self.vary, self.ask.request_fields)

    def _count_retry(self) -> None:
        self._metrics.count("longhaul_origin_retries_total")

    def _over_half(self) -> bool:
        if self.exchange is None or not self.stores:
            return False
        length = self.exchange.response.length_bytes
        return length is not None and self.transfer.available_bytes * 2 > length

    async def _run(self) -> None:
        ask = self.ask
        try:
            async with exchange(self._pool, ask, self._count_retry) as made:
                await self._carry(made)
        except UpstreamError as error:
            self._fail(error)
        except ConnectionError as error:  # the client's content ended before it was whole
            self._fail(UpstreamError(str(error)))
        except asyncio.CancelledError:
            self._fail(UpstreamError("the fetch was given up: no client waited for it any more"))
            raise
        except Exception as error:
            self._fail(UpstreamError(f"internal error: {error!r}"))
            raise

    def _fail(self, error: UpstreamError) -> None:
        if not self._head.done():
            self._head.set_exception(error)
            self._head.exception()  # nobody may be left to look at it
        if not self.transfer.complete:
            self.transfer.fail(error)

    async def _carry(self, made: Exchange) -> None:
        ask, response = self.ask, made.response
        if "date" not in response.fields:
            response.fields.add("Date", http_date(made.received_s))  # RFC 9110, section 6.6.1
        self.exchange = made
        self.initial_age_s = freshness.initial_age_s(response.fields, made.requested_s, made.received_s)
        if ask.stored is not None and response.status == 304:
            while await made.connection.read(self._pool.timeout_s):
                pass
            fields = freshness.refreshed(ask.stored.headers, response.fields)
            lifetime_s = freshness.lifetime(fields) or 0.0
            self.refreshed = self._store.refresh(ask.stored, fields, made.received_s, self.initial_age_s, lifetime_s)
            self._head.set_result(None)
            return
        spool = self._spool(made)
        if spool is not None:
            self.transfer.use_file(spool)
        self.stores = self.shared = spool is not None
        self._head.set_result(None)
        try:
            await self._content(made, self.transfer, spool)
        finally:
            if spool is not None:
                spool.abandon()  # no effect after a commit
            self.transfer.release()

    def _spool(self, made: Exchange) -> Spool | None:
        """A file to store the response in, when it may be stored and fits."""
        ask, response = self.ask, made.response
        if ask.key is None:
            return None
        self.verdict = freshness.storable(ask.method, ask.request_fields, response.status, response.fields)
        self.vary = vary_names(response.fields)
        if ask.stored is not None and response.status == 200:
            self._store.remove(ask.stored.key)
        if not self.verdict.store or not response.framed:
            return None
        return self._store.begin(ask.key, response.length_bytes)

    async def _content(self, made: Exchange, transfer: Transfer, spool: Spool | None) -> None:
        response = made.response
        stated = sha256_of(response.fields.get("repr-digest")) if response.status == 200 else None
        running = hashlib.sha256() if stated is not None and self.stores else None
        received = 0
        while data := await made.connection.read(self._pool.timeout_s):
            received += len(data)
            self._metrics.count("longhaul_origin_received_bytes_total", len(data))
            if running is not None:
                running.update(data)
                if received == response.length_bytes and running.digest() != stated:  # before anyone gets the last byte
                    self._metrics.count("longhaul_origin_digest_errors_total")
                    raise UpstreamError("the origin's content is not what its Repr-Digest says")
            await transfer.feed(data, stored=self._write(spool, data))
        if running is not None and running.digest() != stated:
            self._metrics.count("longhaul_origin_digest_errors_total")
            raise UpstreamError("the origin's content is not what its Repr-Digest says")
        if spool is not None and self.stores:
            self._commit(made, spool, stated)
        transfer.finish()

    def _write(self, spool: Spool | None, data: bytes) -> bool:
        if spool is None or not self.stores:
            return False
        try:
            spool.write(data)
        except OSError:
            self.stores = False  # disk full: what comes now passes through memory, and nothing is stored
            self._metrics.count("longhaul_cache_disk_errors_total")
        return self.stores

    def _commit(self, made: Exchange, spool: Spool, sha256: bytes | None) -> None:
        ask = self.ask
        fields = [item for item in made.response.fields.items if item[0].lower() not in _NOT_KEPT]
        record = Record(
            key=secondary_key(ask.primary, self.vary, ask.request_fields), primary=ask.primary, vary=self.vary,
            body=spool.name, size_bytes=spool.size_bytes, sha256=None if sha256 is None else sha256.hex(),
            fields=tuple(fields), received_s=made.received_s, initial_age_s=self.initial_age_s,
            lifetime_s=self.verdict.lifetime_s)  # fmt: skip
        self.stores = self._store.commit(spool, record)


_NOT_KEPT = frozenset(("connection", "keep-alive", "transfer-encoding", "content-length", "age", "trailer"))


def ttl_s(record: Record, now_s: float | None = None) -> float:
    """Seconds for which a stored object is still fresh; below zero it is stale."""
    age_s = freshness.current_age_s(record.initial_age_s, record.received_s, time.time() if now_s is None else now_s)
    return record.lifetime_s - age_s
