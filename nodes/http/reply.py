"""One response on its way to the client: head, content, end.

It frames; it does not decide. The head waits for the first content, so that both leave in one segment: a head sent by
itself spends a packet of the initial window.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, BinaryIO

from nodes.http.body import DISCARD_BYTES, RequestBody
from nodes.http.dates import http_date
from nodes.http.message import Fields, Outcome, Request, bodyless, head_bytes
from nodes.http.prepared import OpenFile

if TYPE_CHECKING:
    from nodes.http.connection import Connection

JOINED_BYTES = 64 * 1024
"""A handler that reads content itself does well to hand over so much at first: it leaves in one write with the head."""


class Reply:
    """Call `start`, then `write` or `file` any number of times, then `end`; or `full` for all at once."""

    def __init__(self, connection: Connection, request: Request | None) -> None:
        self._connection = connection
        self._request = request
        self._head: bytes | None = None
        self._chunked = False
        self._left_bytes: int | None = None
        self._bodyless = False
        self.keep_alive = False
        self.started = False
        self.finished = False
        self.relayed = False
        """Whether another process answers and keeps the record of it."""
        self.status = 0
        self.body_bytes = 0
        self.first_byte_at: float | None = None
        self.outcome = Outcome()

    @property
    def peer(self) -> str:
        """The client's address and port."""
        return self._connection.peer

    @property
    def sent_bytes(self) -> int:
        """How much content is on its way, or was when the client left."""
        return max(0, self.body_bytes - self._connection.unsent_bytes)

    def interim(self, status: int, fields: Fields) -> None:
        """An interim response (RFC 9110, section 15.2); HTTP/1.0 clients get none. Raises ConnectionResetError."""
        if not 100 <= status < 200 or status == 101:
            raise ValueError(f"{status} is no interim status")
        if self._request is not None and self._request.version == "1.1" and not self.started:
            if status == 100 and isinstance(self._request.body, RequestBody):
                self._request.body.unasked = False
            self._connection.interim(head_bytes(status, fields))

    def start(self, status: int, fields: Fields, length_bytes: int | None, reason: str | None = None) -> None:
        """Prepare the head; nothing is sent yet. Without a length the content is chunked (HTTP/1.0: until close)."""
        if not 200 <= status <= 999:
            raise ValueError(f"{status} is no status of a final response")
        request = self._request
        self.started, self.status = True, status
        self._bodyless = bodyless(request.method if request else "GET", status)
        keep = request is not None and request.persistent and not self._connection.draining
        if keep and request is not None and isinstance(request.body, RequestBody):
            # content that the client may or may not send yet, or that is too much to skip: RFC 9112, section 9.3
            keep = not request.body.unasked and not request.body.broken and self._connection.content_left <= DISCARD_BYTES
        self._head, framing = answer_head(request, status, fields, length_bytes, reason, keep=keep)
        self.keep_alive, self._chunked = framing
        if length_bytes is not None:
            self._left_bytes = 0 if self._bodyless else length_bytes

    async def write(self, data: bytes) -> None:
        """Send content; returns when the client has taken enough of it. Raises ConnectionResetError."""
        if not self._bodyless and not data:
            return
        self._content(data)
        await self._connection.drained()

    async def file(self, file: BinaryIO | OpenFile, start: int, count: int) -> None:
        """Send a part of a file. Raises ConnectionResetError, or EOFError when the file is shorter than promised."""
        if self._bodyless or not count:
            await self.flush()
            return
        self._count(count)
        if self._chunked:
            self._send(b"%x\r\n" % count, then_more=True)
        elif self._head is not None:
            self._send(b"", then_more=True)
        self._connection.put_file(file if isinstance(file, OpenFile) else file.fileno(), start, count)
        if self._chunked:
            self._send(b"\r\n")
        await self._connection.drained()

    async def passed_on(self, data: bytes) -> None:
        """Send bytes of a response that another process makes and frames. Raises ConnectionResetError."""
        if not self.started:
            self.started, self.relayed = True, True
            self.first_byte_at = self._connection.loop.time()
        self._connection.put(data)
        await self._connection.drained()

    async def flush(self) -> None:
        """Send the head now, without waiting for content."""
        if self._head is not None:
            self._send(b"")
            await self._connection.drained()

    async def end(self, trailers: Fields | None = None) -> None:
        """The response is whole. Trailers go out only behind chunked content (RFC 9112, section 7.1.2)."""
        self._end(trailers)
        await self._connection.drained()

    async def full(self, status: int, fields: Fields, body: bytes) -> None:
        """A whole response at once."""
        self.full_now(status, fields, body)
        await self._connection.drained()

    def full_now(self, status: int, fields: Fields, body: bytes) -> None:
        """A whole response, handed over without waiting: only for what is small. Raises ConnectionResetError."""
        self.start(status, fields, len(body))
        self._content(body)
        self._end(None)

    def abort(self) -> None:
        """Cut the connection, so that the client sees fewer bytes than it was promised."""
        self.keep_alive = False
        self._head = None
        self._connection.abort(reset=self._left_bytes is None and not self._chunked)

    def _content(self, data: bytes) -> None:
        if self._bodyless:
            data = b""
        self._count(len(data))
        if self._chunked and data:
            data = b"%x\r\n%b\r\n" % (len(data), data)
        if data or self._head is not None:
            self._send(data)

    def _end(self, trailers: Fields | None) -> None:
        if self._left_bytes:
            self.abort()
            raise RuntimeError(f"a response ended {self._left_bytes} bytes short of its Content-Length")
        if self._chunked:
            lines = "".join(f"{name}: {value}\r\n" for name, value in trailers.items) if trailers else ""
            self._send(b"0\r\n" + lines.encode("latin-1") + b"\r\n")
        elif self._head is not None:
            self._send(b"")
        self.finished = True

    def _count(self, size: int) -> None:
        self.body_bytes += size
        if self._left_bytes is not None:
            self._left_bytes -= size
            if self._left_bytes < 0:
                self.abort()
                raise RuntimeError("a response is longer than its Content-Length")

    def _send(self, data: bytes, *, then_more: bool = False) -> None:
        if self._head is not None:
            data, self._head = self._head + data, None
            self._connection.put(data, then_more=then_more)
            self.first_byte_at = self._connection.loop.time()
        else:
            self._connection.put(data, then_more=then_more)


