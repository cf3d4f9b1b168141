"""One accepted connection: bytes to requests, one response after another, in order.

It is not the daemon: what a request means is decided by the application's `answer`. Parsing is httptools' (llhttp),
which refuses what RFC 9112 calls request smuggling; sizes are limited here.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING

import httptools

from nodes.http.body import RequestBody
from nodes.http.message import Fields, HttpError, Request
from nodes.http.reply import Reply
from nodes.http.target import parse_target

if TYPE_CHECKING:
    from nodes.http.server import Server

LONGEST_TARGET_BYTES = 8 * 1024
LARGEST_FIELDS_BYTES = 64 * 1024
MOST_FIELDS = 200
MOST_PIPELINED = 16


class ServerConnection(asyncio.Protocol):
    """See the module. Public attributes are for `Reply` and `Server` only."""

    transport: asyncio.Transport

    def __init__(self, server: Server) -> None:
        self.server = server
        self.queue: deque[Request | HttpError] = deque()
        self.task: asyncio.Task[None] | None = None
        self.lost = False
        self.last_active = 0.0
        self.peer = "-"
        self._refused = False
        self._ended = False
        self._holds: set[str] = set()
        self._writable: asyncio.Future[None] | None = None
        self._new_parser()

    def _new_parser(self) -> None:
        self._parser = httptools.HttpRequestParser(self)
        self._in_head = False
        self._body: RequestBody | None = None

    # -- asyncio's side ------------------------------------------------------------------------------------------
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self.last_active = self.server.loop.time()
        peer = transport.get_extra_info("peername")
        if peer:
            self.peer = f"[{peer[0]}]:{peer[1]}" if ":" in peer[0] else f"{peer[0]}:{peer[1]}"
        self.server.opened(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self.lost = True
        self.server.closed(self)
        if self._body is not None:
            self._body.end(broken=not self._body.complete)
        if self._writable is not None and not self._writable.done():
            self._writable.set_exception(ConnectionResetError("the client left"))
        if self.task is not None:
            self.task.cancel()

    def eof_received(self) -> bool:
        """A half-closed client still gets its answers (RFC 9112, section 9.6)."""
        self._ended = True
        if self._body is not None and not self._body.complete:
            self._body.end(broken=True)
        return self.task is not None

    def pause_writing(self) -> None:
        self._writable = self.server.loop.create_future()

    def resume_writing(self) -> None:
        if self._writable is not None and not self._writable.done():
            self._writable.set_result(None)
        self._writable = None

    async def drained(self) -> None:
        """Wait until the client has taken enough of what was written. Raises ConnectionResetError."""
        if self.lost:
            raise ConnectionResetError("the client left")
        if self._writable is not None:
            await asyncio.shield(self._writable)

    @property
    def in_head(self) -> bool:
        """Whether a request has begun and its head is not whole."""
        return self._in_head

    @property
    def stalled(self) -> bool:
        """Whether the client owes us: it takes no bytes, or does not send the content it announced."""
        return self._writable is not None or (self._body is not None and not self._body.complete)

    def hold(self, why: str) -> None:
        """Stop reading from the client for a reason; reading resumes when no reason is left."""
        self._holds.add(why)
        self.transport.pause_reading()

    def release(self, why: str) -> None:
        """See `hold`."""
        if why in self._holds:
            self._holds.discard(why)
            if not self._holds and not self.lost:
                self.transport.resume_reading()

    def data_received(self, data: bytes) -> None:
        self.last_active = self.server.loop.time()
        if self._refused:
            return
        continued = self._in_head
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            self._upgrade(data[upgrade.args[0] :])
        except httptools.HttpParserInvalidMethodError:
            self._refuse(HttpError(501, "the method is not known here", close=True))
        except httptools.HttpParserCallbackError as error:
            cause = error.__context__
            if not isinstance(cause, HttpError):
                raise
            self._refuse(cause)
        except httptools.HttpParserError as error:
            self._refuse(HttpError(400, f"the request is malformed: {error}", close=True))
        else:
            if continued and self._in_head:  # httptools gathers an unfinished field without limit
                self._head_bytes += len(data)
                if self._head_bytes > LARGEST_FIELDS_BYTES + LONGEST_TARGET_BYTES:
                    self._refuse(HttpError(431, "the header fields are too large", close=True))

    def _upgrade(self, rest: bytes) -> None:
        """An Upgrade is ignored (RFC 9110, section 7.8), but refused where content could hide in it; so is a tunnel."""
        last = self.queue[-1] if self.queue else None
        if isinstance(last, Request) and (last.method == "CONNECT" or last.has_body):
            self.queue.pop()
            self._refuse(HttpError(501, "tunnels and upgrades with content are not served", close=True))
            return
        self._new_parser()
        if rest:
            self.data_received(rest)

    def _refuse(self, error: HttpError) -> None:
        self._refused = True
        if self._body is not None and not self._body.complete:
            self._body.end(broken=True)
        self._in_head = False
        self._enqueue(error)

    # -- httptools' side -----------------------------------------------------------------------------------------
    def on_message_begin(self) -> None:
        self._in_head, self._head_bytes = True, 0
        self._url, self._fields, self._fields_bytes = b"", Fields(), 0

    def on_url(self, url: bytes) -> None:
        self._url += url
        if len(self._url) > LONGEST_TARGET_BYTES:
            raise HttpError(414, f"the target is longer than {LONGEST_TARGET_BYTES} bytes", close=True)

    def on_header(self, name: bytes, value: bytes) -> None:
        if not self._in_head:
            return  # a trailer: it may be discarded (RFC 9110, section 6.5.1)
        self._fields_bytes += len(name) + len(value) + 4
        if self._fields_bytes > LARGEST_FIELDS_BYTES or len(self._fields.items) >= MOST_FIELDS:
            text = f"more than {LARGEST_FIELDS_BYTES} bytes or {MOST_FIELDS} lines of header fields"
            raise HttpError(431, text, close=True)
        self._fields.items.append((name.decode("latin-1"), value.decode("latin-1")))

    def on_headers_complete(self) -> None:
        self._in_head = False
        fields, version = self._fields, self._parser.get_http_version()
        method, target = self._parser.get_method().decode("ascii"), self._url.decode("latin-1")
        hosts = fields.all("host")
        if version not in ("1.0", "1.1"):
            raise HttpError(505, f"HTTP/{version} is not served here", close=True)
        if (version == "1.1" and len(hosts) != 1) or len(hosts) > 1:
            raise HttpError(400, "a request must carry exactly one Host field", close=True)  # RFC 9112, section 3.2
        if any(ord(char) <= 32 or ord(char) > 126 for char in target):
            raise HttpError(400, "the target holds a character that must be percent-encoded", close=True)
        length = fields.get("content-length")
        chunked = "transfer-encoding" in fields
        parts = parse_target(method, target)
        if parts is None:
            raise HttpError(400, "the target is malformed", close=True)
        request = Request(method, target, version, fields, parts.path, parts.query, client=self.peer)
        request.authority = parts.authority or (hosts[0] if hosts else "")
        request.has_body = chunked or (length is not None and int(length) > 0)
        request.content_length = int(length) if length is not None and not chunked else None
        request.received_at = self.server.loop.time()
        if request.has_body:
            expects = version == "1.1" and "100-continue" in fields.tokens("expect")
            self._body = request.body = RequestBody(self, expects)
        self._enqueue(request)

    def on_body(self, data: bytes) -> None:
        if self._body is not None:
            self._body.feed(data)

    def on_message_complete(self) -> None:
        if self._body is not None:
            self._body.end()

    # -- answers, in order ---------------------------------------------------------------------------------------
    def _enqueue(self, item: Request | HttpError) -> None:
        self.queue.append(item)
        if len(self.queue) > MOST_PIPELINED:
            self.hold("pipeline")
        if self.task is None and not self.lost:
            self.task = self.server.loop.create_task(self._answer_all())
            self.task.add_done_callback(self._answered)

    def _answered(self, task: asyncio.Task[None]) -> None:
        """A fault of this program ends the connection, and is told to whoever reads stderr."""
        error = None if task.cancelled() else task.exception()
        if error is not None:
            self.transport.abort()
            self.server.loop.call_exception_handler({"message": "a request could not be answered", "exception": error})

    async def _answer_all(self) -> None:
        keep = True
        while self.queue and keep and not self.lost:
            item = self.queue.popleft()
            self.release("pipeline")
            request = item if isinstance(item, Request) else None
            reply = Reply(self, request)
            await self.server.answer(item, reply)
            keep = reply.keep_alive
            if request is not None and isinstance(request.body, RequestBody) and not request.body.complete:
                request.body.discard()
                keep = keep and not request.body.broken
        self.task = None
        self.last_active = self.server.loop.time()
        if not self.lost and (not keep or self.server.draining or self._ended):
            await self._close_politely(read_on=self._refused)

    async def _close_politely(self, *, read_on: bool) -> None:
        """Close; after a refusal, read on for a moment so that no RST destroys the answer (RFC 9112, section 9.6)."""
        if read_on and self.transport.can_write_eof() and not self._ended:
            self.transport.write_eof()
            self.server.loop.call_later(1.0, self.transport.close)
        else:
            self.transport.close()
