"""The cache's HTTP face: GET, PUT and DELETE of `/keys/KEY`, bulk get by POST to `/keys`, and `/touch/KEY`.

It frames; `cache.py` caches. Reads say where the value was found in Cache-Status (RFC 9211): the zone, `near` or `truth`.
"""

from __future__ import annotations

import base64
import json
from urllib.parse import parse_qsl, unquote_to_bytes

from nodes.evcache.cache import EVCache
from nodes.evcache.keys import BadKey
from nodes.evcache.packing import LARGEST_VALUE_BYTES
from nodes.evcache.reading import NOWHERE, TRUTH, Read
from nodes.evcache.replication.batch import decoded
from nodes.evcache.replication.relay import BATCH_BYTES, PATH
from nodes.evcache.truth_client import VERSION, TruthError
from nodes.evcache.warming import RATE_BPS
from nodes.evcache.watching import Watching
from nodes.evcache.writing import Written
from nodes.http.body import content
from nodes.http.message import Fields, HttpError, Request
from nodes.http.own_paths import PREFIX
from nodes.http.reply import Reply
from units import UnitError, bits_per_second, milliseconds

KEYS, TOUCH, ZONES, REGIONS = "/keys/", "/touch/", "/-/zones", "/-/regions"
LARGEST_BATCH_BYTES = LARGEST_VALUE_BYTES + 2 * BATCH_BYTES
MOST_KEYS = 1000


class App:
    """Serves one cache."""

    def __init__(self, name: str, cache: EVCache, watching: Watching) -> None:
        self.name, self._cache, self._watching = name, cache, watching

    async def close(self) -> None:
        """Finish what is being written."""
        await self._watching.close()
        await self._cache.close()

    async def handle(self, request: Request, reply: Reply) -> None:
        """One call of the cache."""
        try:
            if request.path.startswith(KEYS):
                await self._key(_key(request.path, KEYS), request, reply)
            elif request.path == "/keys" and request.method == "POST":
                await self._several(request, reply)
            elif request.path.startswith(TOUCH) and request.method == "POST":
                had = await self._cache.touch(_key(request.path, TOUCH), _options(request)[0])
                if not had:
                    raise HttpError(404, "no zone has the newest version")
                await _json(reply, {"zones": had})
            elif request.path == PATH and request.method == "POST":
                rows = decoded(await content(request, LARGEST_BATCH_BYTES))
                reply.outcome.result = "EVCACHE_REPLICATED"
                await _json(reply, await self._cache.accept(rows))
            elif request.path.startswith(PREFIX):
                await self._control(request, reply)
            else:
                raise HttpError(404, "nothing is here; keys are at /keys/KEY and /touch/KEY, and POST /keys takes a JSON list")
        except TruthError as error:
            raise HttpError(503, f"{error}; nothing was acknowledged, ask again later", [("Retry-After", "1")]) from error
        except ValueError as error:  # BadKey is one
            raise HttpError(400, str(error)) from error

    async def _control(self, request: Request, reply: Reply) -> None:
        """What whoever runs the cache asks of it: zones, warming, regions."""
        path, post = request.path, request.method == "POST"
        if path == ZONES:
            await self._zones(request, reply)
        elif path.startswith(ZONES + "/") and path.endswith("/warm") and post:
            await self._warm(path.removeprefix(ZONES + "/").removesuffix("/warm"), request, reply)
        elif path == REGIONS and request.method == "GET":
            now_s = self._cache.zones.loop.time()
            await _json(reply, {name: {"waiting": len(relay.queue), "oldest_s": round(relay.queue.age_s(now_s), 3),
                                       "lost": relay.queue.lost}
                                for name, relay in self._cache.relays.items()})  # fmt: skip
        elif path.startswith(REGIONS + "/") and path.endswith("/resend") and post:
            region = path.removeprefix(REGIONS + "/").removesuffix("/resend")
            if region not in self._cache.relays:
                raise HttpError(404, f"'{region}' is no region; there are {', '.join(self._cache.relays) or 'none'}")
            self._cache.relays[region].resend()
            await reply.full(202, Fields([]), b"")
        else:
            raise HttpError(404, f"nothing is here; there are {ZONES}, {ZONES}/ZONE/warm, {REGIONS}, {REGIONS}/REGION/resend")

    async def _key(self, key: str, request: Request, reply: Reply) -> None:
        if request.method in ("GET", "HEAD"):
            read = await self._cache.read(key)
            reply.outcome.result = f"EVCACHE_{'MISS' if read.source in (TRUTH, NOWHERE) else 'HIT'}"
            reply.outcome.cache_status = _status(self.name, read)
            reply.outcome.notes["zone"] = read.source
            fields = Fields([("Cache-Status", reply.outcome.cache_status), (VERSION, str(read.version))])
            if read.value is None:
                raise HttpError(404, f"there is no row '{key}'", fields.items)
            fields.add("Content-Type", "application/octet-stream")
            await reply.full(200, fields, read.value)
        elif request.method in ("PUT", "DELETE"):
            ttl_s, policy = _options(request)
            if request.method == "PUT":
                written = await self._cache.put(key, await content(request, LARGEST_VALUE_BYTES), ttl_s, policy)
            else:
                written = await self._cache.delete(key, policy)
            reply.outcome.result = "EVCACHE_STORED" if written.met else "EVCACHE_UNMET"
            await reply.full(204 if written.met else 202, _written(written), b"")
        else:
            raise HttpError(405, "keys know GET, PUT and DELETE", [("Allow", "GET, HEAD, PUT, DELETE")])

    async def _several(self, request: Request, reply: Reply) -> None:
        keys = _list(await content(request, 2**20))
        reads = await self._cache.get_many(keys)
        found = {
            key: {"version": read.version, "source": read.source, "value": base64.b64encode(read.value).decode()}
            for key, read in reads.items()
            if read.value is not None
        }
        reply.outcome.result = "EVCACHE_BULK"
        await _json(reply, found)

    async def _zones(self, request: Request, reply: Reply) -> None:
        """GET tells of the zones, PUT with a JSON list says which are written and not read."""
        zones = self._cache.zones
        if request.method == "PUT":
            zones.serve_only(set(_list(await content(request, 2**16))))
        elif request.method != "GET":
            raise HttpError(405, "zones know GET and PUT", [("Allow", "GET, PUT")])
        await _json(reply, {zone: {"serves": zones.serves(zone), "repairs": len(zones.repairs[zone]),
                                   "warming": self._cache.warming.told(zone)}
                            for zone in zones.replicas})  # fmt: skip

    async def _warm(self, zone: str, request: Request, reply: Reply) -> None:
        """Fill a zone from another: `?from=ZONE&rate=80mbit`. It is not read until that is done."""
        asked = dict(parse_qsl(request.query, keep_blank_values=True))
        peer, rate = asked.pop("from", None), asked.pop("rate", None)
        if asked:
            raise HttpError(400, f"'{next(iter(asked))}' is not known; the query may hold from=ZONE and rate=80mbit")
        try:
            rate_bps = RATE_BPS if rate is None else bits_per_second(rate)
        except UnitError as error:
            raise HttpError(400, f"rate: {error}") from error
        if rate_bps <= 0:
            raise HttpError(400, f"rate: '{rate}' is no rate above zero")
        self._cache.warming.begin(zone, peer, rate_bps)
        await _json(reply, self._cache.warming.told(zone), 202)


