"""Orders to caches, and what came of them. Times in ms of the loop's clock; each call's time counts from when it was due."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Awaitable, Callable
from typing import Any

from nodes.evcache.cache import EVCache
from nodes.evcache.calling import CallError
from nodes.evcache.memcached.errors import Unanswered
from nodes.evcache.node_list import NodeList, parse
from nodes.evcache.settings import Settings
from nodes.evcache.truth_client import TruthClient, TruthError
from nodes.evcache.warming import RATE_BPS
from nodes.evcache.watching import asked
from nodes.evcache_client.files import Files
from nodes.evcache_client.load import Load, mixed
from nodes.evcache_client.popular import READERS, Popular, popular
from nodes.http.origin_address import parse_origin
from nodes.http.pacing import sleep_until

Result = dict[str, Any]
LIMIT_S = 10.0
"""For a call of an edge."""


class Orders:
    """The caches that were opened, by name; edges too, which are read and filled as caches are."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._caches: dict[str, EVCache] = {}
        self._edges: dict[str, Files] = {}
        self._nodes: dict[str, NodeList] = {}
        self._truths: dict[str, TruthClient] = {}
        self._known: dict[str, Callable[[Result], Awaitable[Result]]] = {
            "open": self._open, "edge": self._edge, "put": self._put, "fill": self._fill, "rows": self._rows,
            "get": self._get, "forget": self._forget, "load": self._load,
            "popular": self._popular, "stats": self._stats, "write-only": self._write_only, "warm": self._warm,
            "repairs": self._repairs,
        }  # fmt: skip

    async def carry_out(self, line: bytes) -> Result:
        """`ok`, and `error` where it is false."""
        number = None
        try:
            order = json.loads(line)
            number = order.get("id")
            done = await self._known[order["op"]](order)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            said = line[:200].decode("utf-8", "replace").strip()
            return {"id": number, "ok": False, "error": f"could not carry out the order {said}: {error!r}"}
        except (OSError, Unanswered, TruthError, CallError) as error:
            return {"id": number, "ok": False, "error": f"could not carry out {order['op']}: {error}"}
        return {"id": number, "ok": True, "error": "", **done}

    async def close(self) -> None:
        """Let all caches finish."""
        for cache in self._caches.values():
            await cache.close()
        for edge in self._edges.values():
            await edge.close()

    async def _open(self, order: Result) -> Result:
        settings = Settings(**order.get("settings", {}))
        truth = TruthClient(parse_origin(order["truth"]), settings.write_s) if order.get("truth") else None
        if truth is not None:
            self._truths[order["cache"]] = truth
        regions = {region: parse_origin(url) for region, url in order.get("regions", {}).items()}
        self._nodes[order["cache"]] = nodes = parse(order["nodes"])
        self._caches[order["cache"]] = EVCache(nodes, settings, truth, regions=regions)
        return {}

    async def _edge(self, order: Result) -> Result:
        self._edges[order["cache"]] = Files(parse_origin(order["url"]), order["bytes"], LIMIT_S, READERS)
        return {}

    async def _put(self, order: Result) -> Result:
        """`count` new keys, one after another."""
        cache, size = self._caches[order["cache"]], order.get("bytes", 1024)
        value = order["value"].ljust(size).encode() if "value" in order else bytes(size)
        calls = []
        for key in _keys(order):
            began_s = cache.zones.loop.time()
            written = await cache.put(key, value, order.get("ttl_s"), order.get("policy"))
            calls.append({"key": key, "ms": _ms(cache, began_s), "version": written.version, "copies": written.copies,
                          "needed": written.needed})  # fmt: skip
            await cache.settled()  # the next one is alone
        return {"calls": calls}

    async def _fill(self, order: Result) -> Result:
        """Those of `count` keys that are not there, as many at once as `popular` reads, no faster than `rate` a second."""
        cache, keys, value = self._store(order), iter(_keys(order)), random.randbytes(order.get("bytes", 1024))
        missing, began_s = 0, asyncio.get_running_loop().time()

        async def writer() -> None:
            nonlocal missing
            for key in keys:
                if await cache.get(key) is None:
                    missing += 1
                    if "rate" in order:
                        await sleep_until(began_s + missing / order["rate"])
                    await cache.put(key, value, policy="all")

        await asyncio.gather(*(writer() for _ in range(READERS)))
        return {"missing": missing}

    async def _rows(self, order: Result) -> Result:
        """`count` new rows at the source of truth alone, one after another: what its disk takes."""
        cache, calls = self._caches[order["cache"]], []
        for key in _keys(order):
            began_s, version = cache.zones.loop.time(), cache.zones.next_version()
            await self._truths[order["cache"]].put(key, version, bytes(order.get("bytes", 1024)))
            calls.append({"key": key, "ms": _ms(cache, began_s)})
        return {"calls": calls}

    async def _get(self, order: Result) -> Result:
        """`count` keys one after another; or one key `at_once` times."""
        cache = self._caches[order["cache"]]

        async def one(key: str) -> Result:
            began_s = cache.zones.loop.time()
            read = await cache.read(key)
            return {"key": key, "ms": _ms(cache, began_s), "source": read.source, "version": read.version,
                    "bytes": None if read.value is None else len(read.value)}  # fmt: skip

        if "at_once" in order:
            return {"calls": list(await asyncio.gather(*(one(order["key"]) for _ in range(order["at_once"]))))}
        return {"calls": [await one(key) for key in _keys(order)]}

    async def _popular(self, order: Result) -> Result:
        wish = Popular(**_wish(order))
        return await popular(self._store(order), wish)

    async def _stats(self, order: Result) -> Result:
        """The sums over all of a cache's memcached, by the names of our metrics; or what an edge has."""
        if order["cache"] in self._edges:
            return {"stats": await self._edges[order["cache"]].stats()}
        sums: dict[str, float] = {}
        for node in (node for some in self._nodes[order["cache"]].zones.values() for node in some):
            for name, value in (await asked(node)).items():
                sums[name] = sums.get(name, 0.0) + value
        return {"stats": sums}

    def _store(self, order: Result) -> EVCache | Files:
        return self._edges.get(order["cache"]) or self._caches[order["cache"]]

    async def _forget(self, order: Result) -> Result:
        zones = self._caches[order["cache"]].zones
        for key in _keys(order):
            for zone in order["zones"]:
                await zones.replicas[zone].forget(zones.keys.wire(key))
        return {}

    async def _write_only(self, order: Result) -> Result:
        self._caches[order["cache"]].zones.serve_only(set(order["zones"]))
        return {}

    async def _warm(self, order: Result) -> Result:
        progress = self._caches[order["cache"]].warming.begin(order["zone"], order.get("peer"), order.get("rate_bps", RATE_BPS))
        while progress.state in ("listing", "copying"):
            await asyncio.sleep(0.01)
        return {"state": progress.state, "cause": progress.cause, "copied": progress.copied}

    async def _repairs(self, order: Result) -> Result:
        return {"waiting": self._caches[order["cache"]].waiting_repairs}

    async def _load(self, order: Result) -> Result:
        wish = Load(**_wish(order))
        return {"calls": await mixed(self._caches[order["cache"]], self._name, wish)}


def lasting(line: bytes) -> bool:
    """Whether an order goes on while others are carried out."""
    try:
        order = json.loads(line)
    except ValueError:
        return False
    return isinstance(order, dict) and order.get("op") == "load"


def _wish(order: Result) -> Result:
    return {name: value for name, value in order.items() if name not in ("op", "cache", "id")}


def _keys(order: Result) -> list[str]:
    return [f"{order['key']}-{number}" for number in range(order["count"])] if "count" in order else [order["key"]]


def _ms(cache: EVCache, began_s: float) -> float:
    return round((cache.zones.loop.time() - began_s) * 1e3, 4)
