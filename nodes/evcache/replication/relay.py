"""The relay to one other region: reads the local values of what is queued and sets them there, in batches that overlap.

It holds no values between; what the other region does not take waits in the queue.
"""

from __future__ import annotations

import asyncio
import json
import time

from nodes.evcache.calling import CallError, Calling
from nodes.evcache.reading import Reading
from nodes.evcache.replication.batch import LONGEST_TTL_S, Row, encoded
from nodes.evcache.replication.queue import Queue, Waiting
from nodes.evcache.truth_client import TruthClient, TruthError
from nodes.evcache.version import at_us
from nodes.evcache.zones import Zones
from nodes.http.message import Fields
from nodes.http.origin_address import Origin

PATH = "/replicate"
TOGETHER, BATCH_BYTES = 256, 2**20
AT_ONCE = 4
"""Batches under way: over a long way one alone would carry 256 rows a round trip."""
LIMIT_S = 5.0
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.05, 1.0
MOST_RESENT = 2000
"""Keys that wait while everything is told anew: writes of now are not to wait behind a whole table."""
TAKEN = ("stored", "older")


class Relay:
    """`tell` queues a key; the rest happens by itself."""

    def __init__(self, region: str, origin: Origin, zones: Zones, reading: Reading, truth: TruthClient) -> None:
        self.region, self.queue = region, Queue(zones.settings.repairs)
        self._zones, self._reading, self._truth = zones, reading, truth
        self._calling = Calling(origin, LIMIT_S, AT_ONCE)
        self._wake = asyncio.Event()
        self._resending: asyncio.Task[None] | None = None
        self._tasks = [zones.loop.create_task(self._send()) for _ in range(AT_ONCE)]
        zones.metrics.before_text(self._gauges)

    def tell(self, key: str, version: int, ttl_s: float | None) -> None:
        """A write is durable here."""
        self.queue.add(key, version, ttl_s, self._zones.loop.time())
        self._wake.set()

    def resend(self) -> None:
        """Tell the region of all rows that there are, page by page: what it has already it passes over. For a daemon whose
        queue was lost, and for a region that is new."""
        if self._resending is None or self._resending.done():
            self._resending = self._zones.loop.create_task(self._resend())

    async def _resend(self) -> None:
        after, pause_s = "", FIRST_PAUSE_S
        while True:
            try:
                page = await self._truth.versions(after)
            except TruthError:
                await asyncio.sleep(pause_s)
                pause_s = min(2 * pause_s, LONGEST_PAUSE_S)
                continue
            if not page:
                return
            after = page[-1][0]
            for key, version in page:
                self.tell(key, version, None)
            while len(self.queue) > MOST_RESENT:
                await asyncio.sleep(FIRST_PAUSE_S)

    async def close(self) -> None:
        """Stop; what waits is lost with this process."""
        for task in (*self._tasks, *filter(None, [self._resending])):
            task.cancel()
        await asyncio.gather(*self._tasks, *filter(None, [self._resending]), return_exceptions=True)
        self._calling.close()

    async def _send(self) -> None:
        pause_s = FIRST_PAUSE_S
        while True:
            taken = self.queue.take(TOGETHER)
            if not taken:
                self._wake.clear()
                await self._wake.wait()
                continue
            rows: list[Row] = []
            results: dict[str, str] = {}
            try:
                rows = await self._rows(taken)
                results = {row.key: "older" for row in rows if not row.version}  # it was not durable after all
                for batch in _batches([row for row in rows if row.version]):
                    results |= await self._set(batch)
            except (CallError, TruthError) as error:
                self._zones.metrics.count("evcache_replication_errors_total", region=self.region,
                                          reason="truth" if isinstance(error, TruthError) else "region")  # fmt: skip
            left = self._settle(dict(taken), rows, results)
            if left:
                self.queue.again(left)
                await asyncio.sleep(pause_s)
            pause_s = min(2 * pause_s, LONGEST_PAUSE_S) if left else FIRST_PAUSE_S

    def _settle(self, taken: dict[str, Waiting], rows: list[Row], results: dict[str, str]) -> list[str]:
        """Count what was taken; gives the keys that were not."""
        now_us, now_s = time.time_ns() // 1000, self._zones.loop.time()
        lag = self._zones.metrics.histogram("evcache_replication_seconds", region=self.region)
        for row in rows:
            result = results.get(row.key)
            if result in TAKEN:
                self.queue.done(row.key, max(row.version, taken[row.key].version), now_s)
                if result == "stored":
                    lag.observe(max(0.0, (now_us - at_us(row.version)) / 1e6))
            if result is not None:
                self._zones.metrics.count("evcache_replicated_total", region=self.region, result=result)
        return [key for key in taken if results.get(key) not in TAKEN]

    async def _rows(self, taken: list[tuple[str, Waiting]]) -> list[Row]:
        """The values of now. A local copy that is older than what was queued is passed over. Raises TruthError."""

        async def row(key: str, waiting: Waiting) -> Row:
            read = await self._reading.read(key)
            value, version = read.value, read.version
            if version < waiting.version:
                version, value = await self._truth.get(key)
            left_s = None if waiting.ends_s is None else waiting.ends_s - self._zones.loop.time()
            ttl_s = None if left_s is None else min(max(1.0, left_s), LONGEST_TTL_S)
            return Row(key, version, ttl_s, value)

        rows = await asyncio.gather(*(row(key, waiting) for key, waiting in taken), return_exceptions=True)
        for one in rows:
            if isinstance(one, BaseException):
                raise one
        return [one for one in rows if isinstance(one, Row)]

    async def _set(self, rows: list[Row]) -> dict[str, str]:
        """What became of each there. Raises CallError."""
        response, content = await self._calling.call("POST", PATH, Fields([]), encoded(rows))
        self._zones.metrics.count("evcache_replication_batches_total", region=self.region)
        if response.status != 200:
            raise CallError(f"answers {response.status}: {content[:200].decode('utf-8', 'replace').strip()}", unsure=False)
        try:
            said = json.loads(content)
            return dict(zip((row.key for row in rows), map(str, said), strict=True))
        except (ValueError, TypeError) as error:
            raise CallError(f"answers what is no list of {len(rows)} results", unsure=True) from error

    def _gauges(self) -> None:
        age_s = self.queue.age_s(self._zones.loop.time())
        for name, value in (("evcache_replication_waiting", len(self.queue)), ("evcache_replication_lost", self.queue.lost),
                            ("evcache_replication_oldest_seconds", age_s)):  # fmt: skip
            self._zones.metrics.gauge(name, value, region=self.region)


def _batches(rows: list[Row]) -> list[list[Row]]:
    """Of at most a megabyte each, unless one value alone is larger."""
    found: list[list[Row]] = []
    size = BATCH_BYTES + 1
    for row in rows:
        more = len(row.value or b"") + 100
        if size + more > BATCH_BYTES:
            found.append([])
            size = 0
        found[-1].append(row)
        size += more
    return found
