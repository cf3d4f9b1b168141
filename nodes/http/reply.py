"""One response on its way to the client: head, content, end.

It frames and paces; it does not decide. The head waits for the first content, so that both leave in one segment: a
head sent by itself spends a packet of the initial window.
"""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, BinaryIO

from nodes.http.dates import http_date
from nodes.http.message import Fields, Outcome, Request, bodyless, head_bytes

if TYPE_CHECKING:
    from nodes.http.connection import ServerConnection

JOINED_BYTES = 64 * 1024
"""So much of a file is read and sent in one write with the head; the rest goes by sendfile."""

SENDFILE_BYTES = 1024 * 1024
"""One sendfile call at most: a fast reader would otherwise hold the event loop for a whole object."""


class Reply:
    """Call `start`, then `write` or `file` any number of times, then `end`; or `full` for all at once."""

    def __init__(self, connection: ServerConnection, request: Request | None) -> None:
        self._connection = connection
        self._request = request
        self._head: bytes | None = None
        self._chunked = False
        self._left_bytes: int | None = None
        self._bodyless = False
        self.keep_alive = False
        self.started = False
        self.finished = False
        self.status = 0
        self.body_bytes = 0
        self.first_byte_at: float | None = None
        self.outcome = Outcome()

    @property
    def peer(self) -> str:
        """The client's address and port."""
        return self._connection.peer

    def start(self, status: int, fields: Fields, length_bytes: int | None) -> None:
        """Prepare the head; nothing is sent yet. Without a length the content is chunked (HTTP/1.0: until close)."""
        request, fields = self._request, fields.copy()
        self.started, self.status = True, status
        self._bodyless = bodyless(request.method if request else "GET", status)
        self.keep_alive = _wants_keep_alive(request) and not self._connection.server.draining
        if fields.get("connection") == "close":
            self.keep_alive = False
        fields.drop("connection", "transfer-encoding")
        if length_bytes is not None:
            if status >= 200 and status not in (204, 304):
                fields.put("Content-Length", str(length_bytes))
            self._left_bytes = 0 if self._bodyless else length_bytes
        elif not self._bodyless:
            fields.drop("content-length")
            if request is not None and request.version == "1.1":
                self._chunked = True
                fields.add("Transfer-Encoding", "chunked")
            else:
                self.keep_alive = False
        if "date" not in fields:
            fields.add("Date", http_date(time.time()))
        if not self.keep_alive:
            fields.add("Connection", "close")
        elif request is not None and request.version == "1.0":
            fields.add("Connection", "keep-alive")
        self._head = head_bytes(status, fields)

    async def write(self, data: bytes) -> None:
        """Send content; returns when the client has taken enough of it. Raises ConnectionResetError."""
        if self._bodyless:
            await self.flush()
            return
        if not data:
            return
        self._count(len(data))
        if self._chunked:
            data = b"%x\r\n%b\r\n" % (len(data), data)
        self._send(data)
        await self._connection.drained()

    async def file(self, file: BinaryIO, start: int, count: int) -> None:
        """Send a part of a file. Raises ConnectionResetError, or EOFError when the file is shorter than promised."""
        if self._bodyless:
            await self.flush()
            return
        first = os.pread(file.fileno(), min(count, JOINED_BYTES), start)
        if len(first) < min(count, JOINED_BYTES):
            raise EOFError("the file is shorter than its length says")
        await self.write(first)
        sent = len(first)
        while sent < count:
            size = min(SENDFILE_BYTES, count - sent)
            if self._connection.lost or self._connection.transport.is_closing():
                raise ConnectionResetError("the client left")
            done = await self._connection.server.loop.sendfile(
                self._connection.transport, file, start + sent, size, fallback=True
            )
            sent += done
            self._count(done)
            self._connection.last_active = self._connection.server.loop.time()
            if done < size:
                raise EOFError("the file is shorter than its length says")

    async def flush(self) -> None:
        """Send the head now, without waiting for content."""
        if self._head is not None:
            self._send(b"")
            await self._connection.drained()

    async def end(self) -> None:
        """The response is whole."""
        if self._left_bytes:
            self.abort()
            raise RuntimeError(f"a response ended {self._left_bytes} bytes short of its Content-Length")
        if self._chunked:
            self._send(b"0\r\n\r\n")
        await self.flush()
        self.finished = True

    async def full(self, status: int, fields: Fields, body: bytes) -> None:
        """A whole response at once."""
        self.start(status, fields, len(body))
        await self.write(body)
        await self.end()

    def abort(self) -> None:
        """Cut the connection, so that the client sees fewer bytes than it was promised."""
        self.keep_alive = False
        self._head = None
        self._connection.transport.abort()

    def _count(self, size: int) -> None:
        self.body_bytes += size
        if self._left_bytes is not None:
            self._left_bytes -= size
            if self._left_bytes < 0:
                self.abort()
                raise RuntimeError("a response is longer than its Content-Length")

    def _send(self, data: bytes) -> None:
        connection = self._connection
        if connection.lost or connection.transport.is_closing():
            raise ConnectionResetError("the client left")
        if self._head is not None:
            data, self._head = self._head + data, None
            self.first_byte_at = connection.server.loop.time()
        connection.last_active = connection.server.loop.time()
        connection.transport.write(data)


def _wants_keep_alive(request: Request | None) -> bool:
    """Persistence: RFC 9112, section 9.3."""
    if request is None:
        return False
    options = request.fields.tokens("connection")
    return "close" not in options and (request.version == "1.1" or "keep-alive" in options)
