"""A worker's end of its links to the home: a client's request goes over one, its answer comes back as it is.

It does not answer. Links are unnamed sockets whose other end goes to the home by the control channel; one serves one
request at a time and is kept for the next.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable

from nodes.http.body import RequestBody
from nodes.http.link_wire import LENGTH_BYTES, preamble
from nodes.http.message import HttpError, Request
from nodes.http.reply import Reply

PIECE_BYTES = 256 * 1024
MOST_IDLE = 64

Link = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Relay:
    """Links to the home. `hand_over` sends it the other end of a new one."""

    def __init__(self, hand_over: Callable[[socket.socket], None]) -> None:
        self._hand_over = hand_over
        self._idle: list[Link] = []

    async def relay(self, request: Request, reply: Reply) -> None:
        """Have the home answer. Raises ConnectionResetError when it or the client breaks off, HttpError before that."""
        link, again = None, False
        try:
            link = self._idle.pop() if self._idle else await self._new()
            again = await self._exchange(link, request, reply)
        except (asyncio.IncompleteReadError, OSError) as error:
            if not reply.started:
                raise HttpError(502, "the home worker did not answer", close=True) from error
            raise ConnectionResetError("the home worker broke off") from error
        finally:
            if link is not None:
                if again and len(self._idle) < MOST_IDLE:
                    self._idle.append(link)
                else:
                    link[1].close()

    def close(self) -> None:
        """Give up the links that are kept."""
        for _, writer in self._idle:
            writer.close()
        self._idle.clear()

    async def _new(self) -> Link:
        ours, theirs = socket.socketpair()
        try:
            self._hand_over(theirs)
        except OSError:
            ours.close()
            raise
        finally:
            theirs.close()
        ours.setblocking(False)
        return await asyncio.open_connection(sock=ours)

    async def _exchange(self, link: Link, request: Request, reply: Reply) -> bool:
        """One request and its answer; whether the link can carry another."""
        reader, writer = link
        writer.write(preamble(request.client, request.scheme) + request.raw)
        sender: asyncio.Task[None] | None = None
        if request.has_body:
            sender = asyncio.get_running_loop().create_task(_send_content(writer, request))
        try:
            await writer.drain()
            while size := int.from_bytes(await reader.readexactly(LENGTH_BYTES), "big"):
                while size:
                    piece = await reader.read(min(size, PIECE_BYTES))
                    if not piece:
                        raise asyncio.IncompleteReadError(b"", size)
                    size -= len(piece)
                    await reply.passed_on(piece)
            keep = await reader.readexactly(1) == b"\1"
            reply.finished, reply.keep_alive = True, keep
            return keep and (sender is None or (sender.done() and not sender.cancelled() and sender.exception() is None))
        finally:
            if sender is not None and not sender.done():
                sender.cancel()
                await asyncio.gather(sender, return_exceptions=True)


async def _send_content(writer: asyncio.StreamWriter, request: Request) -> None:
    """The request's content, framed as its head says."""
    assert isinstance(request.body, RequestBody)
    request.body.unasked = False  # the home says when it wants it
    chunked = request.content_length is None
    try:
        async for piece in request.body:
            writer.write(b"%x\r\n%b\r\n" % (len(piece), piece) if chunked else piece)
            await writer.drain()
        if chunked:
            writer.write(b"0\r\n\r\n")
    except ConnectionError:
        writer.close()  # the home sees a request that breaks off, and its answer ends
