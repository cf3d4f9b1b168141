"""One fetch from an origin for everyone who wants the same now.

It does not answer clients: they wait for `head`, then look at what came. It outlives the client that started it while
others wait, and when `survival.py` says so.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import math
from collections.abc import Callable

from nodes.edge import survival
from nodes.edge.arrival import Arrival, Kind, arrival
from nodes.edge.asking import Ask
from nodes.edge.caching import variants
from nodes.edge.exchange import Exchange, exchange
from nodes.edge.serving import Held
from nodes.edge.store.spool import Spool
from nodes.edge.store.store import Store
from nodes.edge.stored import Stored
from nodes.edge.transfer import WINDOW_BYTES, Reader, Transfer
from nodes.http.awaited import OnInterim
from nodes.http.dates import http_date
from nodes.http.digest import sha256_of
from nodes.http.message import Fields
from nodes.http.metrics import Metrics
from nodes.http.pool import Pool
from nodes.http.response import Framing, Response
from nodes.http.upstream_error import UpstreamError


class Fetch:
    """Await `head()`, then look: `refreshed` are stored responses that are right again, else `response` and `transfer`."""

    def __init__(
        self, ask: Ask, pool: Pool, store: Store, metrics: Metrics, on_response: Callable[[Response], None] | None
    ) -> None:  # fmt: skip
        self.ask, self._pool, self._store, self._metrics, self._on_response = ask, pool, store, metrics, on_response
        self._head = asyncio.get_running_loop().create_future()
        self._interim: list[OnInterim] = []
        self.exchange: Exchange | None = None
        self.arrival = Arrival(Kind.PASS)
        self.transfer = Transfer()
        self.refreshed: tuple[Stored, ...] = ()
        self.own: tuple[Held, Stored] | None = None
        """What is stored and how the one client that asked gets it, where a 304 is for that client alone."""
        self.stores = False
        """Whether the content is still on its way into the store."""
        self.kept = False
        """Whether it was put on its way there, and nothing has gone wrong with that."""
        self.keep = False
        """Whether it goes on without any client."""
        self.revoked = False
        """Whether the key was purged since it began: then its answer is for those who wait, not for the store."""
        self.task = asyncio.get_running_loop().create_task(self._run())

    async def head(self, on_interim: OnInterim | None = None) -> None:
        """Until the head is known; interim responses that come before go to `on_interim`.

        Raises UpstreamError; ConnectionError when it was the client's content that broke off.
        """
        if on_interim is not None:
            self._interim.append(on_interim)
        try:
            await asyncio.shield(self._head)
        finally:
            if on_interim is not None:
                self._interim.remove(on_interim)

    @property
    def response(self) -> Response:
        """The head of the response."""
        assert self.exchange is not None
        return self.exchange.response

    def join(self) -> Reader:
        """One more client is interested; it reads from the first byte."""
        return self.transfer.attach()

    def leave(self, reader: Reader) -> None:
        """One client fewer; the fetch may end with the last."""
        reader.close()
        if self.transfer.readers == 0 and not self.keep and not self.task.done() and not self._worth_finishing():
            self.task.cancel()

    @property
    def joinable(self) -> bool:
        """Whether one more client could have all of it: nothing has come yet, or what has come is in the file."""
        if self.transfer.error is not None:
            return False
        return self.transfer.available_bytes == 0 or self.stores

    @property
    def shared(self) -> bool:
        """Whether the response may answer others than the client that asked for it."""
        return self.arrival.alike or self.arrival.kind in (Kind.WHOLE, Kind.PART, Kind.SAME)

    @property
    def failed(self) -> bool:
        """Whether the origin gave nothing, or an error."""
        return self.transfer.error is not None or (self.exchange is not None and self.response.status >= 500)

    @property
    def narrow(self) -> bool:
        """Whether the content has no file and is more than memory holds: then its readers would wait for the slowest."""
        response = self.response
        if self.kept or self.refreshed or response.framing is Framing.NONE:
            return False
        return response.length_bytes is None or response.length_bytes > WINDOW_BYTES

    def answers(self, seen: Fields) -> bool:
        """Whether what came answers another client's request too: it may be shared, and Vary selects it.

        `seen` are the fields that choose that request's variant.
        """
        if self.arrival.alike:
            values = variants.vary_values(seen, self.response.fields)
            return values is not None and values == variants.vary_values(self.ask.seen, self.response.fields)
        found = self.refreshed or ((self.arrival.draft,) if self.arrival.draft is not None else ())
        return variants.select(seen, found) is not None

    def _worth_finishing(self) -> bool:
        if self.exchange is None or not self.stores:
            return False
        return survival.worth_finishing(self.transfer.available_bytes, self.response.length_bytes)

    async def _run(self) -> None:
        try:
            async with exchange(self._pool, self.ask, self._tell, self._count_retry) as made:
                await self._carry(made)
        except UpstreamError as error:
            self._fail(error)
        except ConnectionError as error:  # the client's content ended before it was whole
            self._fail(error)
        except asyncio.CancelledError:
            self._fail(UpstreamError("the fetch was given up: no client waited for it any more"))
            raise
        except Exception as error:
            self._metrics.count("longhaul_internal_errors_total")
            self._fail(UpstreamError(f"internal error: {error!r}"))
            raise

    async def _tell(self, status: int, fields: Fields) -> None:
        for listener in list(self._interim):
            with contextlib.suppress(ConnectionError):  # that client has left; the others have not
                await listener(status, fields)

    def _count_retry(self) -> None:
        self._metrics.count("longhaul_origin_retries_total")

    def _fail(self, error: UpstreamError | ConnectionError) -> None:
        if not self._head.done():
            self._head.set_exception(error)
            self._head.exception()  # nobody may be left to look at it
        if not self.transfer.complete:
            self.transfer.fail(error)

    async def _carry(self, made: Exchange) -> None:
        response = made.response
        if "date" not in response.fields:
            response.fields.add("Date", http_date(made.received_s))  # RFC 9110, section 6.6.1
        self.exchange = made
        if self._on_response is not None:
            self._on_response(response)
        self.arrival = found = arrival(self.ask, response, made.requested_s, made.received_s)
        renewed = tuple(self._store.update(old, new) for old, new in found.renewed)
        if found.kind is Kind.SAME:
            self.refreshed = renewed
        if found.own:
            self.own = self._for_one(found.own)
        for one in found.gone:
            self._store.remove(one.key)
        spool = self._spool(made)
        if spool is not None:
            self.transfer.use_file(spool)
            self.stores = self.kept = True
        self._head.set_result(None)
        try:
            await self._content(made, spool)
        finally:
            if spool is not None:
                spool.abandon()  # no effect after a commit
            self.transfer.release()

    def _for_one(self, own: tuple[tuple[Stored, Stored], ...]) -> tuple[Held, Stored] | None:
        """Opened now, because it may be removed at once; None when it is there no more."""
        chosen = variants.select(self.ask.seen, [new for _, new in own]) or own[0][1]
        opened = self._store.open(next(old for old, new in own if new is chosen))
        return None if opened is None else (Held(opened), chosen)

    def _spool(self, made: Exchange) -> Spool | None:
        """A file to store the response in, when it may be stored and fits."""
        kind, response = self.arrival.kind, made.response
        if kind not in (Kind.WHOLE, Kind.PART) or self.ask.primary is None or self.revoked:
            return None
        if not response.framed and sha256_of(response.fields.get("repr-digest")) is None:
            return None  # nothing would tell a whole object from one that was cut
        spool = self._store.begin(self.ask.primary, response.length_bytes, planned=self.ask.filled)
        if spool is not None and kind is Kind.PART and self.arrival.draft is not None:
            spool.at(self.arrival.draft.parts[0].start)
        return spool

    async def _content(self, made: Exchange, spool: Spool | None) -> None:
        response, whole = made.response, self.arrival.kind is Kind.WHOLE
        stated = sha256_of(response.fields.get("repr-digest")) if whole and response.status == 200 else None
        running = hashlib.sha256() if stated is not None and self.stores else None
        received, spanned = 0, self._spanned()
        while data := await made.connection.read():
            received += len(data)
            self._metrics.count("longhaul_origin_received_bytes_total", len(data))
            if received > spanned:
                raise UpstreamError("the origin's part is longer than its Content-Range says")
            if running is not None:
                running.update(data)
                if received == response.length_bytes and running.digest() != stated:  # before anyone gets the last byte
                    self._refuse_digest()
            await self.transfer.feed(data, stored=self._write(spool, data))
        if received < spanned < math.inf:
            raise UpstreamError("the origin's part is shorter than its Content-Range says")
        if running is not None and running.digest() != stated:
            self._refuse_digest()
        if spool is not None and self.stores and not self.revoked:
            await self._commit(spool)
        self.transfer.finish()

    def _spanned(self) -> float:
        """How long a part says that it is; a chunked one has no Content-Length that would be held against it."""
        draft = self.arrival.draft
        return draft.parts[0].length if self.arrival.kind is Kind.PART and draft is not None else math.inf

    def _refuse_digest(self) -> None:
        self._metrics.count("longhaul_origin_digest_errors_total")
        raise UpstreamError("the origin's content is not what its Repr-Digest says")

    def _write(self, spool: Spool | None, data: bytes) -> bool:
        if spool is None or not self.stores:
            return False
        try:
            spool.write(data)
        except OSError:
            self.stores = self.kept = False  # disk full: what comes now passes through memory, and nothing is stored
            self._metrics.count("longhaul_cache_disk_errors_total")
        return self.stores

    async def _commit(self, spool: Spool) -> None:
        """Whole, or a part: joined to what it belongs to, if that is still there as it was."""
        draft, joins = self.arrival.draft, self.arrival.joins
        assert draft is not None
        if joins is not None and joins in self._store.find(joins.primary):
            self.kept = await self._store.combine(joins, spool, draft) is not None
        else:
            self.kept = self._store.commit(spool, draft) is not None
        self.stores = False  # whoever comes now finds it in the store
