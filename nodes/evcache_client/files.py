"""An edge's cache of files, asked as a cache: what it has, and what it is to get. It keeps nothing and asks no zones.

An edge fetches what it lacks by itself. To be asked whether it has something it is asked `only-if-cached` (RFC 9111, section
5.2.1.7), which it answers with 504 when it has not.
"""

from __future__ import annotations

import json

from nodes.evcache.calling import CallError, Calling
from nodes.http.message import Fields
from nodes.http.origin_address import Origin

FRESH = "cache-control=max-age=86400"
_ONLY = Fields([("Cache-Control", "only-if-cached")])


class Files:
    """Objects of one size, as `nodes/origin` generates them, so that what an edge is to get comes from its own origin."""

    def __init__(self, edge: Origin, size_bytes: int, limit_s: float, connections: int) -> None:
        self._calling, self._size_bytes = Calling(edge, limit_s, connections), size_bytes

    async def get(self, key: str) -> bytes | None:
        """The object, or None when the edge does not have it. Raises CallError."""
        return await self._ask(key, _ONLY)

    async def put(self, key: str, value: bytes, policy: str = "") -> None:
        """The edge fetches and keeps the object. Its bytes are the origin's; only their number is `value`'s. Raises
        ValueError, CallError."""
        if len(value) != self._size_bytes:
            raise ValueError(f"{len(value)} bytes are no object of {self._size_bytes}")
        if await self._ask(key, Fields([])) is None:
            raise CallError("the edge cannot reach its origin", unsure=False)

    async def stats(self) -> dict[str, float]:
        """How many objects it has, and the bytes of their files. Raises CallError."""
        response, content = await self._calling.call("GET", "/-/cache", Fields([]), None)
        if response.status != 200:
            raise CallError(f"the edge answers {response.status}", unsure=False)
        said = json.loads(content)
        return {"edge_objects": said["objects"], "edge_used_bytes": said["used_bytes"]}

    async def close(self) -> None:
        """Close what is idle."""
        self._calling.close()

    async def _ask(self, key: str, fields: Fields) -> bytes | None:
        response, content = await self._calling.call("GET", f"/objects/{self._size_bytes}B/{key}?{FRESH}", fields, None)
        if response.status == 504:
            return None
        if response.status != 200 or len(content) != self._size_bytes:
            raise CallError(f"the edge answers {response.status} with {len(content)} bytes", unsure=False)
        return content
