"""The fetches that run, and who shares them: one for all who ask the same of the origin at the same time.

It does not decide what is asked; `cached.py` and `passing.py` do.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Hashable
from functools import partial

from nodes.edge.asking import Ask
from nodes.edge.fetch import Fetch
from nodes.edge.store.store import Store
from nodes.edge.uncacheable import Uncacheable
from nodes.http.metrics import Metrics
from nodes.http.pool import Pool
from nodes.http.response import Response


class Fetching:
    """Fetches by collapse key, and those that nobody may join."""

    def __init__(self, pool: Pool, store: Store, metrics: Metrics) -> None:
        self._pool, self._store, self._metrics = pool, store, metrics
        self._shared: dict[Hashable, Fetch] = {}
        self._running: set[Fetch] = set()
        self.uncacheable = Uncacheable()

    def __len__(self) -> int:
        return len(self._running)

    async def close(self) -> None:
        """End what still runs, for nobody."""
        tasks = [fetch.task for fetch in self._running]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def find(self, key: Hashable) -> Fetch | None:
        """The fetch that a request with this key may join."""
        fetch = self._shared.get(key)
        return fetch if fetch is not None and fetch.joinable else None

    def start(
        self, ask: Ask, key: Hashable | None = None, on_response: Callable[[Response], None] | None = None
    ) -> Fetch:  # fmt: skip
        """Begin; others may join when it has a key. `on_response` is called before anything of the answer is stored."""
        fetch = Fetch(ask, self._pool, self._store, self._metrics, on_response)
        self._metrics.count("longhaul_origin_requests_total")
        self._running.add(fetch)
        if key is not None:
            self._shared[key] = fetch
        fetch.task.add_done_callback(partial(self._ended, fetch, key))
        return fetch

    def revoke(self, reached: Callable[[Ask], bool] | None = None) -> None:
        """What was asked for before now may neither be stored nor joined, where it is `reached`; None: all."""
        for fetch in self._running:
            if reached is None or reached(fetch.ask):
                fetch.revoked = True
        for key, fetch in list(self._shared.items()):
            if fetch.revoked:
                del self._shared[key]

    def _ended(self, fetch: Fetch, key: Hashable | None, _task: asyncio.Task[None]) -> None:
        self._running.discard(fetch)
        if key is not None and self._shared.get(key) is fetch:
            del self._shared[key]
