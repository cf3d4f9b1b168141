"""100 (Continue) and other interim responses through a proxy: content is asked of the client only when it is wanted.

It sends nothing by itself.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from nodes.http.awaited import OnInterim
from nodes.http.message import Body, Fields, end_to_end
from nodes.http.reply import Reply

CONTINUE_S = 1.0
"""How long content waits for the origin's 100 (Continue): RFC 9110, section 10.1.1, forbids to wait for ever."""


async def pass_interim(reply: Reply, status: int, fields: Fields) -> None:
    """A 1xx of the origin to the client; 100 is the proxy's own to give (RFC 9110, sections 10.1.1 and 15.2)."""
    if status != 100:
        reply.interim(status, end_to_end(fields))


class Gate:
    """Content that is asked of the client only when the origin wants it; the client's own 100 follows from that."""

    def __init__(self, body: Body, on_interim: OnInterim) -> None:
        self._body, self._on_interim = body, on_interim
        self._open = asyncio.Event()

    async def interim(self, status: int, fields: Fields) -> None:
        if status == 100:
            self._open.set()
        else:
            await self._on_interim(status, fields)

    async def __aiter__(self) -> AsyncIterator[bytes]:
        try:
            await asyncio.wait_for(self._open.wait(), CONTINUE_S)
        except TimeoutError:
            self._open.set()
        async for data in self._body:
            yield data