def answer_head(
    request: Request | None, status: int, fields: Fields, length_bytes: int | None, reason: str | None = None, *, keep: bool
) -> tuple[bytes, tuple[bool, bool]]:  # fmt: skip
    """The bytes of a response's head; and whether the connection is kept, and whether the content is chunked.

    `length_bytes` None means that only the end of the transfer tells the length. `keep` is what the server wants.
    """
    old = request is None or request.version != "1.1"
    none = bodyless(request.method if request else "GET", status)
    chunked = length_bytes is None and not none and not old
    keep = keep and request is not None and request.persistent and (length_bytes is not None or none or chunked)
    length_stands = none and status != 204 and (length_bytes is None or status == 304)
    """Whether a Content-Length in `fields` tells what another method or condition would have brought."""
    dated, items = False, []
    for item in fields.items:
        name = item[0].lower()
        if name == "connection":
            keep = keep and "close" not in item[1].lower()
            continue
        if name == "transfer-encoding" or (name == "content-length" and not length_stands):
            continue
        dated = dated or name == "date"
        items.append(item)
    if length_bytes is not None and status not in (204, 304):  # RFC 9110, section 8.6
        items.append(("Content-Length", str(length_bytes)))
    elif chunked:
        items.append(("Transfer-Encoding", "chunked"))
    if not dated:
        items.append(("Date", http_date(time.time())))
    if not keep:
        items.append(("Connection", "close"))
    elif old:
        items.append(("Connection", "keep-alive"))
    return head_bytes(status, Fields(items), reason), (keep, chunked)
