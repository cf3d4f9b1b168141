"""Each memcached's own numbers as gauges, asked for every two seconds on a connection of their own. It repairs nothing."""

from __future__ import annotations

import asyncio

from nodes.evcache.memcached.meta import Garbage
from nodes.evcache.memcached.stats import END, parse
from nodes.evcache.node_list import Address, NodeList
from nodes.http.metrics import Metrics

EVERY_S, WITHIN_S = 2.0, 1.0


class Watching:
    """`evcache_memcached_up` is 0 while a node does not answer; its other numbers then stay as they were."""

    def __init__(self, nodes: NodeList, metrics: Metrics) -> None:
        self._metrics = metrics
        loop = asyncio.get_running_loop()
        self._tasks = [loop.create_task(self._watch(zone, node)) for zone, some in nodes.zones.items() for node in some]

    async def close(self) -> None:
        """Stop."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _watch(self, zone: str, node: Address) -> None:
        while True:
            up = 1.0
            try:
                async with asyncio.timeout(WITHIN_S):
                    for name, value in (await asked(node)).items():
                        self._metrics.gauge(name, value, zone=zone, memcached=node.where)
            except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, Garbage):  # TimeoutError is an OSError
                up = 0.0
            self._metrics.gauge("evcache_memcached_up", up, zone=zone, memcached=node.where)
            await asyncio.sleep(EVERY_S)


async def asked(node: Address) -> dict[str, float]:
    """A memcached's own numbers. Raises OSError, Garbage, and what a stream raises that ends."""
    reader, writer = await asyncio.open_connection(node.host, node.port)
    try:
        writer.write(b"stats\r\n")
        return parse(await reader.readuntil(END))
    finally:
        writer.close()