async def _json(reply: Reply, said: object, status: int = 200) -> None:
    await reply.full(status, Fields([("Content-Type", "application/json")]), json.dumps(said).encode())


def _key(path: str, behind: str) -> str:
    try:
        return unquote_to_bytes(path.removeprefix(behind)).decode()
    except UnicodeDecodeError as error:
        raise BadKey("the key is not UTF-8") from error


def _options(request: Request) -> tuple[float | None, str | None]:
    """`ttl=60s` and `policy=quorum` of the query. Raises HttpError 400."""
    ttl_s = policy = None
    for name, value in parse_qsl(request.query, keep_blank_values=True):
        if name == "ttl":
            try:
                ttl_s = milliseconds(value) / 1e3
            except UnitError as error:
                raise HttpError(400, f"ttl: {error}") from error
        elif name == "policy":
            policy = value
        else:
            raise HttpError(400, f"'{name}' is not known; the query may hold ttl=60s and policy=quorum")
    return ttl_s, policy


def _list(data: bytes) -> list[str]:
    """Raises HttpError 400."""
    try:
        found = json.loads(data)
    except ValueError as error:
        raise HttpError(400, f"the content is not JSON: {error}") from error
    if not isinstance(found, list) or len(found) > MOST_KEYS or not all(isinstance(one, str) for one in found):
        raise HttpError(400, f"the content is not a JSON list of at most {MOST_KEYS} texts")
    return found


def _status(name: str, read: Read) -> str:
    if read.source in (TRUTH, NOWHERE):
        return f"{name}; fwd=uri-miss; detail={read.source}"
    return f"{name}; hit; detail={read.source}"


def _written(written: Written) -> Fields:
    return Fields([(VERSION, str(written.version)), ("Longhaul-Copies", f"{written.copies}/{written.needed}")])
